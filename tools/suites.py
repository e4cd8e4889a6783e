"""Run every test suite, each within its budget: `make test`.

A budget is about one and a half times what the suite takes on two idle cores, twice or more where that is little; what
runs over it hangs, or has grown too slow to be run for every change. The whole run ends after 45 minutes, whatever
budget its last suites had left.
Ends with a table and `N passed, N failed`.

Some suites are legs: the same tests on another Postgres, Python or Codex, or those in a browser. They need programs
that a machine may not have; what was left out for that is said before it is left out, and again in the last line.
"""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_SECONDS = 45 * 60
FONTS = ("opentype/inter/Inter-Regular.otf", "truetype/jetbrains-mono/JetBrainsMono-Regular.ttf")
FONT_PACKAGES = "fonts-inter fonts-jetbrains-mono"
KILL_SECONDS = 20
"""How long pytest may take to say where it hung."""


@dataclass(frozen=True)
class Leg:
    """What a suite runs on instead of the pinned parts."""

    found: str | None
    """The program it needs; None where this machine has none."""
    missing: str
    """What is then said to be missing."""
    prepare: tuple[str, ...] = ()
    """A command that installs the rest, within the suite's budget."""
    python: str = sys.executable
    environ: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Suite:
    """Tests that run together."""

    name: str
    paths: tuple[str, ...]
    """Below tests/."""
    budget_seconds: int
    processes: int = 2
    """Side by side, each with a database, a browser and an installation of its own; 3 where most of the time another
    program is waited for."""
    options: tuple[str, ...] = ()
    leg: Callable[[], Leg] | None = None


def postgres15() -> Leg:
    """Debian's oldest Postgres that we promise to work with (POSTGRES15 names another folder)."""
    folder = os.environ.get("POSTGRES15") or "/usr/lib/postgresql/15/bin"
    found = folder if Path(folder, "postgres").is_file() else None
    return Leg(found, "Postgres 15 (apt-get install postgresql-15)", environ={"PG_BIN": folder})


def python313() -> Leg:
    """The Python that phones have (PYTHON313 names another)."""
    own = sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python3.13"))
    found = os.environ.get("PYTHON313") or (str(own[-1]) if own else shutil.which("python3.13"))
    return Leg(
        found,
        "Python 3.13",
        prepare=("make", "--silent", f"PYTHON313={found or ''}", ".venv313/.installed"),
        python=str(ROOT / ".venv313/bin/python"),
    )


def codex169() -> Leg:
    """The newer Codex whose protocol is recorded (TEST_CODEX names another)."""
    given = os.environ.get("TEST_CODEX")
    program = given or str(ROOT / CODEX169)
    installed = Path(program).is_file()
    return Leg(
        program if installed else shutil.which("npm"),
        "npm, for Codex 0.169.0",
        prepare=() if installed else ("make", "--silent", CODEX169),
        environ={"TEST_CODEX": program},
    )


def oidc() -> Leg:
    """Npm's certified OpenID provider, in place of the tests' own (TEST_OIDC_PROVIDER names its folder)."""
    given = os.environ.get("TEST_OIDC_PROVIDER")
    folder = Path(given) if given else (ROOT / OIDC_PROVIDER).parent
    installed = (folder / "package.json").is_file()
    return Leg(
        shutil.which("node") if installed else shutil.which("node") and shutil.which("npm"),
        "node and npm, for oidc-provider 9.13.3",
        prepare=() if installed else ("make", "--silent", OIDC_PROVIDER),
        environ={"TEST_OIDC_PROVIDER": str(folder)},
    )


def chromium() -> Leg:
    """The browser (TEST_CHROMIUM names another), what has it trust and show things, and npm's axe-core and provider."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("TEST_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    wanted = [AXE, *([OIDC_PROVIDER] if shutil.which("node") else [])]
    missing = [path for path in wanted if not (ROOT / path).is_file()]
    able = all(map(shutil.which, ("certutil", "dbus-daemon"))) and (not missing or shutil.which("npm"))
    environ = {"TEST_CHROMIUM": found or ""}
    if OIDC_PROVIDER in wanted:
        environ["TEST_OIDC_PROVIDER"] = str((ROOT / OIDC_PROVIDER).parent)
    return Leg(
        found if able else None,
        "Chromium (apt-get install chromium dbus-daemon libnss3-tools), or npm, for axe-core 4.14.1",
        prepare=("make", "--silent", *missing) if missing else (),
        environ=environ,
    )


def behind_glass() -> Leg:
    """The browser that draws the phone's app, and the fonts it draws with: it may load none from elsewhere."""
    leg = chromium()
    lettered = all(Path("/usr/share/fonts", path).is_file() for path in FONTS)
    return (
        leg if lettered or leg.found is None else replace(leg, found=None, missing=f"{FONT_PACKAGES} (apt-get install)")
    )


def webkit() -> Leg:
    """The nearest thing to Safari (Debian's WebKitGTK)."""
    browsers = sorted(Path("/usr/lib").glob("*/webkit*gtk-*/MiniBrowser"))
    found = str(browsers[-1]) if browsers and shutil.which("WebKitWebDriver") and shutil.which("Xvfb") else None
    return Leg(found, "WebKitGTK (apt-get install webkit2gtk-driver xvfb)")


AXE = ".axe/node_modules/axe-core/axe.min.js"
OIDC_PROVIDER = ".oidc-provider/node_modules/oidc-provider/package.json"
CODEX169 = ".codex169/node_modules/.bin/codex"
"""Where the Makefile installs it."""
RUNTIME_CORE = (
    "runtime/test_append_standing.py",
    "runtime/test_approvals.py",
    "runtime/test_approvals_answers.py",
    "runtime/test_approvals_rules.py",
    "runtime/test_budgets.py",
    "runtime/test_feed.py",
    "runtime/test_leases.py",
    "runtime/test_ledger_append.py",
    "runtime/test_ledger_concurrency.py",
    "runtime/test_machines.py",
    "runtime/test_policies.py",
    "runtime/test_receipts.py",
    "runtime/test_requests.py",
    "runtime/test_requests_stop.py",
    "runtime/test_requests_stop_all.py",
    "runtime/test_retention.py",
    "runtime/test_retention_previews.py",
    "runtime/test_spend_report.py",
    "runtime/test_stream.py",
    "runtime/test_stream_principal.py",
    "runtime/test_workers.py",
)
CODEX_CORE = (
    "companion/test_approvals_e2e.py",
    "companion/test_codex_process.py",
    "companion/test_companion_e2e.py",
    "companion/test_companion_ends.py",
    "companion/test_companion_facts.py",
    "companion/test_companion_methods.py",
    "companion/test_companion_older_threads.py",
    "companion/test_companion_requests.py",
    "companion/test_drift.py",
    "companion/test_terminal_beside.py",
)
"""What Codex's version decides: its start and connection, its schema, a turn, a question of each kind, each method, a
stop, its history after a crash, its terminal. What then happens between companion and ledger is of no version: `make
test-codex169` runs that too."""
# The soak waits for its minutes to pass: it does so beside the companion's tests, which wait for Codex.
SUITES = (
    Suite("contract", ("contract",), 50),
    Suite("ops db", ("ops", "db"), 120),
    Suite("client", ("client",), 150),
    Suite("runtime", ("runtime",), 480),
    Suite("api", ("api",), 480),
    Suite("companion", ("soak", "companion"), 360, processes=3, options=("--dist", "worksteal")),
    Suite("cli", ("cli",), 110),
    Suite("e2e", ("e2e",), 400, options=("--dist", "worksteal")),
    Suite("postgres15", ("db", *RUNTIME_CORE), 220, leg=postgres15),
    Suite("py313", ("client", "contract/test_codec.py", "contract/test_errors.py"), 180, leg=python313),
    Suite("codex169", CODEX_CORE, 150, processes=3, options=("-m", "e2e"), leg=codex169),
    Suite("oidc", ("api/test_oidc_sign_in.py",), 45, processes=1, leg=oidc),
    Suite("web", ("web",), 120),
    Suite("browser", ("browser",), 450, options=("--dist", "worksteal"), leg=chromium),
    Suite("ios", ("ios",), 200),
    Suite("phone", ("phone",), 420, options=("--dist", "worksteal"), leg=behind_glass),
    Suite("webkit", ("webkit",), 45, processes=1, leg=webkit),
)


@dataclass(frozen=True)
class Outcome:
    """How a suite ended."""

    passed: int
    failed: int
    seconds: float
    cpu_seconds: float
    """Of all its processes: twice the seconds is all that two cores have."""
    problem: str = ""


def uncovered() -> set[str]:
    """Folders with tests that no suite runs; a leg runs again what another runs, but for those of browsers."""
    found = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    return found - {
        path for suite in SUITES if suite.leg in {None, chromium, behind_glass, webkit} for path in suite.paths
    }


def run(suite: Suite, leg: Leg, left_seconds: float, compiled: str) -> Outcome:
    """Run one suite; over its budget, or over what is left for all, it is interrupted: pytest says where it was.

    `compiled`: the folder in which Python keeps what it has compiled. The tests start hundreds of processes: each would
    compile half of its time where the machine is told to keep nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [leg.python, "-m", "pytest", "-q", f"--junitxml={report}", *suite.options]
        command += [f"tests/{path}" for path in suite.paths]
        if suite.processes > 1:
            command += ["-n", str(suite.processes)]
        most = min(suite.budget_seconds, left_seconds)
        print(f"\n== {suite.name} (at most {most:.0f} s)", flush=True)
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": "", **(leg.environ or {})}
        began, cpu_began = time.monotonic(), cpu_seconds()
        problem = ""
        for step in filter(None, (leg.prepare, command)):
            left = max(1.0, most - (time.monotonic() - began))
            problem = finished(list(step), left, environ)
            if problem:
                break
        return Outcome(*counted(report), time.monotonic() - began, cpu_seconds() - cpu_began, problem)


def cpu_seconds() -> float:
    """What all processes that were waited for have used, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def finished(command: list[str], seconds: float, environ: Mapping[str, str]) -> str:
    """Run a command for so long; what is wrong with how it ended, or nothing."""
    process = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        end(process)
        return "over its budget"
    except KeyboardInterrupt:
        end(process)
        raise
    return f"{Path(command[0]).name} ended with {code}" if code else ""


def end(process: subprocess.Popen[bytes]) -> int:
    """Interrupt pytest, then kill what is left of its group."""
    process.send_signal(signal.SIGINT)
    try:
        return process.wait(KILL_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def counted(report: Path) -> tuple[int, int]:
    """Passed and failed tests of a report; nothing where there is none."""
    if not report.exists():
        return 0, 0
    suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - pytest wrote it a moment ago
    total = sum(int(suite.get("tests", 0)) for suite in suites)
    bad = sum(int(suite.get(kind, 0)) for suite in suites for kind in ("failures", "errors"))
    left_out = sum(int(suite.get("skipped", 0)) for suite in suites)
    return total - bad - left_out, bad


def main() -> int:
    """Run them all, also after one has failed; only those named, where some are."""
    if left := uncovered():
        print(f"no suite of tools/suites.py runs tests/{sorted(left)}", file=sys.stderr)
        return 1
    ends = time.monotonic() + MOST_SECONDS
    wanted = set(sys.argv[1:])
    outcomes: list[tuple[Suite, Outcome]] = []
    left_out: list[str] = []
    with tempfile.TemporaryDirectory(prefix="autopilot-compiled-") as compiled:
        for suite in SUITES:
            if wanted and not wanted & set(suite.name.split()):
                continue
            leg = suite.leg() if suite.leg else Leg(sys.executable, "")
            if leg.found is None:
                left_out.append(f"{suite.name} (no {leg.missing})")
                print(f"\n== {suite.name}: left out, this machine has no {leg.missing}", flush=True)
            else:
                outcomes.append((suite, run(suite, leg, ends - time.monotonic(), compiled)))
    print("\n== suites")
    for suite, outcome in outcomes:
        told = outcome.problem or f"{outcome.failed} failed" if outcome.failed or outcome.problem else "ok"
        took = f"{outcome.seconds:6.0f} s of {suite.budget_seconds:4} s, {outcome.cpu_seconds:5.0f} s of processor"
        print(f"{suite.name:12} {outcome.passed:5} passed {took}  {told}")
    passed = sum(outcome.passed for _, outcome in outcomes)
    failed = sum(outcome.failed or bool(outcome.problem) for _, outcome in outcomes)
    unseen = f"; left out: {', '.join(left_out)}" if left_out else ""
    print(f"{passed} passed, {failed} failed{unseen}", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

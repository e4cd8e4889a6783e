"""Run every test suite, each within its budget: `make test`.

A budget is about three times what the suite takes on two idle cores; what runs over it hangs, or has grown too slow to
be run for every change. All budgets together stay under 45 minutes. Ends with a table and `N passed, N failed`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MOST_SECONDS = 45 * 60
KILL_SECONDS = 20
"""How long pytest may take to say where it hung."""


@dataclass(frozen=True)
class Suite:
    """Test folders that run together."""

    folders: tuple[str, ...]
    budget_seconds: int
    processes: int = 2
    """Side by side; 1 where the suite starts whole installations."""


SUITES = (
    Suite(("contract",), 120),
    Suite(("ops", "db"), 300),
    Suite(("client",), 240),
    Suite(("runtime",), 360),
    Suite(("api",), 300),
    Suite(("companion",), 360),
    Suite(("cli",), 120),
    Suite(("e2e",), 840, processes=1),
)


@dataclass(frozen=True)
class Outcome:
    """How a suite ended."""

    passed: int
    failed: int
    seconds: float
    problem: str = ""


def uncovered() -> set[str]:
    """Folders with tests that no suite runs."""
    found = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    return found - {folder for suite in SUITES for folder in suite.folders}


def run(suite: Suite) -> Outcome:
    """Run one suite; over its budget it is interrupted, so that pytest says where it was."""
    folders = [f"tests/{folder}" for folder in suite.folders if (ROOT / "tests" / folder).is_dir()]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *folders]
        if suite.processes > 1:
            command += ["-n", str(suite.processes)]
        print(f"\n== {' '.join(suite.folders)} (at most {suite.budget_seconds} s)", flush=True)
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
        problem = ""
        try:
            code = process.wait(suite.budget_seconds)
        except subprocess.TimeoutExpired:
            problem = "over its budget"
            code = end(process)
        except KeyboardInterrupt:
            end(process)
            raise
        if code and not problem:
            problem = f"pytest ended with {code}"
        return Outcome(*counted(report), time.monotonic() - began, problem)


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
    """Run them all, also after one has failed."""
    if left := uncovered():
        print(f"no suite of tools/suites.py runs tests/{sorted(left)}", file=sys.stderr)
        return 1
    assert sum(suite.budget_seconds for suite in SUITES) <= MOST_SECONDS
    wanted = set(sys.argv[1:])
    suites = [suite for suite in SUITES if not wanted or wanted & set(suite.folders)]
    outcomes = [(suite, run(suite)) for suite in suites]
    print("\n== suites")
    for suite, outcome in outcomes:
        told = outcome.problem or f"{outcome.failed} failed" if outcome.failed or outcome.problem else "ok"
        print(
            f"{' '.join(suite.folders):12} {outcome.passed:5} passed "
            f"{outcome.seconds:6.0f} s of {suite.budget_seconds:4} s  {told}"
        )
    passed = sum(outcome.passed for _, outcome in outcomes)
    failed = sum(outcome.failed or bool(outcome.problem) for _, outcome in outcomes)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

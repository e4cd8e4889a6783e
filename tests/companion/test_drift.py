"""Drift is judged by what we rely on, asked of a program once, and said where one looks."""

from __future__ import annotations

import ast
import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from tests.companion.installation import Installation, method
from tests.waiting import until

import autopilot.companion
from autopilot.cli.checks import codex as checks
from autopilot.cli.checks.finding import Verdict
from autopilot.cli.home import Home
from autopilot.client import RuntimeCodexClient
from autopilot.companion import gate, standing
from autopilot.companion.app import Companion
from autopilot.companion.codex import drift, reliance, schema
from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.messages import CodexUnavailable
from autopilot.companion.codex.schema import Vocabulary
from autopilot.contract import HealthFact, Machine
from autopilot.ops.clock import SystemClock

CALLING = frozenset({"call", "pages", "_call", "_ask"})
NEW_QUESTION = "item/dream/requestApproval"
replace = msgspec.structs.replace


def base() -> Vocabulary:
    return drift.recorded()[0]


def later(**changed: object) -> drift.Drift:
    """The verdict on a version that differs from the recorded one in this only."""
    return drift.compare(base(), replace(base(), version="0.163.9", **changed))


def without(names: list[str], name: str) -> list[str]:
    return [one for one in names if one != name]


def calls_of_the_code() -> Iterator[str]:
    """The methods that the companion's code calls by name, read out of its source."""
    for path in Path(autopilot.companion.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)) and node.args:
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                first = node.args[0]
                if name in CALLING and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield first.value


def test_the_table_names_exactly_what_the_code_calls() -> None:
    assert set(calls_of_the_code()) == reliance.CALLS.keys()


@pytest.mark.parametrize("known", drift.recorded(), ids=lambda one: one.version)
def test_every_recorded_version_has_all_that_we_rely_on(known: Vocabulary) -> None:
    for table, names in ((reliance.METHODS, known.methods), (reliance.NOTIFICATIONS, known.notifications)):
        assert table.keys() <= set(names)
        for name, paths in table.items():
            assert paths <= known.fields[name].keys(), name


def test_the_recorded_versions_are_same_to_themselves_and_additive_to_each_other() -> None:
    old, new = drift.recorded()
    told = drift.compare(old, new)

    assert [one.version for one in (old, new)] == ["0.163.0", "0.169.0"]
    assert drift.judge(old).verdict == drift.judge(new).verdict == "same"
    assert (told.verdict, told.broken, told.removed) == ("additive", {}, {})
    assert {kind: len(names) for kind, names in told.added.items()} == {"methods": 12, "notifications": 1}
    assert drift.compare(new, old).verdict == "additive"  # what it lacks is nothing that we rely on


def test_a_method_or_a_notification_that_we_rely_on_and_that_is_gone_is_breaking() -> None:
    known = base()
    asked = later(methods=without(known.methods, "turn/start"))
    told = later(notifications=without(known.notifications, "turn/completed"))
    unused = later(methods=without(known.methods, "account/logout"))

    assert (asked.verdict, asked.broken) == ("breaking", {"turn/start": ["is gone"]})
    assert (told.verdict, told.broken) == ("breaking", {"turn/completed": ["is gone"]})
    assert (unused.verdict, unused.removed) == ("additive", {"methods": ["account/logout"]})
    assert asked.sentence().endswith("turn/start is gone")


def test_a_field_that_is_gone_or_another_and_one_that_is_demanded_are_breaking() -> None:
    fields, required = base().fields, base().required
    read = {**fields["thread/read"]}
    del read["result.thread.id"]
    items = fields["thread/items/list"] | {"result.nextCursor": "integer"}
    unread = {**fields["turn/start"]}
    del unread["params.effort"]

    told = later(
        fields=fields | {"thread/read": read, "thread/items/list": items, "turn/start": unread},
        required=required | {"turn/steer": [*required["turn/steer"], "reason"]},
    )

    assert told.broken == {
        "thread/items/list": ["has result.nextCursor as integer, was string"],
        "thread/read": ["has no result.thread.id"],
        "turn/steer": ["demands params.reason"],
    }


def test_a_question_that_we_have_no_form_for_runs_and_is_named() -> None:
    told = later(questions=[*base().questions, NEW_QUESTION])

    assert (told.verdict, told.unknown_questions) == ("unknown_questions", (NEW_QUESTION,))
    assert NEW_QUESTION in told.sentence()


@pytest.mark.parametrize(
    ("version", "baseline"), [("0.163.5", "0.163.0"), ("0.200.0", "0.169.0"), ("0.1.0", "0.163.0")]
)
def test_a_version_is_compared_with_the_newest_that_is_not_newer(version: str, baseline: str) -> None:
    assert drift.nearest(version).version == baseline


@pytest.mark.e2e
async def test_this_codex_speaks_the_recorded_protocol_and_is_asked_once(
    codex_binary: CodexBinary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "codex"
    program.write_text(f'#!/bin/sh\nexec {codex_binary.path} "$@"\n')
    program.chmod(0o755)
    chosen = CodexBinary(program, codex_binary.version, "setting")
    first = await drift.check(chosen, tmp_path)
    asked: list[CodexBinary] = []

    async def ask(binary: CodexBinary) -> Vocabulary:
        asked.append(binary)
        return base()

    monkeypatch.setattr(schema, "ask", ask)
    began = time.process_time()
    again = await drift.check(chosen, tmp_path)
    seconds = time.process_time() - began
    untouched = len(asked)
    os.utime(program, ns=(1, 1))
    await drift.check(chosen, tmp_path)

    version = codex_binary.version
    assert first.sentence() == f"Codex {version} speaks the protocol recorded for {version}"
    assert (again, untouched, len(asked)) == (first, 0, 1)
    assert seconds < 0.05


async def test_a_program_that_writes_no_schema_is_unchecked_and_runs(tmp_path: Path) -> None:
    silent = gate.Gate(CodexBinary(Path("/bin/false"), "9.9.9", "setting"), tmp_path)

    with pytest.raises(CodexUnavailable):
        await drift.check(silent.binary, tmp_path)
    await silent.learn()

    assert (silent.standing("9.9.9").verdict, silent.refusal()) == ("unchecked", None)
    assert await silent.refused("9.9.9", "turn/start") is None


async def test_a_daemon_of_another_version_is_judged_by_what_is_recorded_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await known(monkeypatch, tmp_path, base())

    await told.of("0.169.0")
    await told.of("0.170.1")

    recorded, unknown = told.standing("0.169.0"), told.standing("0.170.1")
    assert (recorded.verdict, recorded.baseline) == ("same", "0.169.0")
    assert recorded.message.endswith("the Codex installed here is 0.163.0")
    assert unknown.verdict == "unchecked"


async def test_a_request_that_relies_on_what_is_broken_is_refused_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poorer = replace(base(), methods=without(base().methods, "thread/turns/list"))
    told = await known(monkeypatch, tmp_path, poorer)

    refused = await told.refused("0.163.0", "turn/interrupt")

    assert refused is not None
    assert refused.error is not None
    assert (refused.state, refused.error["code"]) == ("failed", "codex_drift")
    assert refused.error["broken"] == {"thread/turns/list": ["is gone"]}
    assert await told.refused("0.163.0", "turn/start") is None
    assert told.refusal() is None


async def known(monkeypatch: pytest.MonkeyPatch, cache: Path, vocabulary: Vocabulary) -> gate.Gate:
    """A gate that has learnt of a program that says this of itself."""

    async def ask(_binary: CodexBinary) -> Vocabulary:
        return vocabulary

    monkeypatch.setattr(schema, "ask", ask)
    made = gate.Gate(CodexBinary(Path("/bin/true"), vocabulary.version, "setting"), cache)
    await made.learn()
    return made


def speaks(monkeypatch: pytest.MonkeyPatch, installation: Installation, **changed: list[str]) -> None:
    """Have the schema of this Codex say these names, and not be known from before; all else is the real one."""
    (installation.settings.data / f"codex-{installation.launch.binary.version}.json").unlink()

    async def ask(binary: CodexBinary) -> Vocabulary:
        return replace(drift.nearest(binary.version), version=binary.version, **changed)

    monkeypatch.setattr(schema, "ask", ask)


def lacks(monkeypatch: pytest.MonkeyPatch, installation: Installation, lost: str) -> None:
    """Have the schema of this Codex lack a method."""
    known = drift.nearest(installation.launch.binary.version)
    speaks(monkeypatch, installation, methods=without(known.methods, lost))


def only_the_other_is_recorded(monkeypatch: pytest.MonkeyPatch, installation: Installation) -> None:
    """Have this Codex, which speaks for itself, compared with the recorded version that it is not."""
    others = tuple(one for one in drift.recorded() if one.version != installation.launch.binary.version)
    monkeypatch.setattr(drift, "recorded", lambda: others)


def asks_something_new(monkeypatch: pytest.MonkeyPatch, installation: Installation) -> None:
    known = drift.nearest(installation.launch.binary.version)
    speaks(monkeypatch, installation, questions=[*known.questions, NEW_QUESTION])


def lacks_its_models(monkeypatch: pytest.MonkeyPatch, installation: Installation) -> None:
    lacks(monkeypatch, installation, "model/list")


def drift_of(machine: Machine) -> dict | None:
    return next((one.params for one in machine.facts if one.method == standing.DRIFT), None)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("verdict", "differs", "found"),
    [
        ("additive", only_the_other_is_recorded, Verdict.OK),
        ("unknown_questions", asks_something_new, Verdict.WARNING),
        ("breaking", lacks_its_models, Verdict.PROBLEM),
    ],
)
async def test_what_became_of_the_protocol_is_said_by_doctor_in_health_and_in_the_log_of_each_worker(
    installation: Installation,
    monkeypatch: pytest.MonkeyPatch,
    verdict: str,
    differs: Callable[[pytest.MonkeyPatch, Installation], None],
    found: Verdict,
) -> None:
    differs(monkeypatch, installation)
    async with installation.companion() as companion:
        machine = await installation.state(Machine, lambda one: drift_of(one) is not None)
        worker = await installation.start_thread()
        turn = await installation.turn(worker, {"say": "works"})
        await installation.log_until(worker, method("turn/completed"), method(standing.DRIFT))
        companion.codex.reconnect()  # the thread is taken up again: nothing is said twice
        asked = await installation.owner.request(worker, "model/list", {})
        log = await installation.whole_log(worker)

        async def known() -> HealthFact | None:
            """What is said of Codex, once it is there again."""
            fact = (await installation.owner.worker(worker)).health.codex
            return fact if "drift" in (fact.detail or {}) else None

        health = await until(known)
        said = await checks.companion(Home(installation.home))
    environ = {"AUTOPILOT_CODEX": str(installation.launch.binary.path), "CODEX_HOME": str(installation.home)}
    installed = await checks.codex(environ, Home(installation.home))

    (told,) = [event.payload["params"] for event in log if method(standing.DRIFT)(event)]
    assert told.items() >= (drift_of(machine) or {}).items() > {}.items()
    assert told["verdict"] == verdict
    assert (turn.state, asked.state) == ("completed", "failed" if verdict == "breaking" else "completed")
    assert (asked.error or {}).get("code") == ("codex_drift" if verdict == "breaking" else None)
    assert health.detail is not None
    assert health.detail["drift"] == verdict
    assert [one.says for one in said if one.about == "protocol"] == ([] if verdict == "additive" else [told["message"]])
    assert [one.verdict for one in installed if one.about == "protocol"] == [found]


@pytest.mark.e2e
async def test_a_codex_whose_handshake_is_broken_is_not_started_and_that_is_said(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks(monkeypatch, installation, "initialize")
    stopping = asyncio.Event()
    async with RuntimeCodexClient(installation.served.url, installation.machine_token, surface="companion") as client:
        made = Companion(installation.settings, installation.launch, client, SystemClock(), {})
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(made.run(stopping))
            machine = await installation.state(Machine, lambda one: drift_of(one) is not None)
            stopping.set()
    status = standing.read(installation.home / "companion")

    told = drift_of(machine)
    assert told is not None
    assert (told["verdict"], told["broken"]) == ("breaking", {"initialize": ["is gone"]})
    assert status is not None
    assert (status.codex.server, status.codex.message) == ("none", told["message"])
    assert not (installation.home / "run" / "codex.json").exists()

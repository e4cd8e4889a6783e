"""A Codex that stands still is noticed and said, a busy one is not taken for such: real Codex, held up by SIGSTOP."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.companion.installation import FULL_ACCESS, Installation, method
from tests.waiting import until

from autopilot.companion import standing, whole_file
from autopilot.companion.app import Companion
from autopilot.companion.codex import liveness
from autopilot.contract import HealthFact, WorkerSummary
from autopilot.ops.clock import SystemClock

pytestmark = pytest.mark.e2e
OTHERS = ("api", "machine", "data")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Codex is asked after a moment of quiet; its answer is waited for as long as by default."""
    monkeypatch.setattr(liveness, "QUIET_SECONDS", 0.1)


@contextmanager
def held_up(companion: Companion) -> Iterator[None]:
    record = companion.codex.server.record
    assert record is not None
    os.killpg(record.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(record.pid, signal.SIGCONT)


async def codex_of(installation: Installation, worker: str, state: str) -> WorkerSummary:
    return await installation.state(
        WorkerSummary, lambda one: one.worker_id == worker and one.health.codex.state == state
    )


def states(worker: WorkerSummary) -> dict[str, str]:
    return {name: getattr(worker.health, name).state for name in OTHERS}


def detail(fact: HealthFact) -> dict[str, str]:
    assert fact.detail is not None
    return fact.detail


async def test_a_codex_that_stands_still_is_said_to_in_its_own_fact_alone_and_recovers(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "ANSWER_SECONDS", 0.5)
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        well = await codex_of(installation, worker, "ok")
        with held_up(companion):
            silent = await codex_of(installation, worker, "unresponsive")
            told = standing.read(installation.settings.data)
        again = await codex_of(installation, worker, "ok")
        asked = await installation.turn(worker, {"say": "as before"})
        session = companion.codex.session

    assert "unresponsive_since" not in detail(well.health.codex)
    assert detail(silent.health.codex)["unresponsive_since"].endswith("Z")
    assert told is not None
    assert "answered nothing since" in told.codex.message
    assert "unresponsive_since" not in detail(again.health.codex)
    assert states(well) == states(silent) == states(again) == dict.fromkeys(OTHERS, "ok")
    assert asked.state == "completed"
    assert session is not None, "nothing was ended for it"


async def test_a_busy_codex_is_not_taken_for_one_that_stands_still(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[object] = []
    async with installation.companion() as companion:
        answers = companion.codex.liveness._answers
        asked = 0

        async def counted(connection):
            nonlocal asked
            asked += 1
            return await answers(connection)

        monkeypatch.setattr(companion.codex.liveness, "_answers", counted)
        companion.codex.liveness.changed = lambda: said.append(companion.codex.liveness.unresponsive_since)
        params = {"cwd": str(installation.project), **FULL_ACCESS}
        worker = (await installation.machine_request("thread/start", params)).response["worker_id"]
        spin = "for n in 1 2 3; do (timeout 2 sh -c 'while :; do :; done') & done; wait"
        await installation.turn(
            worker, {"shell": "head -c 5000000 /dev/urandom | base64"}, {"shell": spin}, {"say": "x", "gate": "quiet"}
        )
        await installation.model.reached("quiet")
        before = asked
        await until(lambda: asked >= before + 5)
        installation.model.open("quiet")
        await installation.log_until(worker, method("turn/completed"))

        assert said == []


async def test_a_status_that_found_no_room_is_written_when_there_is_some(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = ["once"]
    replace = whole_file.replace

    def without_room(path: Path, data: bytes) -> None:
        if full and path.name == standing.FILE:
            full.pop()
            raise OSError(28, "No space left on device")
        replace(path, data)

    def told() -> bool:
        status = standing.read(installation.settings.data)
        return status is not None and status.codex.unresponsive_since is not None

    monkeypatch.setattr(liveness, "QUIET_SECONDS", 60.0)
    async with installation.companion() as companion:
        await codex_of(installation, await installation.start_thread(), "ok")
        monkeypatch.setattr(whole_file, "replace", without_room)
        companion.codex.liveness._say(SystemClock().now())
        await until(told)
    assert full == []

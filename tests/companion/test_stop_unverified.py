"""What a stop says where it could not do all of its work, or not look. The processes are real, Codex is not."""

from __future__ import annotations

import asyncio
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from autopilot.companion import processes
from autopilot.companion.codex.messages import CodexRefused, CodexSilent
from autopilot.companion.stop import Stops
from autopilot.companion.threads import Naming, Thread, Threads
from autopilot.testing.scaled_clock import ScaledClock

THREAD = f"stop-test-{uuid.uuid4().hex}"
"""Nobody else's: tests that run beside this one have processes too."""


@dataclass
class Codex:
    """One that answers as told."""

    shared: bool = False
    silent: bool = False
    running: bool = False
    too_early: int = 0
    """So many times it can't yet tell of its turns."""
    server: Any = field(default_factory=lambda: SimpleNamespace(record=None, stop=None))
    gone: bool = False
    asked: list[str] = field(default_factory=list)

    @property
    def liveness(self) -> Any:
        return SimpleNamespace(unresponsive_since=None)

    @property
    def session(self) -> Any:
        return self

    async def call(self, method: str, _params: Any, **_more: Any) -> msgspec.Raw:
        self.asked.append(method)
        if self.silent:
            raise CodexSilent(f"Codex did not answer {method} within 5 s")
        if method == "thread/turns/list" and self.too_early:
            self.too_early -= 1
            raise CodexRefused(-32600, "list_turns is not supported yet")
        if method == "turn/interrupt":
            raise CodexRefused(-32600, "thread not found: t")
        turns = [{"id": "turn", "status": "inProgress"}] if self.running else []
        return msgspec.Raw(msgspec.json.encode({"data": turns if method == "thread/turns/list" else []}))


class Recorder:
    """Hears nothing."""

    async def settle(self) -> None: ...

    async def open_items(self, _thread: Thread) -> list[Any]:
        return []


async def stop(codex: Codex, *, elsewhere: str | None = None) -> dict[str, Any]:
    threads = Threads(Naming())
    thread = threads.introduce({"id": THREAD, "cwd": "/"}, now=0.0)
    thread.elsewhere = elsewhere

    async def hear(_thread: Thread) -> None: ...

    stops = Stops(cast("Any", codex), cast("Any", Recorder()), threads, ScaledClock(4), hear)
    async with asyncio.timeout(30):
        return (await stops.end(thread)).body()


@pytest.fixture
async def command() -> AsyncIterator[asyncio.subprocess.Process]:
    """A command of the thread, as Codex would start it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import signal; print('on', flush=True); signal.pause()"),
        env={"CODEX_THREAD_ID": THREAD},
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


async def test_what_runs_is_ended_though_codex_does_not_know_of_it(command: asyncio.subprocess.Process) -> None:
    said = await stop(Codex())

    assert said["verified"] is True
    assert [(one["pid"], one["ended_by"]) for one in said["processes"]] == [(command.pid, "SIGTERM")]


async def test_a_thread_whose_first_turn_only_begins_is_asked_again() -> None:
    codex = Codex(too_early=3)
    said = await stop(codex)

    assert said["verified"] is True
    assert codex.asked.count("thread/turns/list") == 3 + 2


async def test_what_could_not_be_ended_or_looked_at_is_said(
    command: asyncio.subprocess.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(_process: processes.Process, _number: signal.Signals) -> None:
        raise PermissionError

    monkeypatch.setattr(processes.Process, "signal", denied)
    said = await stop(Codex())

    assert said["verified"] is False
    assert [one["pid"] for one in said["still_running"]] == [command.pid]
    assert said["unverified"] == [f"process {command.pid} is another user's"]


async def test_a_turn_in_another_process_is_not_said_to_be_over() -> None:
    said = await stop(Codex(running=True), elsewhere="thread t already has an active writer")

    assert said["verified"] is False
    assert "not ours to end" in said["unverified"][0]


async def test_a_shared_codex_that_answers_nothing_is_not_ended(command: asyncio.subprocess.Process) -> None:
    codex = Codex(shared=True, silent=True)
    said = await stop(codex)

    assert said["verified"] is False
    assert "not ours to end" in said["unverified"][0]
    assert [one["ended_by"] for one in said["processes"]] == ["SIGTERM"]
    assert command.pid in {one["pid"] for one in said["processes"]}


async def test_a_system_that_tells_of_no_processes_is_not_said_to_be_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    said = await stop(Codex())

    assert said["verified"] is False
    assert said["unverified"] == ["processes: this system does not tell of them"]


async def test_a_signal_never_reaches_a_later_process_with_the_same_number(
    command: asyncio.subprocess.Process,
) -> None:
    (found,) = processes.of_thread(THREAD)
    earlier = processes.Process(found.pid, "1", found.parent, found.group, found.session)
    earlier.signal(signal.SIGKILL)

    assert not earlier.lives
    assert found.lives
    assert command.returncode is None


async def test_what_is_to_be_spared_is_not_found(command: asyncio.subprocess.Process) -> None:
    assert [one.pid for one in processes.of_thread(THREAD)] == [command.pid]
    assert processes.of_thread(THREAD, {command.pid}) == []

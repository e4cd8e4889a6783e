"""Stop means stopped: whatever a command made of itself, whatever Codex does; and the log proves it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any

import pytest
from tests.companion.installation import FULL_ACCESS, Installation, assert_sound, item, method, methods, of_type
from tests.waiting import until

from autopilot.companion import processes
from autopilot.companion.codex.process import AppServer
from autopilot.companion.desk import Desk
from autopilot.companion.feed import Feed
from autopilot.contract import Envelope, Receipt

pytestmark = pytest.mark.e2e

STUBBORN = """
import os, signal, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)


def leave(environment):
    # The way of daemons: a child in a session of its own, whose parent is gone.
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve(sys.executable, [sys.executable, sys.argv[0], "wait"], environment)
        os._exit(0)
    os.wait()


if len(sys.argv) == 1:
    leave(dict(os.environ))
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, sys.argv[0], "wait"], {})
    with open("ready", "w") as file:
        file.write("")
while True:
    signal.pause()
"""
"""Ignores SIGTERM; has a child that left its group, its session and its parent, and one without any environment."""


@pytest.fixture
def stubborn(installation: Installation) -> str:
    """The command that runs it."""
    (installation.project / "stubborn.py").write_text(STUBBORN)
    return f"{sys.executable} stubborn.py"


async def running(installation: Installation, worker: str, command: str) -> None:
    """A turn in which the command runs, all its children too."""
    await installation.turn(worker, {"shell": command})
    await until((installation.project / "ready").exists)


async def thread_with(installation: Installation, **settings: Any) -> str:
    outcome = await installation.machine_request("thread/start", {"cwd": str(installation.project), **settings})
    return outcome.response["worker_id"]


def left_of(worker: str) -> list[processes.Process]:
    return processes.of_thread(worker.removeprefix("desktopw:"))


async def stopped(installation: Installation, worker: str) -> tuple[dict[str, Any], list[Envelope]]:
    """Ask for the stop, and what the log says of it."""
    await installation.owner.stop_worker(worker)
    log = await installation.log_until(worker, of_type("worker.stopped"))
    return log[-1].payload, log


async def test_children_that_ignore_sigterm_and_left_their_session_are_gone_after_a_stop_and_the_log_proves_it(
    installation: Installation, stubborn: str
) -> None:
    async with installation.companion():
        worker = await thread_with(installation, **FULL_ACCESS)
        await running(installation, worker, stubborn)
        before = left_of(worker)
        said, log = await stopped(installation, worker)

    assert len(before) >= 3
    assert left_of(worker) == []
    assert not any(one.lives for one in before)
    assert said["verified"] is True
    assert {one["pid"] for one in said["processes"]} >= {one.pid for one in before}
    ended = {one["pid"]: one["ended_by"] for one in said["processes"] if "wait" in one["command"]}
    assert set(ended.values()) <= {"interrupt", "terminate", "SIGKILL"}
    assert "SIGKILL" in ended.values()
    assert_sound(log)


async def test_a_stop_in_the_sandbox_ends_the_same_children(installation: Installation, stubborn: str) -> None:
    async with installation.companion():
        worker = await thread_with(installation, approvalPolicy="never", sandbox="workspace-write")
        await running(installation, worker, stubborn)
        before = left_of(worker)
        said, _ = await stopped(installation, worker)

    assert len(before) >= 3
    assert left_of(worker) == []
    assert said["verified"] is True


async def test_a_stop_leaves_the_commands_of_other_threads_alone(installation: Installation, stubborn: str) -> None:
    async with installation.companion() as companion:
        other = await thread_with(installation, **FULL_ACCESS)
        await running(installation, other, stubborn)
        theirs = left_of(other)
        worker = await thread_with(installation, **FULL_ACCESS)
        await installation.turn(worker, {"shell": "echo here; sleep 300"})
        await installation.log_until(worker, item("commandExecution", "started"))
        said, _ = await stopped(installation, worker)

        assert said["verified"] is True
        assert [one for one in theirs if one.lives] == theirs
        assert companion.codex.server.alive
        await stopped(installation, other)


async def test_a_codex_that_answers_nothing_is_ended_for_a_stop_and_who_lost_a_turn_by_it_is_named(
    installation: Installation, stubborn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autopilot.companion.stop.ASK_SECONDS", 1.0)
    async with installation.companion() as companion:
        other = await thread_with(installation, **FULL_ACCESS)
        await installation.turn(other, {"shell": "echo other; sleep 300"})
        await installation.log_until(other, item("commandExecution", "started"))
        worker = await thread_with(installation, **FULL_ACCESS)
        await running(installation, worker, stubborn)
        record = companion.codex.server.record
        assert record is not None
        os.killpg(record.pid, signal.SIGSTOP)
        said, log = await stopped(installation, worker)
        theirs = await installation.log_until(other, method("desktop/turn_cut_off"))

    assert said["verified"] is True
    assert said["codex_ended"] == {"cut_off": [other]}
    assert left_of(worker) == []
    assert methods(log).index("turn/completed") < len(log) - 1
    assert theirs[-1].payload["params"]["reason"] == "codex_ended"


async def test_what_an_ended_codex_left_running_is_ended_by_a_stop(installation: Installation, stubborn: str) -> None:
    async with installation.companion() as companion:
        worker = await thread_with(installation, **FULL_ACCESS)
        await running(installation, worker, stubborn)
        record = companion.codex.server.record
        assert record is not None
        os.killpg(record.pid, signal.SIGKILL)
        await installation.log_until(worker, method("desktop/turn_cut_off"))
        assert left_of(worker)
        said, _ = await stopped(installation, worker)

    assert said["verified"] is True
    assert {one["ended_by"] for one in said["processes"]} == {"SIGKILL"}
    assert left_of(worker) == []


async def test_a_stop_is_done_before_anything_else_that_was_asked_while_the_machine_was_away(
    installation: Installation,
) -> None:
    first = await installation.start_process()
    worker = await installation.start_thread()
    await installation.turn(worker, {"say": "before"})
    await installation.log_until(worker, method("turn/completed"))
    await first.kill()
    answered = installation.model.answered
    await installation.turn(worker, {"say": "never"}, request_id="earlier", wait_ms=0)
    await installation.owner.stop_worker(worker)

    async with installation.companion():
        log = await installation.log_until(worker, of_type("worker.stopped"))
        receipt = await installation.state(Receipt, lambda one: (one.request_id, one.state) == ("earlier", "rejected"))

    assert log[-1].payload["verified"] is True
    assert (receipt.error or {})["code"] == "worker_stopped"
    assert installation.model.answered == answered
    assert methods(log).count("turn/started") == 1


@pytest.fixture
async def closed_by_force(installation: Installation, stubborn: str) -> str:
    """A worker whose log was closed while its machine was away, and its command runs on."""
    first = await installation.start_process()
    worker = await installation.start_thread()
    await running(installation, worker, stubborn)
    await first.kill()
    await installation.owner.stop_worker(worker, force=True)
    assert left_of(worker) != []
    return worker


async def test_what_runs_is_ended_also_where_not_the_feed_is_first_to_tell_that_the_log_was_closed(
    installation: Installation, closed_by_force: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def held_up(_feed: Feed, _entry: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Feed, "take", held_up)
    async with installation.companion() as companion:
        thread = companion.threads.of_worker(closed_by_force)
        assert thread is not None
        await until(lambda: not thread.is_open)
        await until(lambda: left_of(closed_by_force) == [])


async def test_what_runs_is_ended_also_by_the_companion_after_the_one_that_only_noted_that_the_log_was_closed(
    installation: Installation, closed_by_force: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Desk, "run", nothing_is_done)
    monkeypatch.setattr(AppServer, "stop", nothing_is_done)  # as if it were killed
    async with installation.companion() as companion:
        thread = companion.threads.of_worker(closed_by_force)
        assert thread is not None
        await until(lambda: not thread.is_open)
    monkeypatch.undo()
    assert left_of(closed_by_force) != []

    async with installation.companion():
        await until(lambda: left_of(closed_by_force) == [])


async def nothing_is_done(_whoever: object) -> None:
    return None

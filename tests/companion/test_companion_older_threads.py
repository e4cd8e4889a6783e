"""Threads beyond the latest ones: what they missed is filled in, and what was cut off in them is said, unasked."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.companion.installation import Installation, assert_sound, method, methods
from tests.companion.older_files import bring_back
from tests.companion.test_companion_ends import HALF, completed, ended_without_us, in_history
from tests.companion.test_companion_threads import ignore, text
from tests.waiting import until

from autopilot.companion import recovery
from autopilot.companion.codex.connection import Connection, open_connection
from autopilot.companion.codex.messages import CodexSilent
from autopilot.companion.database import open_file
from autopilot.companion.threads import Thread
from autopilot.contract import Envelope
from autopilot.ops.clock import SystemClock

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def only_one_is_taken_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "RESUMED_AT_ONCE", 1)


async def older_and_newer(installation: Installation) -> tuple[str, str]:
    """Two workers that had a turn each, the second after the first."""
    workers = []
    for words in ("the older", "the newer"):
        workers.append(await installation.start_thread())
        await installation.turn(workers[-1], {"say": words})
        await installation.log_until(workers[-1], method("turn/completed"))
    older, newer = workers
    return older, newer


@asynccontextmanager
async def another_client(installation: Installation) -> AsyncIterator[Connection]:
    """Somebody else on the same Codex."""
    async with asyncio.TaskGroup() as tasks:
        other = await open_connection(installation.launch.socket, ignore, clock=SystemClock())
        reading = tasks.create_task(other.run())
        await other.initialize("0")
        yield other
        await other.close()
        await reading


def the_second(fits: Callable[[Envelope], bool]) -> Callable[[Envelope], bool]:
    """The second event that fits."""
    seen: list[Envelope] = []

    def fits_again(event: Envelope) -> bool:
        if fits(event):
            seen.append(event)
        return len(seen) > 1

    return fits_again


def kill_codex(installation: Installation) -> None:
    os.killpg(json.loads((installation.home / "run" / "codex.json").read_text())["pid"], signal.SIGKILL)


async def test_a_turn_that_died_with_codex_is_said_to_be_cut_off_also_in_an_older_thread(
    installation: Installation,
) -> None:
    async with installation.companion():
        older = await installation.start_thread()
        await installation.turn(older, HALF)
        await installation.model.reached("half")
        newer = await installation.start_thread()
        await installation.turn(newer, {"say": "the newer"})
        await installation.log_until(newer, method("turn/completed"))

        kill_codex(installation)
        log = await installation.log_until(older, method("turn/completed"))

    assert methods(log).count("desktop/turn_cut_off") == 1
    assert_sound(log)


async def test_what_an_older_thread_missed_is_filled_in_without_loading_it(installation: Installation) -> None:
    first = await installation.start_process()
    older, _newer = await older_and_newer(installation)
    await first.kill()
    thread_id = older.partition(":")[2]
    async with another_client(installation) as other:
        await other.call("thread/resume", {"threadId": thread_id, "excludeTurns": True})
        await other.call("turn/start", {"threadId": thread_id, "input": text({"say": "missed"})})
        await ended_without_us(installation, turns=3)
    kill_codex(installation)

    async with installation.companion() as companion:
        log = await installation.log_until(older, the_second(method("turn/completed")))
        kept = await in_history(companion, older)
        loaded = json.loads(bytes(await companion.codex.call("thread/loaded/list", {})))["data"]

    assert completed(log) == kept
    assert thread_id not in loaded
    assert "desktop/turn_cut_off" not in methods(log)
    assert_sound(log)


async def test_a_turn_that_nobody_of_us_heard_of_is_said_to_be_cut_off_when_codex_died_too(
    installation: Installation,
) -> None:
    first = await installation.start_process()
    older, _newer = await older_and_newer(installation)
    await first.kill()
    thread_id = older.partition(":")[2]
    async with another_client(installation) as other:
        await other.call("thread/resume", {"threadId": thread_id, "excludeTurns": True})
        await other.call("turn/start", {"threadId": thread_id, "input": text({"shell": "echo done"}, HALF)})
        await installation.model.reached("half")
        kill_codex(installation)

    async with installation.companion():
        log = await installation.log_until(older, method("desktop/turn_cut_off"), the_second(method("turn/completed")))

    assert methods(log).count("desktop/turn_cut_off") == 1
    assert_sound(log)


async def test_a_turn_that_runs_in_an_older_thread_is_heard_to_its_end(installation: Installation) -> None:
    first = await installation.start_process()
    older, _newer = await older_and_newer(installation)
    await first.kill()
    thread_id = older.partition(":")[2]
    async with another_client(installation) as other:
        await other.call("thread/resume", {"threadId": thread_id, "excludeTurns": True})
        await other.call("turn/start", {"threadId": thread_id, "input": text(HALF)})
        await installation.model.reached("half")

        async with installation.companion():
            await installation.log_until(older, the_second(method("turn/started")))
            installation.model.open("half")
            log = await installation.log_until(older, the_second(method("turn/completed")))

    assert "backfilled" not in [event for event in log if method("turn/completed")(event)][-1].payload
    assert_sound(log)


def test_a_file_of_the_second_version_knows_which_codex_its_threads_were_of(tmp_path):
    path = tmp_path / "companion.sqlite"
    made = open_file(path)
    made.execute("insert into thread (thread_id, worker_id, active_at) values ('t', 'desktopw:t', 0)")
    bring_back(made, 2)
    made.execute("insert into setting values ('codex_incarnation', 'the-first')")
    made.close()

    again = open_file(path)

    assert again.execute("select incarnation from thread").fetchone()["incarnation"] == "the-first"
    assert again.execute("select count(*) from setting").fetchone()[0] == 0
    again.close()


@pytest.mark.parametrize("trouble", [ValueError("year 58000 is out of range"), CodexSilent("no answer in time")])
async def test_a_history_that_can_not_be_compared_keeps_no_other_from_being(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    async with installation.companion():
        workers = [await installation.start_thread() for _ in range(4)]
        for worker in workers:
            await installation.turn(worker, {"say": "one"})
            await installation.log_until(worker, method("turn/completed"))
    compare = recovery.Recovery._compare

    async def fails_for_one(self: recovery.Recovery, thread: Thread) -> None:
        if thread.worker_id == workers[2]:
            raise trouble
        await compare(self, thread)

    monkeypatch.setattr(recovery.Recovery, "_compare", fails_for_one)
    async with installation.companion() as companion:
        others = [companion.threads.of_worker(worker) for worker in workers if worker != workers[2]]
        await until(lambda: all(one is not None and one.compared for one in others))

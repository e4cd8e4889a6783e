"""Threads of every origin, a full outbox, a recorder that fails: what Codex remembers gets to the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3

import msgspec
import pytest
from tests.companion.installation import FULL_ACCESS, Installation, assert_sound, item, method, methods
from tests.companion.test_companion_ends import completed, in_history
from tests.waiting import until

from autopilot.companion.codex.connection import Connection, open_connection
from autopilot.companion.codex.messages import Message
from autopilot.ops.clock import SystemClock
from autopilot.testing.model import script

pytestmark = pytest.mark.e2e


async def ignore(_message: Message) -> None:
    return None


async def start_by_another(connection: Connection, installation: Installation, **more: object) -> str:
    params = {"cwd": str(installation.project), **FULL_ACCESS, **more}
    return msgspec.json.decode(await connection.call("thread/start", params))["thread"]["id"]


def text(*steps: dict) -> list[dict]:
    return [{"type": "text", "text": script(*steps)}]


async def test_a_thread_that_another_client_opens_on_our_codex_becomes_a_worker_and_an_ephemeral_one_never(
    installation: Installation,
) -> None:
    async with installation.companion() as companion, asyncio.TaskGroup() as tasks:
        other = await open_connection(companion.codex.server.launch.socket, ignore, clock=SystemClock())
        reading = tasks.create_task(other.run())
        await other.initialize("0")
        hidden = await start_by_another(other, installation, ephemeral=True)
        await other.call("turn/start", {"threadId": hidden, "input": text({"say": "in secret"})})
        thread_id = await start_by_another(other, installation)
        await other.call(
            "turn/start", {"threadId": thread_id, "input": text({"shell": "echo x"}, {"say": "in public"})}
        )
        log = await installation.log_until_there(f"desktopw:{thread_id}", method("turn/completed"))
        kept = await in_history(companion, f"desktopw:{thread_id}")
        await other.close()
        await reading
        workers = [worker.worker_id async for worker in installation.owner.every_worker()]

    assert workers == [f"desktopw:{thread_id}"]
    assert sorted(completed(log)) == sorted(kept)
    assert_sound(log)


async def test_what_found_no_room_in_the_outbox_is_read_from_codex_once_there_is_room(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"say": "before"})
        await installation.log_until(worker, method("turn/completed"))
        away, room = companion.client.base_url, companion.outbox._max_bytes
        companion.client._http.base_url = "http://127.0.0.1:9"  # nobody listens there
        companion.outbox._max_bytes = 0
        thread = companion.threads.of_worker(worker)
        assert thread is not None
        params = {"threadId": thread.thread_id, "input": text({"shell": "echo lost"}, {"say": "after"})}
        await companion.codex.call("turn/start", params)
        await left_out_so_far(companion.database.run)
        companion.client._http.base_url, companion.outbox._max_bytes = away, room
        log = await installation.log_until(worker, method("desktop/events_left_out"), said("after"))
        kept = await in_history(companion, worker)

    told = next(event for event in log if method("desktop/events_left_out")(event))
    assert told.payload["params"]["events"] > 0
    assert_sound(log)
    assert sorted(completed(log)) == sorted(kept)


async def left_out_so_far(run) -> None:
    """Until the turn's end, too, found no room."""

    def ended(db: sqlite3.Connection) -> bool:
        return db.execute("select active_turn is null from thread").fetchone()[0] and (
            db.execute("select count(*) from left_out").fetchone()[0] > 0
        )

    await until(lambda: run(ended))


def said(words: str):
    return lambda event: item("agentMessage")(event) and event.payload["params"]["item"]["text"] == words


async def test_when_writing_fails_the_session_begins_anew_and_nothing_is_missing(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        failing = {"left": 1}
        honest = companion.recorder.record

        async def record(events):
            if failing["left"] and any(event.method == "item/completed" for event in events):
                failing["left"] -= 1
                raise sqlite3.OperationalError("disk I/O error")
            return await honest(events)

        companion.recorder.record = record
        await installation.turn(worker, {"shell": "echo one"}, {"say": "two"})
        log = await installation.log_until(worker, method("turn/completed"), said("two"))
        kept = await in_history(companion, worker)

    assert failing["left"] == 0
    assert_sound(log)
    assert sorted(completed(log)) == sorted(kept)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
async def test_codex_and_companion_are_killed_at_random_points_and_the_history_is_in_the_ledger_exactly_once(
    installation: Installation, seed: int
) -> None:
    chance = random.Random(seed)
    process = await installation.start_process()
    worker = await installation.start_thread()
    steps = [
        {"say": f"step {n} " * 5, "delay": 0.002, "shell": f"for i in 1 2 3; do echo {n}.$i; done"} for n in range(6)
    ]
    for _ in range(3):
        await installation.turn(worker, *steps, {"say": "the end"})
        await seen(installation, worker, chance.randint(3, 60))
        victims = chance.choice([("codex",), ("companion",), ("codex", "companion")])
        if "codex" in victims:
            pid = json.loads((installation.home / "run" / "codex.json").read_text())["pid"]
            os.killpg(pid, signal.SIGKILL)
        if "companion" in victims:
            await process.kill()
            process = await installation.start_process()
        await turns_ended(installation, worker)
    await process.kill()

    async with installation.companion() as companion:
        await companion.mirror.drained(20)
        kept = await in_history(companion, worker)
        log = await installation.whole_log(worker)

    assert_sound(log)
    mirrored = completed(log)
    assert len(mirrored) == len(set(mirrored))
    assert set(kept) <= set(mirrored)
    assert methods(log).count("turn/completed") == 3


async def seen(installation: Installation, worker: str, more: int) -> None:
    """Until the log has so many more events, or the turn is over."""
    count = 0
    start = (await installation.owner.worker(worker)).latest_seq
    async with asyncio.timeout(30), installation.owner.follow(worker, cursor=start) as events:
        async for event in events:
            count += 1
            if count >= more or method("turn/completed")(event):
                return


async def turns_ended(installation: Installation, worker: str) -> None:
    """Until every turn that was begun has ended."""
    begun = ended = 0
    async with asyncio.timeout(60), installation.owner.follow(worker, cursor=0) as events:
        async for event in events:
            begun += event.payload.get("method") == "turn/start" and event.eventType == "worker.request.received"
            ended += method("turn/completed")(event)
            latest = (await installation.owner.worker(worker)).latest_seq
            if begun == ended and event.seq >= latest:
                return

"""Every violent and every clean end: nothing lost, nothing doubled, and what was cut off is said."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable

import pytest
from tests.companion.installation import PATIENCE_SECONDS, Installation, assert_sound, item, method, methods
from tests.waiting import until

from autopilot.companion import recovery
from autopilot.companion.app import Companion
from autopilot.companion.codex import connection, history
from autopilot.companion.codex.messages import CodexSilent
from autopilot.companion.database import FILE
from autopilot.companion.threads import Thread
from autopilot.contract import Envelope

pytestmark = pytest.mark.e2e
HALF = {"say": "the first half, and the second half", "gate": "half"}


async def in_history(companion: Companion, worker: str, *, limit: int = 0) -> list[str]:
    """The ids of the items that Codex itself remembers, in its order."""
    thread = companion.threads.of_worker(worker)
    assert thread is not None
    entries = history.items(companion.codex.call, thread.thread_id, limit=limit)
    return [json.loads(bytes(entry.item))["id"] async for entry in entries]


def completed(log: list[Envelope]) -> list[str]:
    return [event.payload["params"]["item"]["id"] for event in log if event.payload.get("method") == "item/completed"]


async def test_codex_killed_in_the_middle_of_a_turn_is_started_again_and_the_loss_is_said(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        outcome = await installation.turn(worker, {"shell": "echo kept"}, HALF)
        await installation.model.reached("half")
        await installation.log_until(worker, item("agentMessage", "started"))

        assert companion.codex.server.record is not None
        os.killpg(companion.codex.server.record.pid, signal.SIGKILL)
        log = await installation.log_until(worker, method("turn/completed"))
        await installation.turn(worker, {"say": "on we go"})
        log = await installation.log_until(worker, item("agentMessage"))
        kept = await in_history(companion, worker)

    turn_id = outcome.response["turn"]["id"]
    (cut,) = [event for event in log if method("desktop/turn_cut_off")(event)]
    assert cut.payload["params"]["turnId"] == turn_id
    assert cut.payload["params"]["reason"] == "codex_ended"
    assert [lost["type"] for lost in cut.payload["params"]["lostItems"]] == ["agentMessage"]
    ended = next(event for event in log if method("turn/completed")(event))
    assert (ended.payload["params"]["turn"]["status"], ended.payload["backfilled"]) == ("interrupted", True)
    assert_sound(log)
    assert set(kept) <= set(completed(await installation.whole_log(worker)))


async def test_a_companion_killed_in_the_middle_of_a_turn_does_not_end_it_and_the_next_one_loses_nothing(
    installation: Installation,
) -> None:
    first = await installation.start_process()
    worker = await installation.start_thread()
    await installation.turn(worker, {"shell": "echo before"}, HALF, {"say": "unreached"})
    await installation.model.reached("half")
    await installation.log_until(worker, item("commandExecution"))
    await first.kill()

    # Nobody listens while Codex goes on and finishes.
    installation.model.open("half")
    await ended_without_us(installation)
    async with installation.companion() as companion:
        log = await installation.log_until(worker, method("turn/completed"))
        kept = await in_history(companion, worker)

    assert_sound(log)
    assert completed(log) == kept
    assert len(kept) == 3
    assert not any(method("desktop/turn_cut_off")(event) for event in log)


async def ended_without_us(installation: Installation, *, turns: int = 1) -> None:
    """Wait until the rollouts, Codex's own files, say that so many turns are complete."""
    sessions = installation.launch.codex_home / "sessions"
    await until(lambda: sum(path.read_text().count("task_complete") for path in sessions.rglob("*.jsonl")) >= turns)


async def test_a_companion_that_comes_back_while_the_turn_still_runs_hears_the_rest_live(
    installation: Installation,
) -> None:
    first = await installation.start_process()
    worker = await installation.start_thread()
    await installation.turn(worker, {"say": "said before", "shell": "echo x"}, HALF)
    await installation.model.reached("half")
    await first.kill()

    async with installation.companion() as companion:
        thread = companion.threads.of_worker(worker)
        assert thread is not None
        assert thread.active_turn is not None
        installation.model.open("half")
        log = await installation.log_until(worker, method("turn/completed"))
        kept = await in_history(companion, worker)

    assert_sound(log)
    assert sorted(completed(log)) == sorted(kept)
    ended = next(event for event in log if method("turn/completed")(event))
    assert "backfilled" not in ended.payload


async def test_a_thread_without_a_turn_is_heard_of_again_from_its_first_turn_on(installation: Installation) -> None:
    first = await installation.start_process()
    worker = await installation.start_thread()
    await first.kill()

    async with installation.companion():
        await installation.turn(worker, {"say": "the first words"})
        log = await installation.log_until(worker, method("turn/completed"))

    assert_sound(log)
    assert [event.payload["params"]["item"]["type"] for event in log if item("agentMessage")(event)]


async def test_a_thread_that_died_with_codex_before_its_first_turn_is_said_to_be_lost(
    installation: Installation,
) -> None:
    async with installation.companion():
        worker = await installation.start_thread()
    async with installation.companion():
        log = await installation.log_until(worker, method("desktop/thread_lost"))
        outcome = await installation.turn(worker, {"say": "nobody"})

    assert "no rollout found" in log[-1].payload["params"]["reason"]
    assert outcome.state == "failed"


async def test_a_clean_end_ends_codex_says_so_and_gives_the_leases_back(installation: Installation) -> None:
    process = await installation.start_process()
    worker = await installation.start_thread()
    await installation.turn(worker, HALF)
    await installation.model.reached("half")
    pid = json.loads((installation.home / "run" / "codex.json").read_text())["pid"]

    async with asyncio.timeout(30):
        code = await process.terminate()
    log = await installation.whole_log(worker)
    said = {line["event"]: line for line in map(json.loads, process.log.read_text().splitlines()) if "event" in line}

    assert code == 0
    assert said["codex.stopped"]["alive"] is False
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert method("desktop/codex_stopped")(next(event for event in log if method("desktop/codex_stopped")(event)))
    assert log[-1].eventType == "worker.lease.released"
    snapshot = await installation.owner.worker(worker)
    assert snapshot.lease is not None
    assert snapshot.lease.state == "released"


async def test_what_codex_says_while_the_api_is_away_arrives_when_it_is_back(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, HALF, {"say": "never"})
        await installation.model.reached("half")
        away = companion.client.base_url
        companion.client._http.base_url = "http://127.0.0.1:9"  # nobody listens there
        installation.model.open("half")
        thread = companion.threads.of_worker(worker)
        assert thread is not None
        await until(lambda: thread.active_turn is None)
        during = methods(await installation.whole_log(worker))
        companion.client._http.base_url = away
        log = await installation.log_until(worker, method("turn/completed"))

    assert "turn/completed" not in during
    assert_sound(log)


async def test_a_second_companion_on_the_same_folder_is_refused(installation: Installation) -> None:
    await installation.start_process()
    await installation.start_thread()
    second = await installation.start_process()

    async with asyncio.timeout(30):
        code = await second.process.wait()

    assert code == 1
    assert "another companion runs" in second.log.read_text()


async def test_a_request_s_id_is_in_every_line_about_it(installation: Installation) -> None:
    process = await installation.start_process()
    worker = await installation.start_thread()
    outcome = await installation.turn(worker, {"say": "traced"})
    receipt = await installation.owner.receipt(worker, outcome.request_id)

    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    about = [line for line in lines if line.get("request_id") == outcome.request_id]
    assert [line["event"] for line in about] == ["request.received", "request.done"]
    assert {line["x_request_id"] for line in about} == {receipt.x_request_id}


async def never(*_arguments: object) -> None:
    await asyncio.Event().wait()


async def fails(*_arguments: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


@pytest.mark.parametrize("trouble", [never, fails])
async def test_a_companion_whose_file_takes_nothing_any_more_ends_in_time_and_gives_its_leases_back(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, trouble: Callable[..., Awaitable[None]]
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await companion.mirror.drained(20)
        for part, name in ((companion.recorder, "settle"), (companion.recorder, "record"), (companion.answers, "_end")):
            monkeypatch.setattr(part, name, trouble)
        began = time.monotonic()

    assert time.monotonic() - began < PATIENCE_SECONDS / 4
    assert (await installation.owner.worker(worker)).lease.state == "released"


@pytest.mark.parametrize("trouble", [ValueError("year 58000 is out of range"), CodexSilent("no answer in time")])
async def test_a_thread_that_can_not_be_taken_up_keeps_no_other_from_it_and_ends_no_session(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    async with installation.companion():
        workers = [await installation.start_thread() for _ in range(3)]
        for worker in workers:
            await installation.turn(worker, {"say": "one"})
            await installation.log_until(worker, method("turn/completed"))
    take_up = recovery.Recovery._take_up

    async def fails_for_the_first(self: recovery.Recovery, thread: Thread) -> None:
        if thread.worker_id == workers[-1]:
            raise trouble
        await take_up(self, thread)

    monkeypatch.setattr(recovery.Recovery, "_take_up", fails_for_the_first)
    async with installation.companion() as companion:
        await companion.codex.caught_up(PATIENCE_SECONDS)
        session = companion.codex.session
        heard = {one.worker_id for one in companion.threads if one.subscribed}
        asked = await installation.turn(workers[0], {"say": "another"})
        assert companion.codex.session is session

    assert heard == set(workers[:-1])
    assert asked.state == "completed"


async def test_a_history_too_large_for_one_page_is_read_by_smaller_ones(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await installation.start_process()
    worker = await installation.start_thread()
    await installation.turn(worker, *[{"shell": "head -c 100000 /dev/zero | tr '\\0' x"}] * 4, {"say": "done"})
    await installation.log_until(worker, method("turn/completed"))
    await first.kill()
    for file in installation.settings.data.glob(f"{FILE}*"):
        file.unlink()  # so that all of it is read again

    monkeypatch.setattr(connection, "MAX_FRAME_BYTES", 300_000)
    monkeypatch.setattr(recovery, "TURN_BYTES", 150_000)
    async with installation.companion() as companion:
        await companion.codex.caught_up(PATIENCE_SECONDS)
        thread = companion.threads.of_worker(worker)
        kept = await in_history(companion, worker, limit=1)

    assert thread is not None
    assert len(kept) == 6
    assert thread.filled == len(kept) + len(("turn/started", "turn/completed"))
    assert_sound(await installation.whole_log(worker))


async def test_what_was_held_back_and_found_no_room_is_heard_anew(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_room(_events: object) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    async with installation.companion() as companion:
        thread = companion.threads.of_worker(await installation.start_thread())
        session = companion.codex.session
        assert thread is not None
        with monkeypatch.context() as full:
            full.setattr(companion.recorder, "record", no_room)
            with pytest.raises(sqlite3.OperationalError):
                await companion.recorder.release(thread)
        await until(lambda: companion.codex.session not in (None, session), within_seconds=15)

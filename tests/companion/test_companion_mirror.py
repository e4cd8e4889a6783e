"""What the ledger's refusals mean for what waits: the real ledger refuses."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from pathlib import Path

import httpx2
import pytest
from tests.companion.installation import Installation, assert_sound, method, methods
from tests.companion.test_companion_ends import completed
from typing_extensions import override

from autopilot.client import RuntimeCodexClient
from autopilot.companion.app import Companion
from autopilot.companion.codex.messages import CodexUnavailable
from autopilot.companion.codex.translate import Event
from autopilot.companion.recovery import Recovery
from autopilot.companion.threads import Thread

pytestmark = pytest.mark.e2e


async def put(companion: Companion, worker: str, *events: Event) -> None:
    await companion.database.run(lambda db: companion.outbox.put(db, worker, events))
    companion.mirror.wake()


def event(event_id: str, event_type: str = "worker.event", **more: object) -> Event:
    payload = {"source": "autopilot-desktop", "method": f"desktop/{event_id}", "params": {}, **more}
    return Event("t", event_type, f"desktop/{event_id}", event_id, json.dumps(payload).encode())


async def test_one_event_that_the_ledger_will_never_take_is_told_in_its_place_and_holds_up_no_other(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        good = [event(f"good-{number}") for number in range(6)]
        await put(companion, worker, *good[:3], event("bad", event_type="bogus"), *good[3:])
        log = await installation.log_until(worker, method("desktop/good-5"), method("desktop/event_refused"))

    (told,) = [one.payload["params"] for one in log if method("desktop/event_refused")(one)]
    assert (told["refused"]["event_id"], told["error"]["code"]) == ("bad", "invalid_request")
    assert [name for name in methods(log) if "good" in name] == [f"desktop/good-{number}" for number in range(6)]
    assert_sound(log)


class Between(httpx2.AsyncHTTPTransport):
    """What stands between a machine and the server, and says no in its name to the first appends that it sees."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.left = refusals

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.left and request.url.path.endswith("/events"):
            self.left -= 1
            return httpx2.Response(403, html="<h1>Access denied</h1>")
        return await super().handle_async_request(request)


async def test_no_event_is_given_up_for_what_somebody_else_answers_in_the_servers_place(
    installation: Installation,
) -> None:
    between = Between(0)
    async with installation.companion(between) as companion:
        worker = await installation.start_thread()
        between.left = 3
        await put(companion, worker, event("one"), event("two"))
        log = await installation.log_until(worker, method("desktop/two"))

    assert between.left == 0
    assert [name for name in methods(log) if name in {"desktop/one", "desktop/two"}] == ["desktop/one", "desktop/two"]
    assert not [one for one in log if method("desktop/event_refused")(one)]
    assert_sound(log)


async def test_an_event_that_the_ledger_has_in_other_words_is_left_as_the_ledger_has_it(
    installation: Installation,
) -> None:
    def forget(db: sqlite3.Connection) -> None:
        companion.outbox.forget(db, worker, "twice")

    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await put(companion, worker, event("twice", version=1))
        await installation.log_until(worker, method("desktop/twice"))
        await companion.database.run(forget)
        await put(companion, worker, event("before"), event("twice", version=2), event("after"))
        log = await installation.log_until(worker, method("desktop/after"))

    (kept,) = [one for one in log if one.eventId == "twice"]
    assert kept.payload["version"] == 1
    assert_sound(log)


async def test_an_event_over_the_ledger_s_limit_is_told_to_be_too_large(installation: Installation) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await put(companion, worker, event("huge", text="x" * (4 * 1024 * 1024)), event("after"))
        log = await installation.log_until(worker, method("desktop/event_too_large"), method("desktop/after"))

    (told,) = [one.payload["params"] for one in log if method("desktop/event_too_large")(one)]
    assert told["refused"]["event_id"] == "huge"
    assert told["bytes"] > 4 * 1024 * 1024


async def test_a_worker_that_the_runtime_does_not_know_any_more_is_made_again_with_its_whole_history(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"shell": "echo one"}, {"say": "two"})
        before = await installation.log_until(worker, method("turn/completed"))
        await companion.mirror.drained(20)
        async with installation.served.pool.acquire() as connection, connection.transaction():
            # The ledger's own order of locks.
            await connection.execute("select 1 from runtime.machine for update")
            await connection.execute("select 1 from runtime.worker_head for update")
            await connection.execute("delete from runtime.worker")
        await put(companion, worker, event("after"))
        log = await installation.log_until_there(worker, method("desktop/after"), method("turn/completed"))

    assert log[0].eventType == "worker.started"
    assert completed(log) == completed(before)
    assert_sound(log)


class Narrow(httpx2.AsyncHTTPTransport):
    """What stands between a machine and the server, and lets no answer to a request through, for its size."""

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("/events") and b'"worker.response"' in await request.aread():
            return httpx2.Response(413, html="<h1>Request Entity Too Large</h1>")
        return await super().handle_async_request(request)


async def test_a_request_whose_answer_the_ledger_will_never_have_ends_and_says_why(installation: Installation) -> None:
    async with installation.companion(Narrow()):
        worker = await installation.start_thread()
        outcome = await installation.owner.request(worker, "thread/read", {}, wait_ms=20_000)

    assert (outcome.ok, outcome.state) == (False, "failed")
    assert outcome.error is not None
    assert outcome.error["code"] == "response_refused"


async def test_what_the_ledger_lost_is_read_again_also_by_the_companion_after_the_one_that_could_not(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def codex_is_away(_recovery: Recovery, _thread: Thread) -> None:
        raise CodexUnavailable("not connected")

    monkeypatch.setattr(Recovery, "reread", codex_is_away)
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"say": "one"})
        await installation.log_until(worker, method("turn/completed"))
        generation = companion.leases.generation(worker)
        assert generation is not None
        await companion.leases.lost(worker, "unknown", generation)
    monkeypatch.undo()

    async with installation.companion():
        log = await installation.log_until(worker, method("desktop/history_sent_again"))

    assert methods(log).count("desktop/history_sent_again") == 1


async def test_a_lease_that_was_given_back_at_the_end_is_not_claimed_again_for_what_still_waits(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        assert await companion.leases.until_held(worker, 30)
        await companion.leases.release_all()
        await put(companion, worker, event("too-late"))
        again = await companion.leases.until_held(worker, 2)
    log = await installation.whole_log(worker)

    assert not again
    assert log[-1].eventType == "worker.lease.released"


@pytest.mark.parametrize("codex_has_it", [True, False], ids=["kept", "lost by Codex"])
async def test_a_claim_whose_answer_was_lost_is_made_again_as_soon_as_codex_can_say_who_writes(
    installation: Installation, tmp_path: Path, *, codex_has_it: bool
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        assert await companion.leases.until_held(worker, 30)
        if codex_has_it:  # it keeps no thread that never had a turn
            await installation.turn(worker, {"say": "hello"})
            await installation.log_until(worker, method("turn/completed"))
        await companion.leases.release_all()
        await put(companion, worker, event("waits"))
    async with RuntimeCodexClient(installation.served.url, installation.machine_token, surface="companion") as client:
        lost = await client.claim_lease(
            worker, installation.machine_id, ttl_ms=60_000
        )  # and nobody wrote down that it was ours
        await client.release_lease(worker, installation.machine_id, lost.generation)

    slow = tmp_path / "codex"
    slow.write_text(f'#!/bin/sh\nsleep 2\nexec "{installation.launch.binary.path}" "$@"\n')
    slow.chmod(0o755)
    binary = dataclasses.replace(installation.launch.binary, path=slow)
    installation.launch = dataclasses.replace(installation.launch, binary=binary)
    async with installation.companion() as companion:
        held = await companion.leases.until_held(worker, 10)
        log = await installation.log_until(worker, method("desktop/waits"))

    assert held
    assert methods(log).count("desktop/waits") == 1

"""Stopping (docs/runtime-contract.md, "Stop")."""

from __future__ import annotations

import pytest

from autopilot.testing.machines import Companion, ask, leased, receipt
from autopilot.testing.runtime import OBSERVER, STRANGER, call, frames, insert_worker


async def stop(runtime, body=None, **options):
    return await call(runtime, "POST", "/workers/w/stop", body if body is not None else {}, **options)


async def run_out(runtime):
    await runtime.pool.execute("update lease set expires_at = clock_timestamp() - interval '1 second'")


async def test_a_worker_never_leased_is_stopped_at_once_and_again_the_same(runtime):
    await insert_worker(runtime, "w")

    first = await stop(runtime, {"reason": "enough"})
    again = await stop(runtime)

    assert (first.status, first.data) == (202, {"worker_id": "w", "status": "stopped", "idempotent_replay": False})
    assert (again.status, again.data) == (200, {"worker_id": "w", "status": "stopped", "idempotent_replay": True})
    (end,) = await frames(runtime, "w")
    assert (end["eventType"], end["payload"]["reason"], end["payload"]["verified"]) == (
        "worker.stopped",
        "enough",
        True,
    )


async def test_a_leased_worker_is_asked_to_stop_and_its_executors_word_ends_it(runtime):
    companion = await leased(runtime)

    first = await stop(runtime, {"reason": "enough"})
    again = await stop(runtime)
    (entry,) = await companion.feed()
    await companion.append("w", "worker.stopped", "end", reason="enough")
    over = await stop(runtime)

    assert (first.status, first.data["status"], first.data["idempotent_replay"]) == (202, "stopping", False)
    assert (again.status, again.data["status"], again.data["idempotent_replay"]) == (202, "stopping", True)
    assert entry["body"]["method"] == "worker/stop"
    assert entry["body"]["params"] == {"reason": "enough", "force": False}
    assert entry["body"]["expires_at"] is None
    assert over.status == 200
    assert (await receipt(runtime, entry["request_id"]))["state"] == "completed"


async def test_a_worker_whose_lease_was_released_is_stopped_at_once(runtime):
    companion = await leased(runtime)
    await companion.release("w")

    assert (await stop(runtime)).data["status"] == "stopped"


async def test_an_expired_lease_is_no_released_one(runtime):
    companion = await leased(runtime)
    await run_out(runtime)

    answer = await stop(runtime)
    await companion.claim("w")
    (entry,) = await companion.feed()

    assert (answer.status, answer.data["status"], answer.data["machine_unreachable"]) == (202, "stopping", True)
    assert entry["body"]["method"] == "worker/stop"


async def test_a_stop_overtakes_everything_that_waits(runtime):
    companion = await leased(runtime)
    for n in range(3):
        await ask(runtime, "turn/start", f"r{n}")
    await stop(runtime)

    entries = await companion.feed()

    assert [(entry["id"], entry["body"]["method"]) for entry in entries] == [
        (None, "worker/stop"),
        (1, "turn/start"),
        (2, "turn/start"),
        (3, "turn/start"),
        (4, "worker/stop"),
    ]
    assert entries[0]["request_id"] == entries[4]["request_id"]


async def test_by_force_the_log_is_closed_at_once_unverified_and_the_machine_learns_of_it(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1")

    answer = await stop(runtime, {"force": True})
    late = await companion.append("w", "worker.event", "late")

    assert (answer.status, answer.data["status"]) == (202, "stopped")
    end = (await frames(runtime, "w"))[-1]
    assert (end["eventType"], end["payload"]["verified"], end["payload"]["forced"]) == ("worker.stopped", False, True)
    assert (await receipt(runtime, "r1"))["state"] == "rejected"
    assert late.status == 409
    assert [entry["body"]["eventType"] for entry in await companion.feed() if entry["kind"] == "event"] == [
        "worker.stopped",
        "worker.stopped",
    ]


async def test_a_stop_that_waits_moves_on_with_the_worker(runtime):
    first = await leased(runtime)
    await stop(runtime)
    await first.feed()
    await run_out(runtime)
    second = type(first)(runtime, "m2")
    await second.register()

    await second.claim("w")

    assert [entry["body"]["method"] for entry in await second.feed()] == ["worker/stop"]


async def test_a_span_that_begins_again_has_a_stop_of_its_own(runtime):
    companion = await leased(runtime)
    await stop(runtime)
    await companion.append("w", "worker.stopped", "end-1")
    await call(runtime, "POST", "/workers", {"worker_id": "w"})
    await companion.claim("w")

    answer = await stop(runtime)

    assert (answer.status, answer.data["status"]) == (202, "stopping")
    names = [row[0] for row in await runtime.pool.fetch("select request_id from receipt where method = 'worker/stop'")]
    assert len(set(names)) == 2


@pytest.mark.parametrize("body", [{"reason": "r" * 256}, {"reason": 1}, {"force": "yes"}])
async def test_a_stop_with_a_wrong_value_is_unprocessable(runtime, body):
    await insert_worker(runtime, "w")

    assert (await stop(runtime, body)).status == 422


async def test_nobody_else_stops_it(runtime):
    await insert_worker(runtime, "w")

    assert [(await stop(runtime, claims=claims)).status for claims in (STRANGER, OBSERVER)] == [403, 403]
    assert await frames(runtime, "w") == []


async def test_a_request_under_the_stops_own_id_does_not_keep_a_worker_from_being_stopped(runtime):
    await call(runtime, "POST", "/workers", {"worker_id": "w"})
    companion = Companion(runtime)
    await companion.register()
    await companion.claim("w")
    await ask(runtime, "thread/read", "stop:1")

    assert (await stop(runtime)).data["status"] == "stopping"

    asked = {entry["body"]["method"] for entry in await companion.feed()}
    assert asked == {"thread/read", "worker/stop"}

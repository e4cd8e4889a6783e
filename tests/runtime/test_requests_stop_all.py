"""Stopping everything (docs/protocol.md, "Stop")."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from autopilot.contract.errors import Forbidden
from autopilot.runtime import requests_stop
from autopilot.testing.machines import Companion, receipt
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, Answer, call, frames, insert_worker

MACHINES = 3
WORKERS = 30


async def stop_all(runtime, body: object = None, **options: Any) -> Answer:
    return await call(runtime, "POST", "/stop-all", {} if body is None else body, **options)


async def machine_with(runtime, machine_id: str, *worker_ids: str) -> Companion:
    companion = Companion(runtime, machine_id)
    await companion.register()
    for worker_id in worker_ids:
        await insert_worker(runtime, worker_id)
        await companion.claim(worker_id)
    return companion


async def obey(companion: Companion, stops: int) -> None:
    """End what one is asked to end, as a companion does."""
    asked: set[str] = set()
    async with companion.following() as entries:
        async for entry in entries:
            worker_id = entry["worker_id"]
            if entry["kind"] != "request" or worker_id in asked:
                continue
            asked.add(worker_id)
            await companion.append(
                worker_id, "worker.stopped", f"stopped:{worker_id}", request_id=entry["request_id"], verified=True
            )
            if len(asked) == stops:
                return


async def test_thirty_workers_on_three_machines_are_stopped_each_with_a_receipt(runtime):
    names = [f"w{number:02}" for number in range(WORKERS)]
    companions = [await machine_with(runtime, f"m{number}", *names[number::MACHINES]) for number in range(MACHINES)]
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for companion in companions:
            tasks.create_task(obey(companion, WORKERS // MACHINES))
        answer = await stop_all(runtime, {"reason": "fire"})

    assert (answer.status, answer.data["stopped"], answer.data["stopping"]) == (202, 0, WORKERS)
    assert [one["worker_id"] for one in answer.data["workers"]] == names
    for one in answer.data["workers"]:
        told = await receipt(runtime, one["request_id"], path=f"/workers/{one['worker_id']}")
        assert told["state"] == "completed"
        assert told["params"]["reason"] == "fire"
        assert told["response"]["verified"] is True
        assert (await frames(runtime, one["worker_id"]))[-1]["eventType"] == "worker.stopped"
    assert (await stop_all(runtime)).data == {"workers": [], "stopped": 0, "stopping": 0}


async def test_what_is_stopping_is_told_again_and_asked_once(runtime):
    companion = await machine_with(runtime, "m1", "w1")

    first = await stop_all(runtime)
    again = await stop_all(runtime)

    (asked,), (told,) = first.data["workers"], again.data["workers"]
    assert asked == {
        "worker_id": "w1",
        "status": "stopping",
        "request_id": asked["request_id"],
        "machine_unreachable": False,
        "idempotent_replay": False,
        "error": None,
    }
    assert told == asked | {"idempotent_replay": True}
    assert len({entry["request_id"] for entry in await companion.feed()}) == 1


async def test_of_a_machine_that_is_away_it_is_said_that_it_is_not_done_and_it_is_done_first_when_it_returns(runtime):
    companion = await machine_with(runtime, "m1", "w1")
    await runtime.pool.execute("update lease set expires_at = clock_timestamp() - interval '1 second'")
    await insert_worker(runtime, "w2")

    answer = await stop_all(runtime)
    await companion.claim("w1")
    (entry,) = await companion.feed()

    assert {one["worker_id"]: (one["status"], one["machine_unreachable"]) for one in answer.data["workers"]} == {
        "w1": ("stopping", True),
        "w2": ("stopped", False),
    }
    assert (answer.data["stopped"], answer.data["stopping"]) == (1, 1)
    assert entry["body"]["method"] == "worker/stop"


async def test_by_force_every_log_is_closed_at_once(runtime):
    await machine_with(runtime, "m1", "w1", "w2")

    answer = await stop_all(runtime, {"force": True})

    assert (answer.data["stopped"], answer.data["stopping"]) == (2, 0)
    for worker_id in ("w1", "w2"):
        assert (await frames(runtime, worker_id))[-1]["payload"]["verified"] is False


async def test_it_stops_ones_own_only_and_takes_the_scope_to_administer(runtime):
    await insert_worker(runtime, "mine")
    await insert_worker(runtime, "theirs", STRANGER)

    refused = [await stop_all(runtime, claims=claims) for claims in (OBSERVER, Companion(runtime).claims)]
    answer = await stop_all(runtime)

    assert [(one.status, one.reason) for one in refused] == [(403, "scope")] * 2
    assert [one["worker_id"] for one in answer.data["workers"]] == ["mine"]
    assert await frames(runtime, "theirs") == []


async def test_a_worker_that_could_not_be_asked_says_why_and_keeps_no_other_waiting(
    runtime, monkeypatch: pytest.MonkeyPatch
):
    await insert_worker(runtime, "w1")
    await insert_worker(runtime, "w2")
    stop = requests_stop.stop

    async def refuse(ledger, requests, asker, worker_id, reason, *, force):
        if worker_id == "w1":
            raise Forbidden("a rule says no", reason_code="policy_denied.stop")
        return await stop(ledger, requests, asker, worker_id, reason, force=force)

    monkeypatch.setattr(requests_stop, "stop", refuse)
    answer = await stop_all(runtime, claims=OWNER)

    first, second = answer.data["workers"]
    assert (first["status"], first["error"]["details"][0]["reason_code"]) == (None, "policy_denied.stop")
    assert (second["status"], second["error"]) == ("stopped", None)

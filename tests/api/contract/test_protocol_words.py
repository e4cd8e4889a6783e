"""Sentences of docs/protocol.md that have no test elsewhere (tests/requirements.toml)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from tests.api.contract.world import Person, World

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
TURN = {"request_id": "r", "method": "turn/start", "params": {"input": []}}


def times(value: Any, name: str = "") -> dict[str, Any]:
    """Every value of an answer whose name says that it is a time."""
    if isinstance(value, dict):
        return {path: time for key, item in value.items() for path, time in times(item, key).items()}
    if isinstance(value, list):
        return {path: time for item in value for path, time in times(item, name).items()}
    return {name: value} if name.endswith(("_at", "edAt")) else {}


async def test_ids_are_case_sensitive(ada: Person):
    worker = await ada.open_worker()

    other = await ada.post("/workers", {"worker_id": worker.upper()})

    assert (other.status_code, other.json()["data"]["workerId"]) == (202, worker.upper())
    assert (await ada.get(f"/workers/{worker.title()}")).status_code == 404


async def test_times_are_utc_absent_values_null_and_seqs_numbers(ada: Person):
    machine = await ada.machine()
    await machine.post(f"/workers/{ada.worker_id}/lease", {"machine_id": machine.worker_id})
    await ada.post(f"/workers/{ada.worker_id}/requests?wait_ms=0", {"request": TURN})

    snapshot = (await ada.get(f"/workers/{ada.worker_id}")).json()["data"]
    receipt = (await ada.get(f"/workers/{ada.worker_id}/requests/r")).json()["data"]
    log = (await ada.get(f"/workers/{ada.worker_id}/events")).json()["data"]
    machines = (await ada.get("/machines")).json()["data"]

    found = [times(answer) for answer in (snapshot, receipt, log, machines)]
    assert all(found)
    for name, time in (item for answer in found for item in answer.items()):
        assert time is None or INSTANT.fullmatch(time), (name, time)
    assert snapshot["stopped_at"] is receipt["ended_at"] is receipt["response"] is None
    assert isinstance(snapshot["latest_seq"], int)
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))


async def test_an_access_token_given_out_before_a_refresh_stays_good(world: World):
    signed = await world.api.sign_in("early@example.org")
    early = Person(world, "early@example.org", signed["userId"], signed["token"])

    refreshed = await world.api.client.post("/api/auth/refresh", json={"refresh_token": signed["refresh_token"]})

    assert refreshed.status_code == 200
    assert (await early.get("/workers")).status_code == 200


async def test_whatever_is_repeated_with_its_id_takes_effect_once(ada: Person):
    path = f"/workers/{ada.worker_id}"
    event = {"event": {"event_type": "worker.event", "event_id": "e", "payload": {"n": 1}}}

    for call, body in (("/events", event), ("/requests?wait_ms=0", {"request": TURN})):
        first, again = await ada.post(path + call, body), await ada.post(path + call, body)
        assert first.status_code == again.status_code == 202
    created = await ada.post("/workers", {"worker_id": ada.worker_id})

    log = (await ada.get(f"{path}/events")).json()["data"]
    assert [item["eventType"] for item in log] == ["worker.started", "worker.event", "worker.request.received"]
    assert (created.status_code, created.json()["data"]["idempotentReplay"]) == (200, True)


async def test_a_request_that_is_asked_again_is_handed_over_once(ada: Person):
    machine = await ada.machine()
    await machine.post(f"/workers/{ada.worker_id}/lease", {"machine_id": machine.worker_id})
    for _ in range(3):
        await ada.post(f"/workers/{ada.worker_id}/requests?wait_ms=0", {"request": TURN})

    feed = await machine.get(f"/machines/{machine.worker_id}/feed?tail_ms=100")

    assert feed.text.count("event: codex.feed.request") == 1


@pytest.mark.parametrize(("state", "ok"), [("indeterminate", None), ("rejected", False)])
async def test_an_end_that_nobody_can_know_is_neither_ok_nor_not_ok(ada: Person, state: str, ok: bool | None):  # noqa: FBT001 - a table's column
    machine = await ada.machine()
    await machine.post(f"/workers/{ada.worker_id}/lease", {"machine_id": machine.worker_id})
    path = f"/workers/{ada.worker_id}/requests?wait_ms=0"
    waiting = await ada.post(path, {"request": TURN})
    await machine.get(f"/machines/{machine.worker_id}/feed?tail_ms=1")
    report = {"worker_id": ada.worker_id, "request_id": "r", "state": state}
    await machine.post(f"/machines/{machine.worker_id}/receipts", {"receipts": [report]})

    ended = await ada.post(path, {"request": TURN})

    assert (waiting.status_code, waiting.json()["data"]["state"]) == (202, "accepted")
    assert ended.status_code == 200
    assert (ended.json()["data"]["state"], ended.json()["data"]["ok"]) == (state, ok)


async def test_a_machine_is_asked_for_what_concerns_no_worker(ada: Person):
    machine = await ada.machine()
    ask = {"request": {"request_id": "m", "method": "thread/list"}}

    asked = await ada.post(f"/machines/{machine.worker_id}/requests?wait_ms=0", ask)
    receipt = await ada.get(f"/machines/{machine.worker_id}/requests/m")

    assert asked.status_code == 202
    assert receipt.json()["data"]["state"] == "accepted"
    assert machine.worker_id in {found["machine_id"] for found in (await ada.get("/machines")).json()["data"]}

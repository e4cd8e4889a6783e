"""For every endpoint and method, another principal's worker and machine are refused, and nothing about them leaks."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.contract.world import Person, announce, ask, error, lease, store

from autopilot.api.http import paths

SECRET = "the-secret-of-ada"
BODIES: dict[str, Any] = {
    "/workers/{worker_id}/events": {"event": {"event_type": "worker.event", "payload": {}}},
    "/workers/{worker_id}/requests": {"request": {"request_id": "r1", "method": "turn/start"}},
    "/workers/{worker_id}/lease": {"machine_id": "{eve_machine}", "ttl_ms": 60000},
    "/workers/{worker_id}/lease/release": {"machine_id": "{eve_machine}", "generation": 1},
    "/machines/{machine_id}/heartbeat": {"desktop_session_id": "d", "workers": []},
    "/machines/{machine_id}/feed/ack": {"cursor": 0},
    "/machines/{machine_id}/requests": {"request": {"request_id": "r1", "method": "thread/list"}},
    "/machines/{machine_id}/receipts": {
        "receipts": [{"worker_id": None, "request_id": "r1", "state": "completed", "response": {}}]
    },
    "/workers/{worker_id}/artifacts": {"artifacts": [{"artifact_id": "0" * 32, "offset": 0, "text": "x"}]},
    "/approvals/{approval_id}/decision": {"option_id": "accept"},
}
OWNED = [(m, path) for methods, path, _ in paths.TABLE if "{" in path for m in methods.split()]


async def settled(ada: Person) -> tuple[str, Person, dict[str, str]]:
    """Ada's worker, machine, approval and artifact, with something in them to leak."""
    machine = await ada.machine()
    worker = await ada.open_worker(workspace_ref=SECRET, metadata={"x": SECRET})
    await ada.append(worker, text=SECRET)
    body = {"request": {"request_id": "r1", "method": "turn/start", "params": {"x": SECRET}}}
    assert (await ada.post(f"/workers/{worker}/requests?wait_ms=0", body)).status_code == 202
    body["request"]["method"] = "thread/list"
    assert (await ada.post(f"/machines/{machine.worker_id}/requests?wait_ms=0", body)).status_code == 202
    await lease(machine, worker)
    approval_id = await ask(machine, worker, title=SECRET, evidence={"reason": SECRET})
    artifact_id = await announce(machine, worker, SECRET)
    await store(machine, worker, SECRET)
    return worker, machine, {"approval_id": approval_id, "artifact_id": artifact_id}


@pytest.mark.parametrize(("method", "path"), OWNED)
@pytest.mark.parametrize("who", ["a user", "a machine"])
async def test_what_is_anothers_is_refused_and_does_not_leak(
    ada: Person, eve: Person, method: str, path: str, who: str
):
    worker, machine, ids = await settled(ada)
    eve_machine = await eve.machine()
    caller = eve if who == "a user" else eve_machine
    before = (await ada.get(f"/workers/{worker}")).json()["data"]
    body = BODIES.get(path)
    if body and "machine_id" in body:
        body = {**body, "machine_id": eve_machine.worker_id}
    url = path.format(worker_id=worker, machine_id=machine.worker_id, request_id="r1", **ids)

    answer = await caller.call(method, url, **({"json": body} if method == "POST" and body else {}))

    error(answer, 403, "forbidden")
    assert SECRET not in answer.text
    assert ada.email not in answer.text
    after = (await ada.get(f"/workers/{worker}")).json()["data"]
    assert {k: after[k] for k in ("latest_seq", "status", "updated_at", "lease", "pending_approvals")} == {
        k: before[k] for k in ("latest_seq", "status", "updated_at", "lease", "pending_approvals")
    }


async def test_a_list_holds_ones_own_only(ada: Person, eve: Person):
    worker, machine, _ = await settled(ada)

    mine = (await ada.get("/workers")).json()["data"]
    theirs = await eve.get("/workers?limit=200")
    assert worker in {one["worker_id"] for one in mine}
    assert {one["worker_id"] for one in theirs.json()["data"]} == {eve.worker_id}
    assert SECRET not in theirs.text
    machines = await eve.get("/machines")
    assert machine.worker_id not in machines.text
    asked_of_eve = await eve.get("/approvals?state=all")
    assert asked_of_eve.json() == {"data": [], "next": None}
    assert [one["worker_id"] for one in (await ada.get("/approvals")).json()["data"]] == [worker]


async def test_anothers_worker_does_not_narrow_a_list_of_approvals(ada: Person, eve: Person):
    worker, _, _ = await settled(ada)

    answer = await eve.get(f"/approvals?state=all&worker_id={worker}")
    error(answer, 403, "forbidden", "role")
    assert SECRET not in answer.text
    error(await eve.get("/approvals?worker_id=nowhere"), 404, "not_found")
    error(await eve.get("/approvals/ap_nowhere"), 404, "not_found", "no_such_approval")


async def test_anothers_worker_is_not_reattached_and_its_machine_not_taken_over(ada: Person, eve: Person):
    worker, machine, _ = await settled(ada)

    answer = await eve.post("/workers", {"worker_id": worker, "workspace_ref": "mine now"})
    error(answer, 403, "forbidden")
    assert SECRET not in answer.text
    imposter = await eve.world.api.mint(eve.email, "execute", machine_id=machine.worker_id, surface="companion")
    taken = await eve.world.api.client.post(
        "/api/runtime/codex/machines",
        json={"machine_id": machine.worker_id, "name": "x"},
        headers={"authorization": f"Bearer {imposter.token}"},
    )
    error(taken, 403, "forbidden")
    feed = await eve.world.api.client.get(
        f"/api/runtime/codex/machines/{machine.worker_id}/feed?tail_ms=1",
        headers={"authorization": f"Bearer {imposter.token}"},
    )
    error(feed, 403, "forbidden")


async def test_a_users_own_token_is_no_executors(ada: Person):
    machine = await ada.machine()

    error(await ada.get(f"/machines/{machine.worker_id}/feed?tail_ms=1"), 403, "forbidden")
    error(
        await ada.post(f"/workers/{ada.worker_id}/lease", {"machine_id": machine.worker_id, "ttl_ms": 60000}),
        403,
        "forbidden",
    )


async def test_one_machine_does_not_read_anothers_feed_though_both_are_ones_own(ada: Person):
    first, second = await ada.machine(), await ada.machine()

    error(await first.get(f"/machines/{second.worker_id}/feed?tail_ms=1"), 403, "forbidden")
    body = {"desktop_session_id": "d", "workers": []}
    error(await first.post(f"/machines/{second.worker_id}/heartbeat", body), 403, "forbidden")

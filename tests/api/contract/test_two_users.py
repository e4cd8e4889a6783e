"""What lists show and what an imposter gets: nothing of another's. Each endpoint is in the access matrix."""

from __future__ import annotations

from tests.api.contract.world import Person, announce, ask, error, lease, store

SECRET = "the-secret-of-ada"


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

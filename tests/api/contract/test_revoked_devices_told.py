"""A session ends in the API, and the runtime rejects what its device asked for: as one process, and as two."""

from __future__ import annotations

import asyncio

import pytest
from tests.api.contract.world import Person, World


@pytest.fixture
async def desk(ada: Person) -> Person:
    """Ada's machine, which reads no feed: it holds her worker."""
    machine = await ada.machine()
    answer = await machine.post(f"/workers/{ada.worker_id}/lease", {"machine_id": machine.worker_id})
    assert answer.status_code == 200, answer.text
    return machine


async def asked(who: Person, path: str, request_id: str) -> str:
    """The path of a receipt that waits."""
    body = {"request": {"request_id": request_id, "method": "turn/start", "params": {"input": []}}}
    answer = await who.post(f"{path}/requests?wait_ms=0", body)
    assert answer.status_code == 202, answer.text
    return f"{path}/requests/{request_id}"


async def rejected(who: Person, path: str) -> dict:
    """The receipt, once it is rejected."""
    async with asyncio.timeout(30):
        while (stored := (await who.get(path)).json()["data"])["state"] == "accepted":  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0)
    assert stored["state"] == "rejected", stored
    return stored


async def another_device(who: Person) -> Person:
    signed = await who.world.api.sign_in(who.email)
    return Person(who.world, who.email, who.user_id, signed["token"], who.worker_id)


async def all_told(world: World) -> None:
    async with asyncio.timeout(30):
        while await world.api.pool.fetchval("select count(*) from api.untold_revocation"):  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0)


async def test_signing_out_rejects_what_nobody_took_yet(ada, desk):
    phone = await another_device(ada)
    of_worker = await asked(phone, f"/workers/{ada.worker_id}", "lost")
    of_machine = await asked(phone, f"/machines/{desk.worker_id}", "lost")
    of_another = await asked(ada, f"/workers/{ada.worker_id}", "kept")

    assert (await phone.post("/api/auth/signout")).status_code == 200

    assert (await rejected(ada, of_worker))["error"]["code"] == "device_revoked"
    assert (await rejected(ada, of_machine))["error"]["code"] == "device_revoked"
    assert (await ada.get(of_another)).json()["data"]["state"] == "accepted"
    log = (await ada.get(f"/workers/{ada.worker_id}/events")).json()["data"]
    told = [event for event in log if event["eventType"] == "worker.request.rejected"]
    assert [(event["payload"]["request_id"], event["payload"]["reason_code"]) for event in told] == [
        ("lost", "device_revoked")
    ]
    await all_told(ada.world)


async def test_a_refresh_token_used_by_two_ends_the_session_and_what_it_asked_for(ada, desk):
    signed = await ada.world.api.sign_in(ada.email)
    thief = Person(ada.world, ada.email, ada.user_id, signed["token"], ada.worker_id)
    path = await asked(thief, f"/workers/{ada.worker_id}", "stolen")
    first = signed["refresh_token"]
    second = (await refreshed(ada, first)).json()["refresh_token"]
    assert (await refreshed(ada, second)).status_code == 200

    again = await refreshed(ada, first)

    assert (again.status_code, again.json()["error"]["details"][0]["reason_code"]) == (401, "sign_in_again")
    assert (await rejected(ada, path))["error"]["code"] == "device_revoked"
    await all_told(ada.world)


async def refreshed(who: Person, token: str):
    return await who.world.api.client.post("/api/auth/refresh", json={"refresh_token": token})


async def test_no_public_path_leads_to_it(ada):
    answer = await ada.post("/devices/dev_1/revoked")

    assert answer.status_code == 404

"""Who waits for an answer to a request gets none once they may not ask any more: as one process, and as two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from tests.api.contract.test_lost_roles_told import WAYS, lose
from tests.api.contract.test_revoked_devices_told import another_device
from tests.api.contract.test_team_roles import shared
from tests.api.contract.world import Person, error, lease
from tests.waiting import until

from autopilot.contract.errors import Unauthorized

GENEROUS_SECONDS = 30.0
"""Of a loaded machine; the promise to users is 2 s, and the wait asked for a minute."""

ENDED = "update api.session set ended_at = clock_timestamp(), end_reason = 'revoked' where device_id = $1"
"""What another node does; it tells the runtime, too."""


async def told_while(who: Person, path: str, change: Callable[[], Awaitable[Any]]) -> httpx2.Response:
    """The answer of a call that waits while this changes."""
    body = {"request": {"request_id": "waits", "method": "turn/start", "params": {"input": []}}}
    waiters = who.world.runtime.machines.waiters
    async with asyncio.timeout(GENEROUS_SECONDS), asyncio.TaskGroup() as group:
        waiting = group.create_task(who.post(f"{path}/requests?wait_ms=60000", body, timeout=None))
        target = path.rsplit("/", 1)[-1]
        await until(lambda: any(identity[1] == target for identity in waiters._waiting))
        await change()
        return await waiting


async def state(who: Person, path: str) -> str:
    return (await who.get(f"{path}/requests/waits")).json()["data"]["state"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_wait_ends_with_the_role_by_which_it_was_asked(ada: Person, way: str):
    case = await shared(ada)
    path = f"/workers/{case.worker_id}"

    answer = await told_while(case.team["operator"], path, lambda: lose(ada, case, way))

    error(answer, 403, "forbidden", "role")
    assert await state(ada, path) == "rejected"


@pytest.mark.parametrize("target", ["worker", "machine"])
@pytest.mark.parametrize("way", ["revoked", "signed out", "ended on another node"])
async def test_a_wait_ends_with_the_session_that_asked(ada: Person, way: str, target: str):
    machine, worker_id = await ada.machine(), await ada.open_worker()
    await lease(machine, worker_id)
    path = f"/workers/{worker_id}" if target == "worker" else f"/machines/{machine.worker_id}"
    phone = await another_device(ada)
    device_id = (await phone.get("/api/me")).json()["device"]["device_id"]

    async def end() -> None:
        if way == "revoked":
            assert (await ada.post(f"/api/devices/{device_id}/revoke", {})).status_code == 200
        elif way == "signed out":
            assert (await phone.post("/api/auth/signout")).status_code == 200
        else:
            await ada.world.api.pool.execute(ENDED, device_id)

    answer = await told_while(phone, path, end)

    error(answer, 401, "unauthorized", "token_refused")
    if way != "ended on another node":
        await until(lambda: is_rejected(ada, path))


async def is_rejected(who: Person, path: str) -> bool:
    return await state(who, path) == "rejected"


async def test_an_answer_that_comes_after_the_session_ended_unnoticed_is_given_to_nobody(ada: Person):
    """The look at open waits has not come by: the answer itself is preceded by one."""
    phone = await another_device(ada)
    device_id = (await phone.get("/api/me")).json()["device"]["device_id"]
    watch = ada.world.api.app.state.api.watch
    grant = await ada.world.api.app.state.api.grants.find(phone.token)
    await ada.world.api.pool.execute(ENDED, device_id)

    with pytest.raises(Unauthorized):
        async with watch.waiting(replace(grant, good_until=0.0)):
            pass


async def test_a_wait_of_a_session_that_goes_on_is_answered(ada: Person):
    machine, worker_id = await ada.machine(), await ada.open_worker()
    await lease(machine, worker_id)
    path = f"/workers/{worker_id}"

    async def others() -> None:
        phone = await another_device(ada)
        assert (await phone.post("/api/auth/signout")).status_code == 200
        await machine.get(f"/machines/{machine.worker_id}/feed?tail_ms=1")
        result = {"source": "autopilot-desktop", "request_id": "waits", "ok": True, "response": {"turn": "t"}}
        event = {"event_type": "worker.response", "event_id": "response:waits", "payload": result}
        answer = await machine.post(f"/workers/{worker_id}/events", {"event": event})
        assert answer.status_code == 202, answer.text

    answer = await told_while(ada, path, others)

    assert (answer.status_code, answer.json()["data"]["response"]) == (200, {"turn": "t"})

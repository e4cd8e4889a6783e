"""The runtime is told of every device whose session ended, even if it is away just then."""

from __future__ import annotations

import asyncio

import pytest
from tests.api.served import bearer

from autopilot.api.revocations import Revocations
from autopilot.api.untold import RETRY_SECONDS
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeResponse
from autopilot.testing.clock import FakeClock


async def untold(api) -> int:
    return await api.pool.fetchval("select count(*) from api.untold_revocation")


async def told(api):
    """The call that tells, once it was made."""
    async with asyncio.timeout(30):
        while not (calls := [call for call in api.runtime.calls if call.path.startswith("/devices/")]):  # noqa: ASYNC110 - what is awaited has no event of its own
            await asyncio.sleep(0)
    return calls[0]


async def unreachable(_request):
    raise Unavailable("away", reason_code="runtime_unreachable", outcome="not_recorded")


async def busy(_request):
    return RuntimeResponse(503, {}, b"{}")


async def fine(_request):
    return RuntimeResponse(200, {}, b"{}")


async def test_signing_out_tells_the_runtime_in_the_name_of_the_device_that_ended(api):
    signed = await api.sign_in("ada@example.org")
    me = (await api.client.get("/api/me", headers=bearer(signed["token"]))).json()

    await api.client.post("/api/auth/signout", headers=bearer(signed["token"]) | {"x-request-id": "goodbye"})

    call = await told(api)
    assert (call.method, call.path) == ("POST", f"/devices/{me['device']['device_id']}/revoked")
    assert (call.claims.user_id, call.claims.device_id) == (signed["userId"], me["device"]["device_id"])
    assert call.claims.scopes == frozenset()
    assert call.headers["x-request-id"] == "goodbye"


@pytest.mark.parametrize("away", [unreachable, busy])
async def test_a_runtime_that_is_away_is_told_when_it_is_back(api, away):
    api.runtime.answer = away
    signed = await api.sign_in("ada@example.org")

    answer = await api.client.post("/api/auth/signout", headers=bearer(signed["token"]))
    await told(api)

    assert answer.status_code == 200
    assert await untold(api) == 1
    api.runtime.answer = fine
    await api.app.state.api.revocations.tell()
    assert await untold(api) == 0


async def test_what_another_process_left_untold_is_told_again_and_again_until_it_is_heard(api):
    clock = FakeClock()
    api.runtime.answer = unreachable
    signed = await api.sign_in("ada@example.org")
    await api.client.post("/api/auth/signout", headers=bearer(signed["token"]))
    await told(api)
    heard = asyncio.Event()

    async def now_there(_request):
        heard.set()
        return await fine(_request)

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        another = Revocations(api.app.state.api.sessions, api.runtime, clock, api.app.state.api.revocations.setbacks)
        retrying = tasks.create_task(another.retry())
        await clock.until_sleeping()
        api.runtime.answer = now_there
        await clock.advance(RETRY_SECONDS)
        await heard.wait()
        await clock.until_sleeping()
        retrying.cancel()

    assert await untold(api) == 0


async def test_a_refresh_that_is_no_theft_ends_nothing(api):
    signed = await api.sign_in("ada@example.org")

    await api.client.post("/api/auth/refresh", json={"refresh_token": signed["refresh_token"]})

    assert await untold(api) == 0
    assert not api.app.state.api.sessions.ended.is_set()

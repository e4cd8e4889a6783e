"""Step-up: what a fresh code of one's own mail gives a session for ten minutes, and a stolen token never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api.settings import Limits
from autopilot.api.step_up import at_the_machine
from autopilot.client import MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.contract.errors import Forbidden
from autopilot.contract.port import RuntimeRequest, RuntimeResponse

ADA = "ada@example.org"


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    """Nothing of a token is remembered: what the database says holds at once."""
    async with serving(database, EchoRuntime(), limits=Limits(remember_seconds=0.0)) as served:
        yield served


async def step(api: ServedApi, token: str, **body: Any) -> httpx2.Response:
    answer = await api.client.post("/api/auth/step-up", json=body, headers=bearer(token))
    await api.app.state.api.postman.delivered()
    return answer


async def mailed(api: ServedApi, token: str) -> str:
    assert (await step(api, token)).json()["stepped_up"] is False
    return api.post.mails[-1].code


async def expire(api: ServedApi) -> None:
    await api.pool.execute(
        "update api.session set stepped_up_until = clock_timestamp() where stepped_up_until is not null"
    )


async def is_stepped_up(api: ServedApi, token: str) -> bool:
    """What the runtime is told of the next call."""
    await api.client.get("/api/runtime/codex/policies", headers=bearer(token))
    told = api.runtime.calls[-1].claims.step_up
    me = (await api.client.get("/api/me", headers=bearer(token))).json()
    assert (me["stepped_up_until"] is not None) is told
    return told


def reason(answer: httpx2.Response) -> str:
    return answer.json()["error"]["details"][0]["reason_code"]


async def test_a_fresh_sign_in_is_stepped_up_and_ten_minutes_later_it_is_not(api: ServedApi):
    token = (await api.sign_in(ADA))["token"]

    assert await is_stepped_up(api, token)
    left = await api.pool.fetchval("select extract(epoch from stepped_up_until - created_at)::float8 from api.session")
    assert 590 < left < 610
    await expire(api)
    assert not await is_stepped_up(api, token)


async def test_a_code_of_ones_own_mail_steps_this_session_up_and_no_other(api: ServedApi):
    phone, laptop = (await api.sign_in(ADA))["token"], (await api.sign_in(ADA))["token"]
    await expire(api)

    code = await mailed(api, phone)
    assert api.post.mails[-1].email == ADA
    answer = await step(api, phone, method="email_code", code=f"{code[:4]} {code[4:]}")

    proved = {"ok": True, "stepped_up": True, "expires_in": 600, "methods": ["email_code"]}
    assert answer.json() == {**proved, "ceremony": None, "options": None}
    assert (await is_stepped_up(api, phone), await is_stepped_up(api, laptop)) == (True, False)
    line = await api.pool.fetchrow("select * from api.audit where action = 'stepped_up'")
    assert (line["user_id"], line["device_id"] is not None) == (1, True)


async def test_a_code_is_good_once_and_for_nothing_else(api: ServedApi):
    phone, laptop = (await api.sign_in(ADA))["token"], (await api.sign_in(ADA))["token"]
    await expire(api)
    code = await mailed(api, phone)

    for body in ({"email": ADA, "code": code}, {"code": code}):  # it signs nobody in
        assert (await api.client.post("/api/auth/verify", json=body)).status_code == 401
    assert reason(await step(api, laptop, code=code)) == "code_refused"  # it is another session's
    assert (await step(api, phone, code=await api.code_for(ADA))).status_code == 401  # a sign-in's steps nobody up
    assert (await step(api, phone, code=code)).status_code == 200
    await expire(api)
    assert (await step(api, phone, code=code)).status_code == 401
    assert not await is_stepped_up(api, phone)


async def test_five_wrong_guesses_use_the_code_up_and_each_is_a_line_of_the_audit(api: ServedApi):
    token = (await api.sign_in(ADA))["token"]
    await expire(api)
    code = await mailed(api, token)

    wrong = f"{(int(code) + 1) % 10**8:08}"
    assert [(await step(api, token, code=wrong)).status_code for _ in range(5)] == [401] * 5
    assert (await step(api, token, code=code)).status_code == 401
    lines = await api.pool.fetch("select user_id, device_id from api.audit where action = 'step_up_refused'")
    assert len(lines) == 6
    assert {line["user_id"] for line in lines} == {1}
    assert None not in {line["device_id"] for line in lines}


async def test_asking_for_sign_in_codes_keeps_nobody_from_stepping_up(api: ServedApi):
    token = (await api.sign_in(ADA))["token"]
    for _ in range(9):
        await api.code_for(ADA)
    assert (await api.client.post("/api/auth/email", json={"email": ADA})).status_code == 429

    assert (await step(api, token, code=await mailed(api, token))).status_code == 200


async def test_a_machine_steps_up_never_and_an_owner_without_an_address_at_the_machine_only(api: ServedApi):
    machine = (await api.mint(ADA, "execute", machine_id="m", surface="companion")).token
    owner = (await api.mint(None, "administer")).token

    assert (await step(api, machine)).status_code == 403
    assert not await is_stepped_up(api, machine)
    assert not await at_the_machine(api.pool, machine)
    assert await is_stepped_up(api, owner)  # it was minted just now, by whoever has the database
    await expire(api)
    assert not await is_stepped_up(api, owner)
    assert await at_the_machine(api.pool, owner)
    assert await is_stepped_up(api, owner)
    await api.pool.execute("update api.access_token set expires_at = clock_timestamp()")
    assert not await at_the_machine(api.pool, owner)


@pytest.mark.parametrize("method", ["email_code", "passkey"])
async def test_a_session_that_executes_is_not_stepped_up_whatever_else_it_may_do(api: ServedApi, method: str):
    both = (await api.mint(ADA, "execute", "administer", machine_id="m", surface="companion")).token
    before = len(api.post.mails)

    answer = await api.client.post("/api/auth/step-up", json={"method": method}, headers=bearer(both))

    assert (answer.status_code, answer.json()["error"]["details"][0]["reason_code"]) == (403, "scope")
    assert len(api.post.mails) == before
    assert not await is_stepped_up(api, both)


async def test_an_owner_nobody_has_claimed_is_told_that_there_is_no_address(database: str):
    async with serving(database, EchoRuntime()) as api:
        answer = await step(api, (await api.mint(None, "administer")).token)
        assert (answer.status_code, reason(answer)) == (409, "no_address")


@pytest.mark.parametrize("body", [{"method": "guess"}, {"code": 7}, {"method": "local"}])
async def test_what_is_no_proof_is_refused(api: ServedApi, body: dict[str, Any]):
    assert (await step(api, (await api.sign_in(ADA))["token"], **body)).status_code == 422


async def test_the_sdk_asks_for_the_code_and_does_what_it_was_about_to_do(api: ServedApi):
    async def needs_step_up(request: RuntimeRequest) -> RuntimeResponse:
        if request.claims.step_up:
            return RuntimeResponse(
                200, {"content-type": "application/json"}, b'{"data":{"documents":[],"effective":[]}}'
            )
        error = Forbidden("no", reason_code="step_up_required").body()
        return RuntimeResponse(
            403, {"content-type": "application/json"}, httpx2.Request("POST", api.url, json=error).content
        )

    api.runtime.answer = needs_step_up
    async with Session(api.url, MemoryTokenStore()) as session, RuntimeCodexClient(api.url, session) as client:
        await session.verify(await api.code_for(ADA), email=ADA, device_name="Laptop")
        await expire(api)
        with pytest.raises(Forbidden, match="no"):
            await client.policies()

        async def ask() -> str:
            await api.app.state.api.postman.delivered()
            return api.post.mails[-1].code

        session.ask_code = ask
        async with asyncio.timeout(30):
            assert (await client.policies()).documents == ()

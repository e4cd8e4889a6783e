"""A new server on a network: nobody takes it over by being faster than its owner, and no stranger gets in."""

from __future__ import annotations

import asyncio

from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api import opaque
from autopilot.api.settings import ApiSettings

OWNER = "owner@example.org"
CLOSED = ApiSettings(sign_ins_per_minute=6000.0, owner_email=OWNER)


async def owners(api: ServedApi) -> list[str | None]:
    return [row["email"] for row in await api.pool.fetch("select email from api.user_account where is_owner")]


async def test_nobody_becomes_the_owner_by_being_the_first(api: ServedApi):
    await asyncio.gather(*(api.mint(f"user{number}@example.org", "observe") for number in range(5)))
    await api.sign_in("ada@example.org")
    assert await owners(api) == []

    minted = await api.mint(None, "execute", machine_id="m1", surface="companion")

    assert minted.user.email == ""
    assert (await api.sign_in("bob@example.org"))["userId"] != minted.userId
    assert await owners(api) == [None]
    assert (await api.mint(None, "observe")).userId == minted.userId


async def test_the_owner_whom_the_companion_needed_before_is_claimed_by_the_named_address_alone(database: str):
    async with serving(database, EchoRuntime(), settings=CLOSED) as api:
        minted = await api.mint(None, "execute", machine_id="m1", surface="companion")

        assert (await api.sign_in("Owner@example.org"))["userId"] == minted.userId
        assert await owners(api) == ["Owner@example.org"]


async def ask(api: ServedApi, email: str) -> int:
    """Ask for a code; how many mails went out for it."""
    before = len(api.post.mails)
    assert (await api.client.post("/api/auth/email", json={"email": email})).status_code == 200
    await api.app.state.api.postman.delivered()
    return len(api.post.mails) - before


async def test_where_sign_up_is_closed_only_the_owner_and_the_invited_get_an_account(database: str):
    async with serving(database, EchoRuntime(), settings=CLOSED) as api:
        assert await ask(api, "stranger@example.org") == 0
        signed = await api.sign_in(OWNER)
        headers = bearer(signed["token"])
        team = (await api.client.post("/api/teams", json={"name": "t"}, headers=headers)).json()["data"]
        body = {"email": "Friend@example.org", "role": "viewer"}
        path = f"/api/teams/{team['team_id']}/invitations"
        invited = (await api.client.post(path, json=body, headers=headers)).json()["data"]

        assert await ask(api, "friend@example.org") >= 1
        assert await ask(api, "stranger@example.org") == 0
        await api.client.post(f"{path}/{invited['invitation_id']}/withdraw", headers=headers)
        assert await ask(api, "friend@example.org") == 0
        assert await ask(api, OWNER) == 1


async def test_an_account_is_not_made_by_a_code_that_was_guessed_where_sign_up_is_closed(database: str):
    async with serving(database, EchoRuntime(), settings=CLOSED) as api:
        await ask(api, "stranger@example.org")
        digest = opaque.code_digest(api.app.state.api.codes.keys()[0], "stranger@example.org", "12345678")
        await api.pool.execute("update api.login_code set code_digest = $1", digest)

        answer = await api.client.post("/api/auth/verify", json={"email": "stranger@example.org", "code": "12345678"})

        assert answer.status_code == 401
        assert await api.pool.fetchval("select count(*) from api.user_account") == 0


async def test_strangers_who_are_there_before_the_owner_are_kept_out_and_the_owner_gets_in(database: str):
    async with serving(database, EchoRuntime(), settings=CLOSED) as api:
        sent = await asyncio.gather(*(ask(api, f"eve{number}@example.org") for number in range(20)))
        assert sum(sent) == 0

        signed = await api.sign_in(OWNER)

        assert await owners(api) == [OWNER]
        assert await api.pool.fetchval("select count(*) from api.user_account") == 1
        assert signed["user"]["email"] == OWNER

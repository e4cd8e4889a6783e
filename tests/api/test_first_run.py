"""A new server on a network: nobody takes it over by being faster than its owner, and no stranger gets in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving
from tests.waiting import until

from autopilot.api import admins, opaque, tokens
from autopilot.api.settings import ApiSettings
from autopilot.cli.credentials import owner_code, settle_owner
from autopilot.contract.errors import AutopilotError, Conflict, NotFound, Unprocessable
from autopilot.ops.settings import Secret

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


async def scopes_of(api: ServedApi, token: str) -> list[str]:
    grants = api.app.state.api.grants
    grants._known.clear()  # a second later
    return (await api.client.get("/api/me", headers=bearer(token))).json()["scopes"]


async def test_only_the_owner_and_whom_the_machine_named_have_the_scope_admin(api: ServedApi):
    ada = await api.sign_in("ada@example.org")
    with pytest.raises(ValueError, match="admins grant"):
        await tokens.mint(api.pool, email="ada@example.org", scopes=["admin"])
    await api.pool.execute("update api.session set scopes = array['observe', 'administer', 'admin']")
    assert await scopes_of(api, ada["token"]) == ["administer", "observe"]

    assert await admins.grant(api.pool, "Ada@example.org")
    assert not await admins.grant(api.pool, "ada@example.org")

    assert await scopes_of(api, ada["token"]) == ["admin", "administer", "observe"]
    assert (await tokens.mint(api.pool, email="ada@example.org", scopes=["admin"])).userId == ada["userId"]
    owner = await tokens.mint(api.pool, scopes=["admin"])
    assert await scopes_of(api, owner.token) == ["admin"]


async def test_who_manages_no_longer_loses_the_scope_with_the_tokens_they_hold(api: ServedApi):
    minted = await api.mint("ada@example.org", "observe", "admin")
    assert await scopes_of(api, minted.token) == ["admin", "observe"]

    assert await admins.revoke(api.pool, "ada@example.org")
    assert not await admins.revoke(api.pool, "ada@example.org")

    assert await scopes_of(api, minted.token) == ["observe"]
    refreshed = await api.client.post("/api/auth/refresh", json={"refresh_token": minted.refresh_token})
    assert await scopes_of(api, refreshed.json()["token"]) == ["observe"]


async def test_an_installation_that_is_handed_over_has_one_owner_who_alone_has_what_is_theirs(database: str):
    async with serving(database, EchoRuntime(), settings=CLOSED) as api:
        await settle_owner(api.pool, OWNER)
        held = (await tokens.mint(api.pool, scopes=["admin"])).token
        await tokens.mint(api.pool, email="ada@example.org", scopes=["observe"])
        with pytest.raises(Conflict):
            await admins.revoke(api.pool, OWNER)

        await admins.hand_over(api.pool, "ada@example.org")
        await admins.hand_over(api.pool, "ada@example.org")

        assert await owners(api) == ["ada@example.org"]
        assert await scopes_of(api, held) == []
        assert (await api.sign_in(OWNER))["user"]["email"] == OWNER  # an account as any other
        assert await owners(api) == ["ada@example.org"]
        assert [(one.email, one.is_owner) for one in await admins.everybody(api.pool)] == [("ada@example.org", True)]
        rows = await api.pool.fetch("select action, subject from api.audit where action like 'owner%'")
        assert [row["action"] for row in rows] == ["owner_changed"]


async def test_an_installation_is_not_handed_over_to_an_account_that_is_deleted_at_that_moment(database: str):
    async with serving(database, EchoRuntime(), settings=CLOSED) as api, asyncio.TaskGroup() as group:
        await settle_owner(api.pool, OWNER)
        heir = await api.mint("ada@example.org", "observe")
        async with api.pool.acquire() as connection, connection.transaction():
            await connection.execute("delete from api.user_account where user_id = $1", heir.userId)
            handing = group.create_task(refused_by(admins.hand_over(api.pool, "ada@example.org")))
            await until(lambda: is_waiting(api))

        assert isinstance(await handing, NotFound)
        assert await owners(api) == [OWNER]


async def refused_by(change: Awaitable[None]) -> AutopilotError | None:
    try:
        await change
    except AutopilotError as error:
        return error
    return None


async def is_waiting(api: ServedApi) -> bool:
    """Whether somebody waits for a row that another transaction holds."""
    sql = "select exists (select from pg_locks where not granted and locktype = 'transactionid')"
    return bool(await api.pool.fetchval(sql))


async def test_the_owners_address_changes_and_the_owner_stays(api: ServedApi):
    first = await api.mint(None, "observe")
    await tokens.mint(api.pool, email="ada@example.org", scopes=["observe"])
    with pytest.raises(Conflict):
        await admins.hand_over(api.pool, "ada@example.org")  # who has no address would be nobody
    with pytest.raises(Conflict):
        await admins.rename_owner(api.pool, "ada@example.org")

    await admins.rename_owner(api.pool, "boss@example.org")

    assert (await api.sign_in("boss@example.org"))["userId"] == first.userId


@pytest.mark.parametrize("change", [admins.grant, admins.revoke, admins.hand_over])
async def test_nobody_is_named_who_never_signed_in(api: ServedApi, change):
    with pytest.raises(NotFound):
        await change(api.pool, "nobody@example.org")
    with pytest.raises(Unprocessable):
        await change(api.pool, "no address")


async def test_the_code_on_the_console_is_good_once_and_strangers_keep_nobody_from_it(database: str):
    key = Secret("k" * 64)
    settings = ApiSettings(sign_ins_per_minute=6000.0, owner_email=OWNER, code_key=key)
    async with serving(database, EchoRuntime(), settings=settings) as api:
        email = await settle_owner(api.pool, OWNER)
        for _ in range(10):
            await ask(api, OWNER)
        assert (await api.client.post("/api/auth/email", json={"email": OWNER})).status_code == 429

        code = await owner_code(api.pool, email, key)

        body = {"email": email, "code": code}
        for guess in range(20):
            wrong = {"email": email, "code": f"{guess:08d}"}
            assert (await api.client.post("/api/auth/verify", json=wrong)).status_code == 401
        assert (await api.client.post("/api/auth/verify", json=body)).status_code == 200
        assert (await api.client.post("/api/auth/verify", json=body)).status_code == 401
        sql = (
            "select action, address, user_id from api.audit where address = 'local' or action = 'signed_in' order by 1"
        )
        rows = [tuple(row) for row in await api.pool.fetch(sql)]
        assert ("code_requested", "local", None) in rows
        assert ("signed_in", "127.0.0.1", 1) in rows

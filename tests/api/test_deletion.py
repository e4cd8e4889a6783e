"""The end of an account: nothing of it stays but its number, its streams end, and the runtime hears of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, eventually, serving
from tests.waiting import until

from autopilot.api.settings import ApiSettings
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse

ADA = "ada.lovelace@example.org"


async def delete(api: ServedApi, token: str) -> Any:
    return await api.client.delete("/api/me", headers=bearer(token))


def reason(answer: Any) -> str:
    return answer.json()["error"]["details"][0]["reason_code"]


async def team_of(api: ServedApi, token: str) -> str:
    answer = await api.client.post("/api/teams", json={"name": "t"}, headers=bearer(token))
    return answer.json()["data"]["team_id"]


async def invited(api: ServedApi, owner: str, team_id: str, email: str, role: str = "viewer") -> str:
    body = {"email": email, "role": role}
    answer = await api.client.post(f"/api/teams/{team_id}/invitations", json=body, headers=bearer(owner))
    assert answer.status_code == 201, answer.text
    await api.app.state.api.postman.delivered()
    return next(mail.secret for mail in reversed(api.post.mails) if hasattr(mail, "secret"))


async def test_nothing_of_the_account_stays_but_its_number(api: ServedApi):
    signed = await api.sign_in(ADA, **{"x-autopilot-surface": "ios"})
    other = await api.sign_in("bob@example.org")
    await team_of(api, signed["token"])
    shared = await team_of(api, other["token"])
    secret = await invited(api, other["token"], shared, ADA)
    joined = await api.client.post("/api/teams/accept", json={"secret": secret}, headers=bearer(signed["token"]))
    assert joined.status_code == 200, joined.text
    await invited(api, other["token"], shared, ADA.upper())
    await invited(api, signed["token"], await team_of(api, signed["token"]), "carol@example.org")
    machine = await api.mint(ADA, "execute", machine_id="m1", surface="companion")
    await api.client.post("/api/auth/verify", json={"email": ADA, "code": "12345678"})
    await api.code_for(ADA)

    answer = await delete(api, signed["token"])

    assert (answer.status_code, answer.json()) == (200, {"ok": True, "user_id": signed["userId"]})
    for table in await api.pool.fetch("select tablename from pg_tables where schemaname = 'api'"):
        for row in await api.pool.fetch(f"select t::text as text from api.{table['tablename']} t"):
            assert "lovelace" not in row["text"].lower(), table["tablename"]
    assert (await api.client.get("/api/me", headers=bearer(signed["token"]))).status_code == 401
    refused = await api.client.post("/api/auth/refresh", json={"refresh_token": machine.refresh_token})
    assert (refused.status_code, reason(refused)) == (401, "account_deleted")
    lines = await api.pool.fetch("select action, subject from api.audit where user_id = $1", signed["userId"])
    assert ("account_deleted", f"user:{signed['userId']}") in [tuple(row) for row in lines]
    assert {"signed_in", "team_joined", "token_minted"} <= {row["action"] for row in lines}
    left = (await api.client.get(f"/api/teams/{shared}", headers=bearer(other["token"]))).json()["data"]
    assert [one["user_id"] for one in left["members"]] == [other["userId"]]


async def test_whatever_is_of_an_account_goes_with_it(api: ServedApi):
    """A table that somebody adds, and forgets here, fails this."""
    rows = await api.pool.fetch(
        "select conrelid::regclass::text as name, confdeltype::text as how from pg_constraint "
        "where contype = 'f' and confrelid = 'api.user_account'::regclass"
    )
    assert {(row["name"], row["how"]) for row in rows if row["how"] not in {"c", "n"}} == set()
    assert len(rows) >= 6


async def test_the_number_is_given_to_nobody_else_and_the_address_makes_a_new_account(api: ServedApi):
    first = await api.sign_in(ADA)
    await delete(api, first["token"])

    again = await api.sign_in(ADA)

    assert again["userId"] > first["userId"]
    assert (await api.client.get("/api/teams", headers=bearer(again["token"]))).json() == {"data": []}


async def test_it_takes_a_fresh_proof_and_a_persons_token(api: ServedApi):
    signed = await api.sign_in(ADA)
    machine = await api.mint(ADA, "execute", machine_id="m1", surface="companion")
    watching = await api.mint(ADA, "observe")
    await api.pool.execute("update api.session set stepped_up_until = null, stepped_up_by = null")
    api.app.state.api.grants.forget_user(signed["userId"])

    assert reason(await delete(api, signed["token"])) == "step_up_required"
    assert reason(await delete(api, machine.token)) == "scope"
    assert reason(await delete(api, watching.token)) == "scope"
    assert (await api.client.get("/api/me", headers=bearer(signed["token"]))).status_code == 200


async def test_a_session_that_is_held_after_a_recovery_deletes_nothing(api: ServedApi):
    signed = await api.sign_in(ADA)
    await api.pool.execute("update api.session set held_until = clock_timestamp() + interval '1 hour'")

    answer = await delete(api, signed["token"])

    assert (answer.status_code, reason(answer)) == (403, "recovery_hold")
    assert await api.pool.fetchval("select count(*) from api.user_account") == 1


async def test_the_last_owner_of_a_team_hands_over_first_and_the_owner_of_the_installation_too(database: str):
    settings = ApiSettings(sign_ins_per_minute=6000.0, sign_up="open", owner_email="boss@example.org")
    async with serving(database, EchoRuntime(), settings=settings) as api:
        boss, ada, bob = [await api.sign_in(who) for who in ("boss@example.org", ADA, "bob@example.org")]
        team = await team_of(api, ada["token"])
        secret = await invited(api, ada["token"], team, "bob@example.org")
        await api.client.post("/api/teams/accept", json={"secret": secret}, headers=bearer(bob["token"]))

        assert reason(await delete(api, boss["token"])) == "installation_owner"
        refused = await delete(api, ada["token"])
        assert (refused.status_code, reason(refused)) == (409, "last_owner")
        assert refused.json()["error"]["details"][0]["teams"] == [team]
        assert (await api.client.get("/api/me", headers=bearer(ada["token"]))).status_code == 200

        path = f"/api/teams/{team}/members/{bob['userId']}/role"
        assert (await api.client.post(path, json={"role": "owner"}, headers=bearer(ada["token"]))).status_code == 200
        assert (await delete(api, ada["token"])).status_code == 200


async def test_two_deletions_at_once_are_one(api: ServedApi):
    signed = await api.sign_in(ADA)

    answers = await asyncio.gather(*(delete(api, signed["token"]) for _ in range(4)))

    assert min(answer.status_code for answer in answers) == 200
    assert {answer.status_code for answer in answers} <= {200, 401}
    assert await api.pool.fetchval("select count(*) from api.audit where action = 'account_deleted'") == 1


async def blocked(api: ServedApi) -> bool:
    """Whether somebody waits for a lock."""
    return await api.pool.fetchval(
        "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
    )


async def test_a_team_that_is_made_while_the_account_ends_ends_with_it(api: ServedApi):
    signed = await api.sign_in(ADA)
    await team_of(api, signed["token"])
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, api.pool.acquire() as other, other.transaction():
        await other.execute("select from api.team for update")
        ending = tasks.create_task(delete(api, signed["token"]))
        await until(lambda: blocked(api))
        await team_of(api, signed["token"])

    assert ending.result().status_code == 200
    assert await api.pool.fetchval("select count(*) from api.team") == 0


async def test_an_owner_whom_a_team_gets_while_their_account_ends_hands_it_over_first(api: ServedApi):
    ada, bob = await api.sign_in(ADA), await api.sign_in("bob@example.org")
    await team_of(api, ada["token"])
    team = await team_of(api, bob["token"])
    secret = await invited(api, bob["token"], team, ADA, role="owner")
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, api.pool.acquire() as other, other.transaction():
        await other.execute("select from api.team where team_id <> $1 for update", team)
        ending = tasks.create_task(delete(api, ada["token"]))
        await until(lambda: blocked(api))
        joined = await api.client.post("/api/teams/accept", json={"secret": secret}, headers=bearer(ada["token"]))
        assert joined.status_code == 200, joined.text
        path = f"/api/teams/{team}/members/{bob['userId']}/role"
        left = await api.client.post(path, json={"role": "viewer"}, headers=bearer(bob["token"]))
        assert left.status_code == 200, left.text

    assert (ending.result().status_code, reason(ending.result())) == (409, "last_owner")
    assert await api.pool.fetchval("select count(*) from api.user_account") == 2


async def test_what_is_under_way_for_an_account_as_it_ends_is_refused_like_any_dead_token(api: ServedApi):
    signed = await api.sign_in(ADA)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks, api.pool.acquire() as other, other.transaction():
        await other.execute("select from api.user_account for update")
        making = tasks.create_task(api.client.post("/api/teams", json={"name": "t"}, headers=bearer(signed["token"])))
        await until(lambda: blocked(api))
        await other.execute("delete from api.user_account")

    assert (making.result().status_code, reason(making.result())) == (401, "token_refused")
    assert await api.pool.fetchval("select count(*) from api.team") == 0


async def test_streams_of_every_device_end(api: ServedApi):
    signed, other = await api.sign_in(ADA), await api.sign_in(ADA)
    url = "/api/runtime/codex/workers/w/stream"
    async with api.client.stream("GET", url, headers=bearer(other["token"])) as stream:
        assert stream.status_code == 200

        assert (await delete(api, signed["token"])).status_code == 200

        async with asyncio.timeout(30):
            assert [chunk async for chunk in stream.aiter_raw()] == []
    assert api.app.state.api.watch.count == 0


def told(api: ServedApi) -> list[RuntimeRequest]:
    return [call for call in api.runtime.calls if call.path.endswith("/deleted")]


async def test_a_device_that_ended_before_and_nobody_could_tell_of_is_told_of_with_the_account(api: ServedApi):
    signed, stolen = await api.sign_in(ADA), await api.sign_in(ADA)
    stolen_id = (await api.client.get("/api/me", headers=bearer(stolen["token"]))).json()["device"]["device_id"]
    is_away = True

    async def answer(_request: RuntimeRequest) -> RuntimeResponse:
        if is_away:
            raise Unavailable("gone", reason_code="x")
        return RuntimeResponse(200, {"content-type": "application/json"}, b"{}")

    api.runtime.answer = answer
    path = f"/api/devices/{stolen_id}/revoke"
    assert (await api.client.post(path, headers=bearer(signed["token"]))).status_code == 200
    assert (await delete(api, signed["token"])).status_code == 200
    is_away = False
    await api.app.state.api.deletions.tell()

    assert stolen_id in json.loads(told(api)[-1].body)["device_ids"]
    kept = await api.pool.fetchrow("select * from api.deleted_account")
    assert (kept["user_id"], kept["device_ids"], kept["x_request_id"]) == (signed["userId"], [], None)


@pytest.mark.parametrize("fault", ["away", "slow to say yes", "no"])
async def test_the_runtime_is_told_until_it_says_that_it_heard(api: ServedApi, fault: str):
    signed = await api.sign_in(ADA)
    faults = [fault]

    async def answer(request: RuntimeRequest) -> RuntimeResponse:
        if not request.path.endswith("/deleted") or not faults:
            return RuntimeResponse(200, {"content-type": "application/json"}, b"{}")
        faults.clear()
        if fault == "no":
            return RuntimeResponse(503, {}, b"{}")
        raise Unavailable("gone", reason_code="x") if fault == "away" else TimeoutError

    api.runtime.answer = answer
    assert (await delete(api, signed["token"])).status_code == 200
    assert await api.pool.fetchval("select told_at from api.deleted_account") is None

    await api.app.state.api.deletions.tell()
    await api.app.state.api.deletions.tell()

    calls = told(api)
    await eventually(lambda: len(told(api)) >= 2)
    assert {call.path for call in calls} == {f"/users/{signed['userId']}/deleted"}
    assert {(call.claims.user_id, call.claims.surface, call.claims.device_id) for call in calls} == {
        (signed["userId"], "runtime", None)
    }
    assert len(json.loads(calls[-1].body)["device_ids"]) == 1
    assert await api.pool.fetchval("select told_at is not null from api.deleted_account") is True

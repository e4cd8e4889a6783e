"""Rotation of refresh tokens, reuse, the grace for a lost answer, and the end of sessions."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api.settings import Limits


async def refresh(api: ServedApi, token: str) -> httpx2.Response:
    return await api.client.post("/api/auth/refresh", json={"refresh_token": token})


async def reads(api: ServedApi, signed: dict[str, Any]) -> int:
    return (await api.client.get("/api/me", headers=bearer(signed["token"]))).status_code


async def age_rotations(api: ServedApi, seconds: int) -> None:
    await api.pool.execute(
        "update api.refresh_token set replaced_at = replaced_at - make_interval(secs => $1)", float(seconds)
    )


async def test_a_refresh_gives_a_new_pair_for_the_same_user_and_session(api: ServedApi):
    first = await api.sign_in("ada@example.org")
    second = (await refresh(api, first["refresh_token"])).json()

    assert second["userId"] == first["userId"]
    assert {second["token"], second["refresh_token"]}.isdisjoint({first["token"], first["refresh_token"]})
    assert await reads(api, second) == 200
    assert await api.pool.fetchval("select count(*) from api.session") == 1


async def test_the_very_same_refresh_retried_after_a_lost_answer_gets_the_same_successor(api: ServedApi):
    first = await api.sign_in("ada@example.org")
    lost, retried = [(await refresh(api, first["refresh_token"])).json() for _ in range(2)]

    assert retried["refresh_token"] == lost["refresh_token"]
    assert await reads(api, retried) == 200
    assert (await refresh(api, retried["refresh_token"])).status_code == 200


async def test_two_processes_that_share_a_token_and_refresh_at_once_both_go_on(api: ServedApi):
    first = await api.sign_in("ada@example.org")
    pairs = [
        answer.json() for answer in await asyncio.gather(*(refresh(api, first["refresh_token"]) for _ in range(4)))
    ]

    assert len({pair["refresh_token"] for pair in pairs}) == 1
    assert [await reads(api, pair) for pair in pairs] == [200] * 4


async def test_reuse_after_the_grace_revokes_the_whole_family(api: ServedApi):
    first = await api.sign_in("ada@example.org")
    second = (await refresh(api, first["refresh_token"])).json()
    await age_rotations(api, 61)

    stolen = await refresh(api, first["refresh_token"])
    assert stolen.status_code == 401
    assert stolen.json()["error"]["details"][0]["reason_code"] == "sign_in_again"
    assert (await refresh(api, second["refresh_token"])).status_code == 401
    row = await api.pool.fetchrow("select end_reason from api.session")
    assert row["end_reason"] == "refresh_reused"
    assert "refresh_reused" in [line["action"] for line in await api.pool.fetch("select action from api.audit")]


async def test_reuse_once_the_successor_was_used_revokes_the_family_even_within_the_grace(api: ServedApi):
    first = await api.sign_in("ada@example.org")
    second = (await refresh(api, first["refresh_token"])).json()
    third = (await refresh(api, second["refresh_token"])).json()

    assert (await refresh(api, first["refresh_token"])).status_code == 401
    assert (await refresh(api, third["refresh_token"])).status_code == 401


async def test_a_revoked_family_stops_reading_within_a_second(database: str):
    async with serving(database, EchoRuntime(), limits=Limits(remember_seconds=0.0)) as api:
        first = await api.sign_in("ada@example.org")
        second = (await refresh(api, first["refresh_token"])).json()
        assert await reads(api, second) == 200
        await age_rotations(api, 61)
        await refresh(api, first["refresh_token"])

        assert await reads(api, second) == 401


async def test_an_unknown_an_expired_and_an_access_token_are_refused_alike(api: ServedApi):
    signed = await api.sign_in("ada@example.org")
    unknown = await refresh(api, "aprt_" + "x" * 43)
    access = await refresh(api, signed["token"])
    await api.pool.execute("update api.refresh_token set expires_at = clock_timestamp()")
    expired = await refresh(api, signed["refresh_token"])

    assert unknown.json() == access.json() == expired.json()
    assert {unknown.status_code, access.status_code, expired.status_code} == {401}


async def test_signing_out_ends_both_tokens_at_once_and_only_of_this_device(api: ServedApi):
    phone, laptop = await api.sign_in("ada@example.org"), await api.sign_in("ada@example.org")
    assert await reads(api, phone) == 200

    assert (await api.client.post("/api/auth/signout", headers=bearer(phone["token"]))).json() == {"ok": True}
    assert await reads(api, phone) == 401
    assert (await refresh(api, phone["refresh_token"])).status_code == 401
    assert await reads(api, laptop) == 200


async def test_an_expired_access_token_is_refused_and_the_refresh_token_still_works(database: str):
    async with serving(database, EchoRuntime(), limits=Limits(remember_seconds=0.0)) as api:
        signed = await api.sign_in("ada@example.org")
        await api.pool.execute("update api.access_token set expires_at = clock_timestamp()")

        assert await reads(api, signed) == 401
        assert await reads(api, (await refresh(api, signed["refresh_token"])).json()) == 200


async def test_what_ended_is_swept(api: ServedApi):
    await api.sign_in("ada@example.org")
    await api.pool.execute("update api.access_token set expires_at = expires_at - interval '2 hours'")
    await api.pool.execute("update api.refresh_token set expires_at = clock_timestamp()")
    await api.pool.execute("update api.login_code set created_at = created_at - interval '2 days'")

    await api.app.state.api.sessions.sweep()
    await api.app.state.api.codes.sweep()
    for table in ("access_token", "refresh_token", "login_code"):
        assert await api.pool.fetchval(f"select count(*) from api.{table}") == 0

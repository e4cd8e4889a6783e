"""What is remembered of a token never outlives the word that it holds no longer, whoever was just looking it up."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.api.served import ServedApi, bearer

from autopilot.api.grants import Grants
from autopilot.testing.clock import FakeClock

REMEMBERED_SECONDS = 3600.0


class LatePool:
    """A pool whose answers arrive when they are let through; what they say is of when they were asked for."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.answered = asyncio.Event()
        self.arrives = asyncio.Event()

    async def fetchrow(self, *asked: Any) -> Any:
        row = await self._pool.fetchrow(*asked)
        self.answered.set()
        await self.arrives.wait()
        return row


async def test_a_lookup_under_way_while_a_session_ends_is_not_remembered(api: ServedApi):
    signed = await api.sign_in("ada@example.org")
    pool = LatePool(api.pool)
    grants = Grants(pool, FakeClock().monotonic, remember_seconds=REMEMBERED_SECONDS)  # type: ignore[arg-type]
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        early = group.create_task(grants.find(signed["token"]))
        await pool.answered.wait()
        await api.client.post("/api/auth/signout", headers=bearer(signed["token"]))
        [session_id] = [row["session_id"] for row in await api.pool.fetch("select session_id from api.session")]
        grants.forget(session_id)
        pool.arrives.set()

    assert early.result() is not None  # it asked before
    assert await grants.find(signed["token"]) is None


async def test_a_lookup_under_way_while_roles_change_is_not_remembered(api: ServedApi):
    signed = await api.sign_in("ada@example.org")
    pool = LatePool(api.pool)
    grants = Grants(pool, FakeClock().monotonic, remember_seconds=REMEMBERED_SECONDS)  # type: ignore[arg-type]
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        early = group.create_task(grants.find(signed["token"]))
        await pool.answered.wait()
        made = await api.client.post("/api/teams", json={"name": "crew"}, headers=bearer(signed["token"]))
        grants.forget_user(signed["userId"])
        pool.arrives.set()

    team_id = made.json()["data"]["team_id"]
    found = early.result()
    assert found is not None
    assert found.claims.roles == {}
    now = await grants.find(signed["token"])
    assert now is not None
    assert now.claims.roles == {team_id: "owner"}

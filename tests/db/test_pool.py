"""Connections come with the room's tables in sight, and let go of what nobody holds any more."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from autopilot.db.pool import open_pool


async def test_the_rooms_tables_need_no_prefix(database: str) -> None:
    async with await open_pool(database, schema="runtime") as pool:
        assert await pool.fetchval("select count(*) from worker") == 0
        assert await pool.fetchval("show search_path") == "runtime"


async def test_without_a_room_nothing_is_in_sight(database: str) -> None:
    async with await open_pool(database) as pool:
        with pytest.raises(asyncpg.UndefinedTableError):
            await pool.fetchval("select count(*) from worker")


async def test_sessions_say_who_they_are_and_keep_utc(database: str) -> None:
    async with await open_pool(database, application_name="autopilot-test") as pool:
        said = [await pool.fetchval(f"show {name}") for name in ("application_name", "timezone", "jit")]

    assert said == ["autopilot-test", "UTC", "off"]


async def test_a_transaction_that_was_forgotten_is_ended_by_the_server(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("autopilot.db.pool.IDLE_IN_TRANSACTION_MS", 20)
    async with (
        await open_pool(database, min_size=2, max_size=2) as pool,
        pool.acquire() as idle,
        pool.acquire() as other,
    ):
        ended = asyncio.Event()
        idle.add_termination_listener(lambda _connection: ended.set())
        await idle.execute("begin; create table held (n int)")
        pid = idle.get_server_pid()
        while await other.fetchval("select true from pg_stat_activity where pid = $1", pid):
            await other.fetchval("select pg_sleep(0.01)")
        async with asyncio.timeout(30):
            await ended.wait()

        with pytest.raises(asyncpg.InterfaceError):
            await idle.fetchval("select 1")

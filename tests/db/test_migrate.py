"""A database is only ever changed forwards, whole steps at a time, and never by a program that doesn't know it."""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from autopilot.db.errors import DatabaseUnfit, MigrationRefused
from autopilot.db.migrate import migrate, pending, preflight
from autopilot.testing.postgres import TestCluster

Write = Callable[[str, str], None]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A package `a_room` whose migrations the test writes."""
    folder = tmp_path / "a_room" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / "a_room" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield lambda name, sql: (folder / name).write_text(sql) and None
    sys.modules.pop("a_room", None)


async def fetch(dsn: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def test_migrations_are_applied_once_in_order_into_the_schema(empty_database: str, room: Write) -> None:
    room("0001_begin.sql", "create table thing (id int); insert into thing values (1);")
    room("0002_more.sql", "insert into thing select id + 1 from thing;")

    first = await migrate(empty_database, "a_room", "a_room")
    second = await migrate(empty_database, "a_room", "a_room")

    assert ([item.number for item in first], second) == ([1, 2], [])
    assert await fetch(empty_database, "select id from a_room.thing order by id") == [(1,), (2,)]


async def test_a_migration_that_fails_leaves_nothing_and_those_before_it_stand(
    empty_database: str, room: Write
) -> None:
    room("0001_begin.sql", "create table thing (id int);")
    room("0002_broken.sql", "create table other (id int); select 1 / 0;")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_database, "a_room", "a_room")

    assert [item.number for item in await pending(empty_database, "a_room", "a_room")] == [2]
    assert await fetch(empty_database, "select to_regclass('a_room.other')::text") == [(None,)]


async def test_an_applied_migration_may_not_be_edited(empty_database: str, room: Write) -> None:
    room("0001_begin.sql", "create table thing (id int);")
    await migrate(empty_database, "a_room", "a_room")
    room("0001_begin.sql", "create table thing (id bigint);")

    with pytest.raises(MigrationRefused, match="was edited after it was applied"):
        await migrate(empty_database, "a_room", "a_room")


async def test_a_database_of_a_newer_autopilot_is_refused(empty_database: str, room: Write, tmp_path: Path) -> None:
    room("0001_begin.sql", "select 1;")
    room("0002_future.sql", "select 1;")
    await migrate(empty_database, "a_room", "a_room")
    (tmp_path / "a_room/migrations/0002_future.sql").unlink()

    with pytest.raises(MigrationRefused, match="by a newer Autopilot"):
        await migrate(empty_database, "a_room", "a_room")


async def test_programs_that_start_together_migrate_once(empty_database: str, room: Write) -> None:
    room("0001_begin.sql", "create table thing (id int); select pg_sleep(0.1);")

    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(migrate(empty_database, "a_room", "a_room")) for _ in range(4)]

    assert sorted(len(run.result()) for run in runs) == [0, 0, 0, 1]


async def test_a_database_of_another_encoding_is_refused(cluster: TestCluster) -> None:
    async with cluster.database(template="template0 encoding 'LATIN1'") as dsn:
        with pytest.raises(DatabaseUnfit, match="encoded in LATIN1"):
            await preflight(dsn)


async def test_a_read_only_database_is_refused(empty_database: str) -> None:
    with pytest.raises(DatabaseUnfit, match="read-only"):
        await preflight(empty_database + "&default_transaction_read_only=on")


async def test_a_role_that_may_not_create_or_own_is_told_what_to_grant(
    cluster: TestCluster, empty_database: str
) -> None:
    connection = await asyncpg.connect(cluster.admin_dsn)
    try:
        await connection.execute("create role weak login password 'weak'")
        weak = _as(empty_database, "weak", "weak")
        with pytest.raises(DatabaseUnfit, match="grant create on database"):
            await preflight(weak, "a_room")
        await fetch(empty_database, "create schema a_room")
        with pytest.raises(DatabaseUnfit, match="belongs to another role"):
            await preflight(weak, "a_room")
    finally:
        await connection.execute("drop role weak")
        await connection.close()


def _as(dsn: str, user: str, password: str) -> str:
    return f"postgresql://{user}:{password}@{dsn.split('@', 1)[1]}"


async def test_an_old_server_is_refused(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autopilot.db.migrate.OLDEST_SERVER", 99)

    with pytest.raises(DatabaseUnfit, match="needs 99 or newer"):
        await preflight(empty_database)

"""What tells a database that is away from one that refuses, tried on connections that the server really ends."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import asyncpg
import pytest

from autopilot.db.away import AWAY, reached
from autopilot.db.errors import AddressRefused, DatabaseAway, DatabaseRefused, DatabaseUnfit
from autopilot.db.pool import connect, open_pool


async def ended(dsn: str, connection: asyncpg.Connection) -> None:
    """The server ends a connection; nobody waits until it is noticed."""
    killer = await connect(dsn)
    await killer.execute("select pg_terminate_backend($1)", connection.get_server_pid())
    await killer.close()


async def error_of(connection: asyncpg.Connection, statement: str = "select 1") -> Exception | None:
    try:
        await connection.execute(statement)
    except Exception as error:  # noqa: BLE001  which one it is, is the question
        return error
    return None


async def test_whenever_the_server_ends_a_connection_what_is_asked_of_it_is_not_answered(database: str) -> None:
    async with asyncio.timeout(60):
        for spins in range(20):
            connection = await connect(database)
            await connection.execute("begin")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(ended(database, connection))
                for _ in range(spins):
                    await asyncio.sleep(0)
                errors = [await error_of(connection) for _ in range(spins)]
            errors += [await error_of(connection, "commit"), await error_of(connection)]
            connection.terminate()

            assert errors[-1] is not None
            assert [error for error in errors if error is not None and not isinstance(error, AWAY)] == []


async def test_a_statement_that_runs_when_the_server_ends_its_connection_is_not_answered(database: str) -> None:
    connection = await connect(database)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(error_of(connection, "select pg_sleep(60)"))
        await asyncio.sleep(0)
        await ended(database, connection)
    connection.terminate()

    assert isinstance(asking.result(), AWAY)


async def test_a_refusal_is_no_absence(database: str) -> None:
    connection = await connect(database)
    refused = [await error_of(connection, "select 1 / 0"), await error_of(connection, "select * from nothing")]
    await connection.close()

    assert [isinstance(error, AWAY) for error in refused] == [False, False]


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "mysql://u:p@127.0.0.1/x",
        "postgresql://u:p@127.0.0.1:99999/x",
        "postgresql://u:hunter2/rest@127.0.0.1/x",
        "postgresql://u:p@[::1/x",
        "postgresql://u:p@127.0.0.1:1/x?sslmode=weird",
    ],
)
@pytest.mark.parametrize("way", [connect, open_pool])
async def test_what_is_no_address_is_said_without_the_password(way, address: str) -> None:
    with pytest.raises(AddressRefused, match="DATABASE_URL") as refused:
        await way(address)

    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("postgresql://u:p@127.0.0.1:1/x", DatabaseAway),
        ("postgresql://u:p@nowhere.invalid/x", DatabaseAway),
        ("postgresql://u:p@/x?host=/nowhere", DatabaseAway),
    ],
)
async def test_a_server_that_does_not_answer_is_away(address: str, kind: type[DatabaseRefused]) -> None:
    with pytest.raises(kind, match="not available"), reached():
        await connect(address)


async def test_a_server_that_does_not_let_us_in_is_told_from_one_that_is_away(database: str) -> None:
    killed = await connect(database)
    name = await killed.fetchval("select current_database()")
    await killed.close()

    with pytest.raises(DatabaseUnfit, match="does not let us in"), reached():
        await connect(database.replace(f"/{name}?", "/no_such_database?"))


async def test_a_file_that_is_missing_is_not_the_databases(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), reached():
        (tmp_path / "none").read_bytes()
    with pytest.raises(BrokenPipeError), reached(beside_files=True):
        raise BrokenPipeError(os.strerror(32))

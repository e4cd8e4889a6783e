"""A database that dies while an installation is being started is waited for."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from autopilot.cli.database import AWAY_SECONDS, outlasting
from autopilot.db.errors import DatabaseAway
from autopilot.testing.clock import FakeClock


@pytest.mark.parametrize(
    "away",
    [
        ConnectionRefusedError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("unexpected state"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_asked_of_a_dying_database_is_asked_again(away: Exception) -> None:
    clock, outcomes = FakeClock(), [away, away, "done"]

    async def ask() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return str(outcome)

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(outlasting(clock, ask))
        await clock.until_sleeping()
        await clock.advance(1)

    assert asking.result() == "done"


async def test_a_database_that_stays_away_is_an_error() -> None:
    clock = FakeClock()

    async def ask() -> None:
        raise ConnectionRefusedError

    async def give_up() -> None:
        with pytest.raises(DatabaseAway, match="not available"):
            await outlasting(clock, ask)

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        tasks.create_task(give_up())
        await clock.until_sleeping()
        await clock.advance(AWAY_SECONDS + 1)

"""The installation's database as a service: the embedded Postgres, or none of our business with DATABASE_URL."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from autopilot.db.away import AWAY, reached
from autopilot.db.embedded import EmbeddedPostgres
from autopilot.db.migrate import migrate
from autopilot.db.pool import connect
from autopilot.ops.clock import Clock

T = TypeVar("T")
log = structlog.get_logger("autopilot.database")

QUIT_SECONDS = 1.0
AWAY_SECONDS = 30.0
"""So long a database that we keep running may be away, while it is started again."""
AGAIN_SECONDS = 0.1
SCHEMAS = {"runtime": "autopilot.runtime", "api": "autopilot.api"}
"""Postgres schema -> the package with its migrations."""


@dataclass(slots=True)
class PostgresService:
    """Our own Postgres, for the supervisor to keep."""

    server: EmbeddedPostgres
    name: str = "postgres"
    stop_within_seconds: float = 0.6
    """A clean shutdown writes a checkpoint; one that takes longer is cut short, and made up for at the next start."""
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Bring the server up; also after it was killed."""
        await self.server.start()
        self._process = self.server.process

    async def wait(self) -> int:
        """Its exit code, once it is gone."""
        assert self._process is not None, "started before it is waited for"
        return await self._process.wait()

    async def stop(self) -> None:
        """End it; open connections are cut."""
        await self.server.stop()

    async def kill(self) -> None:
        """End it without a checkpoint: committed work is in its log, the next start replays it."""
        process = self._process
        for number in (signal.SIGQUIT, signal.SIGKILL):
            if process is None or process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(QUIT_SECONDS):
                    await process.wait()
        await self.server.stop()  # nothing is left to end; it lets go of the folder


async def migrate_all(dsn: str) -> int:
    """Bring every schema up to date; how many migrations were applied.

    Raises:
        autopilot.db.errors.DatabaseRefused: the database is not one we can use.
    """
    connection = await connect(dsn)
    try:
        return sum([len(await migrate(connection, schema, package)) for schema, package in SCHEMAS.items()])
    finally:
        await connection.close()


async def outlasting(clock: Clock, doing: Callable[[], Awaitable[T]]) -> T:
    """Do it again until the database was there for it: one that dies meanwhile is started again by the supervisor.

    Raises:
        autopilot.db.errors.DatabaseAway: it stayed away for AWAY_SECONDS.
    """
    give_up_at = clock.monotonic() + AWAY_SECONDS
    while True:
        try:
            return await doing()
        except AWAY as error:
            if clock.monotonic() > give_up_at:
                with reached():
                    raise
            log.warning("database.away", error=str(error))
        await clock.sleep(AGAIN_SECONDS)

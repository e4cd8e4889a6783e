"""The installation's database as a service: the embedded Postgres, or none of our business with DATABASE_URL."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass, field

import asyncpg

from autopilot.db.embedded import EmbeddedPostgres
from autopilot.db.migrate import migrate

SCHEMAS = {"runtime": "autopilot.runtime", "api": "autopilot.api"}
"""Postgres schema -> the package with its migrations."""


@dataclass(slots=True)
class PostgresService:
    """Our own Postgres, for the supervisor to keep."""

    server: EmbeddedPostgres
    name: str = "postgres"
    stop_within_seconds: float = 5.0
    """A fast shutdown writes out a checkpoint; killing it instead only moves that work to the next start."""
    _last_exit: int = field(default=0, init=False)

    async def start(self) -> None:
        """Bring the server up; also after it was killed."""
        await self.server.start()

    async def wait(self) -> int:
        """Its exit code, once it is gone."""
        process = self.server.process
        return await process.wait() if process is not None else self._last_exit

    async def stop(self) -> None:
        """End it; open connections are cut."""
        await self.server.stop()

    async def kill(self) -> None:
        """End it without a checkpoint."""
        process = self.server.process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            self._last_exit = await process.wait()


async def migrate_all(dsn: str) -> int:
    """Bring every schema up to date; how many migrations were applied.

    Raises:
        autopilot.db.errors.DatabaseRefused: the database is not one we can use.
    """
    connection = await asyncpg.connect(dsn)
    try:
        return sum([len(await migrate(connection, schema, package)) for schema, package in SCHEMAS.items()])
    finally:
        await connection.close()

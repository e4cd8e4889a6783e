"""When a machine counts as away: silent for too long, while this runtime could hear.

Owns since when this runtime has been able to hear: a process that was held up, or whose database was away, has missed
signs of life and judges nobody by that silence. What was said last stays as it is, with its time. A runtime that has
just started knows of no such gap: it judges by the ledger. Relies on Postgres for the time; each process judges alone.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

import asyncpg

from autopilot.ops.log import get_logger
from autopilot.runtime.settings import RuntimeChoices

LOOK_SECONDS = 1.0
LATE_SECONDS = 4.0
"""A look that comes so late after the one before it says that this process was held up, or its database."""

log = get_logger("autopilot.runtime.hearing")


class Hearing:
    """Keep `run` running; `is_away` judges one machine, at the time of a row that was read."""

    def __init__(self, pool: asyncpg.Pool, choices: RuntimeChoices) -> None:
        self.choices = choices
        self._pool = pool
        self._since: datetime | None = None
        """From when on silence counts, by Postgres' clock; None: there was no gap."""
        self._heard: float | None = None
        """When it was looked last, by the loop's clock."""

    async def run(self) -> None:
        """Look, forever."""
        while True:
            with contextlib.suppress(
                OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError
            ):
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Ask the database for the time; where that was not done for too long, silence counts from now on.

        Raises:
            OSError, asyncpg.PostgresError, …: it does not answer.
        """
        async with asyncio.timeout(LATE_SECONDS):
            now = await self._pool.fetchval("select clock_timestamp()")
        if self._is_late:
            self._since = now
            log.warning("hearing.was_interrupted")
        self._heard = _clock()

    def is_away(self, read_at: datetime, heard: datetime | None) -> bool:
        """Whether a machine that was heard at `heard` is away; one that was never heard is."""
        if heard is None:
            return True
        if self._is_late:
            return False
        counted = heard if self._since is None else max(heard, self._since)
        return (read_at - counted).total_seconds() * 1000 > self.choices.away_after_ms

    @property
    def _is_late(self) -> bool:
        return self._heard is not None and _clock() - self._heard > LATE_SECONDS


def _clock() -> float:
    """The real time of this process: what is measured is whether it runs, whatever clock it is given."""
    return asyncio.get_running_loop().time()

"""Time as something that is handed in, so that tests can turn it (autopilot.testing.clock).

The order of events never comes from here: where it matters, Postgres' clock decides.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What code may ask of time."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC: for people and records; it may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never backwards: for durations and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; zero or less lets others run once."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """See Clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See Clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See Clock."""
        await asyncio.sleep(seconds)

"""Real time, faster: for tests over real sockets whose subject is what happens, not when."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta


class ScaledClock:
    """Implements autopilot.ops.clock.Clock; `factor` seconds pass in each real one."""

    def __init__(self, factor: float, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._factor = factor
        self._start = start
        self._began = time.monotonic()

    def now(self) -> datetime:
        """The start plus what has passed."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Scaled seconds since it was made."""
        return (time.monotonic() - self._began) * self._factor

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of its own."""
        await asyncio.sleep(max(0.0, seconds) / self._factor)

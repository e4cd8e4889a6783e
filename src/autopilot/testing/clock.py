"""A clock that only moves when it is told to."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

SETTLE_ROUNDS = 20
"""How often everything that is ready gets to run after a wake-up, before time moves on."""


class FakeClock:
    """Deterministic virtual time; implements autopilot.ops.clock.Clock.

    Sleepers wake in the order of their deadlines (then of their falling asleep), each at exactly its own time, and what
    they set off runs before the next one wakes.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._fell_asleep = asyncio.Event()

    def now(self) -> datetime:
        """The start plus what has been advanced."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has gone so far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiting = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), waiting))
        self._fell_asleep.set()
        await waiting

    @property
    def sleeping(self) -> int:
        """How many sleep now."""
        return sum(not waiting.done() for _, _, waiting in self._sleepers)

    @property
    def next_wake_seconds(self) -> float | None:
        """How far `advance` must go for the next to wake; None when nobody sleeps."""
        deadlines = [deadline for deadline, _, waiting in self._sleepers if not waiting.done()]
        return min(deadlines) - self._elapsed if deadlines else None

    async def until_sleeping(self, count: int = 1) -> None:
        """Return once `count` sleepers are waiting. Bound it with asyncio.timeout."""
        while self.sleeping < count:
            self._fell_asleep.clear()
            await self._fell_asleep.wait()

    async def advance(self, seconds: float) -> None:
        """Move time on by `seconds`, waking on the way whoever's time has come."""
        target = self._elapsed + seconds
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            deadline, _, waiting = heapq.heappop(self._sleepers)
            if waiting.done():  # cancelled in its sleep
                continue
            self._elapsed = max(self._elapsed, deadline)
            waiting.set_result(None)
            await _settle()
        self._elapsed = target
        await _settle()


async def _settle() -> None:
    for _ in range(SETTLE_ROUNDS):
        await asyncio.sleep(0)

"""Virtual time is exact and in order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from autopilot.ops.clock import SystemClock
from autopilot.testing.clock import FakeClock


async def test_sleepers_wake_in_the_order_of_their_deadlines_each_at_its_time() -> None:
    clock = FakeClock(datetime(2026, 11, 22, tzinfo=UTC))
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, clock.monotonic()))

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("slow", 3))
        group.create_task(sleeper("twice", 1, 1))
        group.create_task(sleeper("tie", 2))
        await clock.advance(10)

    assert woken == [("twice", 1), ("tie", 2), ("twice", 2), ("slow", 3)]
    assert clock.now() == datetime(2026, 11, 22, 0, 0, 10, tzinfo=UTC)


async def test_nobody_wakes_early() -> None:
    clock = FakeClock()

    async with asyncio.TaskGroup() as group:
        nap = group.create_task(clock.sleep(5))
        await clock.until_sleeping()
        await clock.advance(4.9)
        assert not nap.done()
        assert clock.next_wake_seconds == 5 - 4.9
        await clock.advance(0.2)
        assert nap.done()


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = FakeClock()

    async with asyncio.TaskGroup() as group:
        nap = group.create_task(clock.sleep(5))
        await clock.until_sleeping()
        nap.cancel()

    await clock.advance(10)
    assert (clock.sleeping, clock.next_wake_seconds) == (0, None)


async def test_the_system_clock_is_aware_and_never_goes_back() -> None:
    clock = SystemClock()
    before = clock.monotonic()

    await clock.sleep(0)

    assert clock.now().tzinfo is UTC
    assert clock.monotonic() >= before

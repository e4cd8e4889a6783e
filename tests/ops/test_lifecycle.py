"""Signals end a process once; background work that fails begins again; nothing outlives its owner."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from autopilot.ops.lifecycle import run_until, stop_on_signals, supervise
from autopilot.testing.clock import FakeClock


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_an_event(number: int) -> None:
    async with stop_on_signals() as stop, asyncio.timeout(5):
        os.kill(os.getpid(), number)
        await stop.wait()


async def test_work_is_cancelled_when_the_end_is_asked_for() -> None:
    stop, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(run_until(stop, work, work))
        await asyncio.sleep(0)
        stop.set()

    assert ended.is_set()


async def test_work_that_fails_ends_all_with_its_error() -> None:
    async def breaks() -> None:
        raise RuntimeError("broken")

    async def goes_on() -> None:
        await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as failed:
        async with asyncio.timeout(5):
            await run_until(asyncio.Event(), breaks, goes_on)

    assert failed.group_contains(RuntimeError, match="broken")


async def test_supervised_work_begins_again_after_pauses_that_double() -> None:
    clock = FakeClock()
    began: list[float] = []

    async def work() -> None:
        began.append(clock.monotonic())
        if len(began) < 5:
            raise RuntimeError("broken")

    async with asyncio.TaskGroup() as group:
        group.create_task(supervise("sweep", work, clock=clock))
        await clock.advance(60)

    assert began == [0, 0.5, 1.5, 3.5, 7.5]


async def test_the_pause_is_short_again_after_a_healthy_run() -> None:
    clock = FakeClock()
    began: list[float] = []

    async def work() -> None:
        began.append(clock.monotonic())
        if len(began) == 3:
            await clock.sleep(100)
        if len(began) < 5:
            raise RuntimeError("broken")

    async with asyncio.TaskGroup() as group:
        group.create_task(supervise("sweep", work, clock=clock))
        await clock.advance(200)

    assert began == [0, 0.5, 1.5, 102, 103]

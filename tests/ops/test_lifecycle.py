"""Signals end a process once; background work that fails begins again."""

from __future__ import annotations

import asyncio
import gc
import os
import signal

import pytest

from autopilot.ops.lifecycle import COLLECT_AFTER_OBJECTS, spare_collector, stop_on_signals, supervise
from autopilot.testing.clock import FakeClock


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_is_an_event(number: int) -> None:
    async with stop_on_signals() as stop, asyncio.timeout(30):
        os.kill(os.getpid(), number)
        await stop.wait()


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


def test_a_server_spares_the_collector_what_start_up_made() -> None:
    threshold = gc.get_threshold()
    try:
        spare_collector()

        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == COLLECT_AFTER_OBJECTS
    finally:
        gc.unfreeze()
        gc.set_threshold(*threshold)

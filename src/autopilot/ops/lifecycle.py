"""The life of a process: signals become one event, background work that fails begins again, memory is looked after.

Relies on asyncio.TaskGroup. The only places here that catch every exception are the supervisor's.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger

log = get_logger("autopilot.lifecycle")

Work = Callable[[], Coroutine[Any, Any, None]]
"""Makes a fresh coroutine each time it is called."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
HEALTHY_AFTER_SECONDS = 60.0
"""Work that ran so long before it failed begins again without a longer pause."""

COLLECT_AFTER_OBJECTS = 10_000
"""With Python's own 700, one part in twenty of a server's CPU went into looking for garbage that wasn't there."""


def spare_collector() -> None:
    """Take what start-up made out of the garbage collector's sight, and let it look less often: once, before serving.

    What a request makes ends by its reference counts; looking for cycles among all modules costs and finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS)


@contextlib.asynccontextmanager
async def stop_on_signals() -> AsyncIterator[asyncio.Event]:
    """An event that the first SIGTERM or SIGINT sets; a second one ends the process as it would without us."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        log.info("process.stop_asked", signal=number.name)
        stop.set()
        loop.remove_signal_handler(number)

    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, asked, number)
    try:
        yield stop
    finally:
        for number in STOP_SIGNALS:
            loop.remove_signal_handler(number)


async def supervise(name: str, work: Work, *, clock: Clock) -> None:
    """Run `work` until it returns; when it fails, say so and begin again, after a pause that doubles up to 30 s."""
    pause_seconds = FIRST_PAUSE_SECONDS
    while True:
        began = clock.monotonic()
        try:
            await work()
        except Exception:
            if clock.monotonic() - began > HEALTHY_AFTER_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            log.exception("work.failed", work=name, again_in_seconds=pause_seconds)
            await clock.sleep(pause_seconds)
            pause_seconds = min(2 * pause_seconds, LONGEST_PAUSE_SECONDS)
        else:
            return

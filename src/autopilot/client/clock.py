"""Time as the SDK needs it, and the one way to wait for something no longer than a given time.

Every wait of this package goes through a `Clock`, so that tests decide when time passes. `autopilot.ops.clock` and
`autopilot.testing.clock.FakeClock` have the same shape; this room can't import them, because it also runs on a phone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """Wall clock, aware, UTC: for people and for the expiry of tokens."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow: for every interval."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Wall clock, aware, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass."""
        await asyncio.sleep(seconds)


SYSTEM_CLOCK = SystemClock()


async def within(
    clock: Clock,
    seconds: float,
    work: Callable[[], Awaitable[T]],
    *,
    wake: asyncio.Event | None = None,
    doubt: Callable[[], bool] | None = None,
) -> T:
    """The result of `work()`, if it comes before `seconds` of `clock` pass.

    When `wake` is set meanwhile it is cleared, and `doubt()` asked whether to give up. No task outlives the call,
    however it ends: `work` is cancelled and awaited.

    Raises:
        TimeoutError: time was up first.
        Woken: `doubt()` said yes.
        Exception: whatever `work` raised.
    """
    woken = False
    async with asyncio.TaskGroup() as group:
        doing = group.create_task(_outcome(work))
        alarm = group.create_task(clock.sleep(seconds))
        bell = group.create_task(_rung(wake, doubt)) if wake is not None and doubt is not None else alarm
        await asyncio.wait({doing, alarm, bell}, return_when=asyncio.FIRST_COMPLETED)
        woken = bell is not alarm and bell.done()
        for task in (doing, alarm, bell):
            task.cancel()
    if doing.cancelled():
        raise Woken if woken else TimeoutError
    result, error = doing.result()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # without an error there is a result


async def _rung(wake: asyncio.Event, doubt: Callable[[], bool]) -> None:
    while True:
        await wake.wait()
        wake.clear()
        if doubt():
            return


async def unless(rung: asyncio.Event, work: Callable[[], Awaitable[T]]) -> T:
    """The result of `work()`, where it comes before `rung` is set. No task outlives the call, as in `within`.

    Raises:
        Woken: `rung` was first.
        Exception: whatever `work` raised.
    """
    async with asyncio.TaskGroup() as group:
        doing, bell = group.create_task(_outcome(work)), group.create_task(rung.wait())
        await asyncio.wait({doing, bell}, return_when=asyncio.FIRST_COMPLETED)
        doing.cancel()
        bell.cancel()
    if doing.cancelled():
        raise Woken
    result, error = doing.result()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # without an error there is a result


class Woken(Exception):
    """A wait was ended by its bell."""


async def _outcome(work: Callable[[], Awaitable[T]]) -> tuple[T | None, Exception | None]:
    """Result or exception as a value, so that a TaskGroup never wraps it."""
    try:
        return await work(), None
    except Exception as error:  # noqa: BLE001 - handed on unchanged, to be raised outside the group
        return None, error


async def finishing(clock: Clock, grace_seconds: float, work: Callable[[], Awaitable[T]]) -> T:
    """The result of `work()`, which gets `grace_seconds` to finish when the caller is cancelled.

    For steps whose half is worse than a short delay (a token that was rotated, but isn't stored yet).
    """
    cancelled: asyncio.CancelledError | None = None
    async with asyncio.TaskGroup() as group:
        doing = group.create_task(_outcome(work))
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError as error:
            cancelled = error
            alarm = group.create_task(clock.sleep(grace_seconds))
            await asyncio.wait({doing, alarm}, return_when=asyncio.FIRST_COMPLETED)
            alarm.cancel()
            doing.cancel()
    if cancelled is not None:
        raise cancelled
    result, error_of_work = doing.result()
    if error_of_work is not None:
        raise error_of_work
    return result  # type: ignore[return-value]  # without an error there is a result

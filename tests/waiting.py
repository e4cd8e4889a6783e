"""Waiting for what another program makes true and tells nobody: the one place where tests pause between two looks.

A pause is never what a test relies on: it goes on as soon as a look finds what it looks for, and fails in words when
none does. Whatever has an event, a stream or a process to await is awaited instead.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

PATIENCE_SECONDS = 40.0
"""Far beyond what anything takes on a busy machine."""
BETWEEN_LOOKS_SECONDS = 0.02

Found = TypeVar("Found")


async def until(
    look: Callable[[], Found | Awaitable[Found]],
    *,
    within_seconds: float = PATIENCE_SECONDS,
    between_seconds: float = BETWEEN_LOOKS_SECONDS,
) -> Found:
    """The first thing found that is true; `look` may ask somebody, less often where that costs them something.

    Raises:
        TimeoutError: nothing was found in time.
    """
    async with asyncio.timeout(within_seconds):
        while True:
            found = look()
            if inspect.isawaitable(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(between_seconds)

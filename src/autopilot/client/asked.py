"""Something that a screen asks a server for: what it said last and when, whether it is being asked, why it failed.

What was said stays while it is asked for again, and where that fails: a screen shows it with its age. Relies on the
caller for when to ask; keeps nothing beyond the process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from autopilot.client.clock import Clock
from autopilot.client.observable import Observable
from autopilot.contract.errors import AutopilotError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AskedView(Generic[T]):
    """One moment of it."""

    value: T | None = None
    """What was said last; None: nothing yet."""
    as_of: datetime | None = None
    """When that was, by this device's clock."""
    error: AutopilotError | None = None
    """Why the last asking failed; None: it did not."""
    is_asking: bool = False


class Asked(Observable[AskedView[T]], Generic[T]):
    """One question, asked as often as somebody wants to know."""

    def __init__(self, clock: Clock, ask: Callable[[], Awaitable[T]]) -> None:
        super().__init__()
        self._clock = clock
        self._ask = ask
        self._now: AskedView[T] = AskedView()
        self._number = 0

    async def look(self, ask: Callable[[], Awaitable[T]] | None = None) -> None:
        """Ask now; `ask`: for something else from now on, and what was known of the other is forgotten.

        Never raises for what a server says: `view.error` has it. Of several at once the last one counts.
        """
        if ask is not None:
            self._ask = ask
            self._now = AskedView()
        self._number += 1
        mine = self._number
        known = self._now
        self._become(AskedView(known.value, known.as_of, None, is_asking=True))
        try:
            value = await self._ask()
        except AutopilotError as error:
            if mine == self._number:
                self._become(AskedView(known.value, known.as_of, error))
            return
        except BaseException:  # nobody waits for it any more
            if mine == self._number:
                self._become(AskedView(known.value, known.as_of, known.error))
            raise
        if mine == self._number:
            self._become(AskedView(value, self._clock.now()))

    def _seen(self) -> AskedView[T]:
        return self._now

    def _become(self, view: AskedView[T]) -> None:
        self._now = view
        self._change()

"""A value that changes, and those who want to know: the newest one, at most once a turn of the loop."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Observable(ABC, Generic[V]):
    """Something with a `view`; who changes it calls `_change`."""

    def __init__(self) -> None:
        self._view: V | None = None
        self._listeners: list[Callable[[V], None]] = []
        self._announced = False

    @property
    def view(self) -> V:
        """What is known now; the same object until something changes."""
        if self._view is None:
            self._view = self._seen()
        return self._view

    def subscribe(self, listener: Callable[[V], None]) -> Callable[[], None]:
        """Call `listener` with the newest view, at most once a turn of the loop; returns what cancels that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    async def changes(self) -> AsyncIterator[V]:
        """The view now, and then the newest one whenever it is another; those in between are skipped."""
        changed = asyncio.Event()
        cancel = self.subscribe(lambda _view: changed.set())
        try:
            while True:
                changed.clear()
                yield self.view
                await changed.wait()
        finally:
            cancel()

    @abstractmethod
    def _seen(self) -> V:
        """Make the view of what is known now."""

    def _change(self) -> None:
        """What is known is another."""
        self._view = None
        if self._listeners and not self._announced:
            self._announced = True
            asyncio.get_running_loop().call_soon(self._announce)

    def _announce(self) -> None:
        self._announced = False
        for listener in tuple(self._listeners):
            listener(self.view)

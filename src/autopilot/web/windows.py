"""What the open windows of each browser show, told to the API together.

A session has one look, its browser may have many windows: what any of them shows is told whenever one of them says or
leaves something, one telling of a browser at a time, so that none overtakes another. Relies on a window to leave when
its stream ends. Knows those of this process only: where several processes serve one browser, the one that told last
counts until another tells again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from autopilot.contract.errors import Forbidden
from autopilot.web.visitors import Visitor

MOST_SHOWN = 32
"""Workers that one look can name."""


@dataclass(slots=True, weakref_slot=True)
class _Browser:
    """Kept by its windows."""

    shown: dict[Window, str] = field(default_factory=dict)
    """Which worker each shows; the one that spoke last at the end."""
    telling: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """One window, for as long as its stream is open."""

    visitor: Visitor
    _browser: _Browser

    async def show(self, worker_id: str) -> None:
        """This worker is before somebody's eyes.

        Raises:
            Forbidden: a guest's browser: nobody is ever told anything there.
            AutopilotError: it could not be told; it is with the next telling.
        """
        self._browser.shown.pop(self, None)
        self._browser.shown[self] = worker_id
        try:
            await self._tell()
        except Forbidden:
            self._browser.shown.pop(self, None)  # its stream may have ended meanwhile
            raise

    async def leave(self) -> None:
        """Nothing is, here; other windows go on.

        Raises:
            AutopilotError: it could not be told: the last look holds until it is over.
        """
        if self._browser.shown.pop(self, None) is not None:
            await self._tell()

    async def _tell(self) -> None:
        async with self._browser.telling:
            latest_first = reversed(self._browser.shown.values())
            await self.visitor.client.look_at(list(dict.fromkeys(latest_first))[:MOST_SHOWN])


class Windows:
    """Of all browsers."""

    def __init__(self) -> None:
        self._browsers: WeakValueDictionary[str, _Browser] = WeakValueDictionary()

    def of(self, visitor: Visitor) -> Window:
        """Another window of the visitor's browser."""
        return Window(visitor, self._browsers.setdefault(visitor.key, _Browser()))

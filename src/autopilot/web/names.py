"""The names that a browser's screens know people, devices, machines and teams by, asked for once in a while.

Kept for each cookie for a minute (less where there is no machine yet), bounded. Somebody of whom there is no name is
asked for at once, but not for ever: whoever stays unknown is not asked for again before the minute is over.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field

from autopilot.client.clock import Clock
from autopilot.client.name_book import MOST_EARLY, names_of
from autopilot.client.presenters.people import Names, is_known
from autopilot.contract import Actor
from autopilot.contract.errors import AutopilotError
from autopilot.web.visitors import Visitor

KEPT = 500
GOOD_SECONDS = 60.0
BEGINNING_SECONDS = 5.0
"""As long as there is no machine: the first one is about to come."""
PATIENCE_SECONDS = 2.0
"""As long may what happens wait for the name of who did it."""


@dataclass(slots=True)
class _Known:
    names: Names = field(default_factory=Names)
    good_until: float = 0.0
    nameless: set[Actor] = field(default_factory=set)
    """Asked for in vain."""
    early: int = 0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def lacks(self, actors: Iterable[Actor | None], now: float) -> bool:
        """Whether to ask."""
        if self.good_until <= now:
            return True
        return self.early < MOST_EARLY and any(one not in self.nameless for one in self.unknown(actors))

    def unknown(self, actors: Iterable[Actor | None]) -> set[Actor]:
        """Those without a name."""
        return {one for one in actors if one is not None and not is_known(one, self.names)}


class NameBook:
    """The names that each browser knows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Known] = OrderedDict()

    async def of(self, visitor: Visitor, actors: Iterable[Actor | None] = ()) -> Names:
        """What this one knows, of these above all; what it knew last where nobody can be asked."""
        known, met = self._kept.setdefault(visitor.key, _Known()), tuple(actors)
        self._kept.move_to_end(visitor.key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        if known.lacks(met, self._clock.monotonic()):
            async with known.asking:
                if known.lacks(met, self._clock.monotonic()):  # who was first has asked for all who waited
                    await self._ask(visitor, known, met)
        return known.names

    async def _ask(self, visitor: Visitor, known: _Known, met: tuple[Actor | None, ...]) -> None:
        is_due = known.good_until <= self._clock.monotonic()
        known.early = 0 if is_due else known.early + 1
        try:
            asked = await names_of(visitor.client)
        except AutopilotError:  # names are a courtesy, and whatever is wrong is told by who asks for more than names
            return
        if asdict(known.names) != asdict(asked):  # else what was rendered with the same names stays good
            known.names = asked
        if is_due:
            known.good_until = self._clock.monotonic() + (GOOD_SECONDS if asked.machines else BEGINNING_SECONDS)
            known.nameless.clear()
        known.nameless |= known.unknown(met)


@dataclass(slots=True)
class Acquaintance:
    """The names that one stream goes on with, for as long as it is open."""

    book: NameBook
    visitor: Visitor
    names: Names

    async def meet(self, *actors: Actor | None) -> None:
        """Know the names of these, where there are any to be had soon."""
        if all(is_known(one, self.names) for one in actors):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                self.names = await self.book.of(self.visitor, actors)


def person_key(visitor: Visitor, names: Names) -> str:
    """Names the person in what a browser keeps (drafts, recent requests): the same at their next sign-in."""
    return visitor.key if names.me is None else hashlib.sha256(f"user {names.me}".encode()).hexdigest()[:16]

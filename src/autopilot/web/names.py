"""The names that a browser's screens know people, devices, machines and teams by, asked for once in a while.

Kept for each cookie for a minute (less where there is no machine yet), bounded.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import asdict

from autopilot.client.clock import Clock
from autopilot.client.name_book import names_of
from autopilot.client.presenters.people import Names
from autopilot.contract.errors import AutopilotError
from autopilot.web.visitors import Visitor

KEPT = 500
GOOD_SECONDS = 60.0
BEGINNING_SECONDS = 5.0
"""As long as there is no machine: the first one is about to come."""


class NameBook:
    """The names that each browser knows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Names]] = OrderedDict()

    async def of(self, visitor: Visitor) -> Names:
        """What this one knows; what it knew last where nobody can be asked."""
        until, names = self._kept.get(visitor.key, (0.0, Names()))
        if until > self._clock.monotonic():
            return names
        try:
            asked = await names_of(visitor.client)
        except AutopilotError:  # names are a courtesy, and whatever is wrong is told by who asks for more than names
            return names
        names = names if asdict(names) == asdict(asked) else asked  # what was rendered with the same names stays good
        good_seconds = GOOD_SECONDS if names.machines else BEGINNING_SECONDS
        self._kept[visitor.key] = (self._clock.monotonic() + good_seconds, names)
        self._kept.move_to_end(visitor.key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return names


def person_key(visitor: Visitor, names: Names) -> str:
    """Names the person in what a browser keeps (drafts, recent requests): the same at their next sign-in."""
    return visitor.key if names.me is None else hashlib.sha256(f"user {names.me}".encode()).hexdigest()[:16]

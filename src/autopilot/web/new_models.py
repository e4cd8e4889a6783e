"""The models that a machine's Codex knows, asked of it once in a while, for all browsers."""

from __future__ import annotations

from collections import OrderedDict

from autopilot.client import new_session
from autopilot.client.clock import Clock
from autopilot.client.new_session import Model
from autopilot.web.visitors import Visitor

GOOD_SECONDS = 600.0
KEPT = 200


class Models:
    """By who asks, and machine: another person may see other machines."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, tuple[Model, ...]]] = OrderedDict()

    async def of(self, visitor: Visitor, machine_id: str) -> tuple[Model, ...] | str:
        """Those of a machine; else why they are not known.

        Raises:
            AutopilotError: it can't be asked at all.
        """
        key = (visitor.key, machine_id)
        until, models = self._kept.get(key, (0.0, ()))
        if until > self._clock.monotonic():
            return models
        found = await new_session.models_of(visitor.client, machine_id)
        if not isinstance(found, str):
            self._kept[key] = (self._clock.monotonic() + GOOD_SECONDS, found)
            self._kept.move_to_end(key)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

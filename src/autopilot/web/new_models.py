"""The models that a machine's Codex knows, asked of it once in a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autopilot.client.clock import Clock
from autopilot.client.presenters.receipts import state_of
from autopilot.web.visitors import Visitor

GOOD_SECONDS = 600.0
KEPT = 200
WAIT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Model:
    """One that can be chosen."""

    name: str
    """As Codex wants to hear it."""
    label: str
    is_default: bool


class Models:
    """By who asks, and machine: another person may see other machines."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, tuple[Model, ...]]] = OrderedDict()

    async def of(self, visitor: Visitor, machine_id: str) -> Sequence[Model] | str:
        """Those of a machine; else why they are not known.

        Raises:
            AutopilotError: it can't be asked at all.
        """
        key = (visitor.key, machine_id)
        until, models = self._kept.get(key, (0.0, ()))
        if until > self._clock.monotonic():
            return models
        answer = await visitor.client.machine_request(machine_id, "model/list", {}, wait_ms=WAIT_MS)
        data = answer.response.get("data") if answer.ok and isinstance(answer.response, dict) else None
        if not isinstance(data, list):
            message = (answer.error or {}).get("message")
            waits = state_of(answer.state, machine_unreachable=answer.machine_unreachable is True).text
            return str(message or waits)
        models = tuple(_model(one) for one in data if isinstance(one, dict) and one.get("hidden") is not True)
        self._kept[key] = (self._clock.monotonic() + GOOD_SECONDS, models)
        self._kept.move_to_end(key)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return models


def _model(told: dict[str, Any]) -> Model:
    name = str(told.get("model") or told.get("id") or "")
    return Model(name, str(told.get("displayName") or name), told.get("isDefault") is True)

"""The items of a timeline, in order, within limits. Knows nothing of events."""

from __future__ import annotations

from dataclasses import dataclass, replace

from autopilot.client.timeline_form import weight_of
from autopilot.client.timeline_items import Item


@dataclass(frozen=True, slots=True)
class TimelineLimits:
    """What is kept."""

    items: int = 1000
    text_characters: int = 200_000
    """Of one text; more keeps head and tail."""
    characters: int = 8_000_000
    """Of all items together, roughly."""


class Board:
    """Items by key, oldest first; the oldest are dropped when there are too many or they are too big."""

    def __init__(self, limits: TimelineLimits) -> None:
        self.limits = limits
        self.dropped = 0
        self.active_turn_id: str | None = None
        self._items: dict[str, Item] = {}
        self._open: dict[str, None] = {}
        self._weight = 0
        self._shown: tuple[Item, ...] | None = None

    @property
    def items(self) -> tuple[Item, ...]:
        """All of them; the same tuple until something changes."""
        if self._shown is None:
            self._shown = tuple(self._items.values())
        return self._shown

    def get(self, key: str) -> Item | None:
        """One item."""
        return self._items.get(key)

    def put(self, item: Item) -> Item:
        """Add an item, or replace the one of the same key in its place; then keep within the limits."""
        before = self._items.get(item.key)
        self._weight += weight_of(item) - (weight_of(before) if before else 0)
        self._items[item.key] = item
        if item.status == "open":
            self._open[item.key] = None
        else:
            self._open.pop(item.key, None)
        self._shown = None
        while len(self._items) > 1 and (len(self._items) > self.limits.items or self._weight > self.limits.characters):
            self._drop(next(iter(self._items)))
        return item

    def close(self, status: str, *, seq: int, turn_id: str | None = None) -> list[Item]:
        """Give every open item (of one turn) this status; those items."""
        ending = [self._items[key] for key in self._open if turn_id is None or self._items[key].turn_id == turn_id]
        return [self.put(replace(item, status=status, last_seq=seq)) for item in ending]

    def _drop(self, key: str) -> None:
        self._weight -= weight_of(self._items.pop(key))
        self._open.pop(key, None)
        self.dropped += 1

"""Renderings that are kept, so that an item that did not change is not rendered for every browser that looks at it.

An item is the same where its key, its last event and its content are; the look must be the same too. Bounded by
characters: what was not asked for the longest goes first. For one task at a time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from autopilot.client.presenters.timeline import changes_by_itself
from autopilot.client.timeline_items import Item
from autopilot.web.timeline import render
from autopilot.web.timeline.look import PLAIN, Look

MOST_CHARACTERS = 8_000_000
_ENTRY_CHARACTERS = 300
"""What holding one costs beside its text."""

Key = tuple[Look, str, int, bool]


@dataclass(frozen=True, slots=True)
class _Kept:
    item: Item
    html: Markup


class RenderCache:
    """For all timelines of a process."""

    def __init__(self, most_characters: int = MOST_CHARACTERS) -> None:
        self._most = most_characters
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def characters(self) -> int:
        """How much is kept."""
        return self._characters

    def html(self, item: Item, look: Look = PLAIN, now: datetime | None = None) -> Markup:
        """The item's HTML, made anew only where it is another than before."""
        key = (look, item.key, item.last_seq, changes_by_itself(item, now))
        kept = self._kept.get(key)
        if kept is not None and (kept.item is item or kept.item == item):
            self._kept.move_to_end(key)
            return kept.html
        html = Markup(str(render(item, look, now)))  # noqa: S704 - made by the renderers, which escape
        self._drop(key)
        self._kept[key] = _Kept(item, html)
        self._characters += _weight(html)
        while self._characters > self._most and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return html

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._characters -= _weight(kept.html)


def _weight(html: Markup) -> int:
    return len(html) + _ENTRY_CHARACTERS

"""Which items of a timeline are on a screen that draws all that it holds: the newest, or those that one reads.

Items stand in chunks, so that what changes is one chunk of a few. At most `MOST` items are held: while one looks at
the end the oldest chunk is let go, where it can be in a step that brings nothing new, for both together take long;
while one reads further up nothing moves under the reader, and what is new waits.
Pure: knows no control, asks nobody. For one task at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice

from autopilot.client.timeline_items import Item

CHUNK = 25
MOST = 300
AT_FIRST = 200
STEP = 50
"""So many come in at one of its ends when one scrolls there."""


@dataclass(eq=False, slots=True)
class Chunk:
    """Items that stand together; the same object for as long as it is held."""

    number: int
    items: list[Item]


@dataclass(slots=True)
class Change:
    """What a step did to the window."""

    items: dict[str, Item] = field(default_factory=dict)
    """Items that were held already and are others now, by key."""
    chunks: list[Chunk] = field(default_factory=list)
    """Chunks that were held already and have more items, or fewer."""
    is_rearranged: bool = False
    """Whether other chunks are held than before."""

    def __bool__(self) -> bool:
        return bool(self.items or self.chunks or self.is_rearranged)


class TimelineWindow:
    """A part of a timeline."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        """In order; none is empty."""
        self.is_at_end = True
        """Whether it goes to the newest item that was taken."""
        self.has_news = False
        """Whether something came while nobody looked at the end."""
        self._numbers = count(1)
        self._chunk_of: dict[str, Chunk] = {}

    def __len__(self) -> int:
        return len(self._chunk_of)

    def __iter__(self) -> Iterator[Item]:
        return (item for chunk in self.chunks for item in chunk.items)

    @property
    def first(self) -> Item | None:
        """The oldest item that is held."""
        return self.chunks[0].items[0] if self.chunks else None

    @property
    def last(self) -> Item | None:
        """The newest item that is held."""
        return self.chunks[-1].items[-1] if self.chunks else None

    def take(self, items: Sequence[Item], *, is_watched: bool) -> Change:
        """The timeline became this; `is_watched`: somebody looks at its end, and follows it."""
        new = self._after_last(items)
        if new is None or (is_watched and len(new) > MOST):
            if is_watched or not len(self):
                return self.to_end(items)
            self.has_news, self.is_at_end = True, False  # it goes on further on: the way there is to its end
            return self._changed(items)
        change = self._changed(items)
        if not new:
            if change and is_watched and self.is_at_end:
                self._let_go_of_the_oldest(change, most=MOST - CHUNK)
            return change
        self.has_news = self.has_news or not is_watched
        if self.is_at_end:
            room = len(new) if is_watched else max(0, MOST - len(self))
            self._append(new[:room], change)
            self.is_at_end = room >= len(new)
        self._let_go_of_the_oldest(change)
        return change

    def to_end(self, items: Sequence[Item]) -> Change:
        """Go to the end of the timeline, wherever one was."""
        self.chunks.clear()
        self._chunk_of.clear()
        self.is_at_end, self.has_news = True, False
        change = Change(is_rearranged=True)
        self._append(items[-AT_FIRST:], change)
        change.chunks = []
        return change

    def seen(self) -> None:
        """Somebody looks at the end."""
        self.has_news = False

    def earlier(self, items: Sequence[Item]) -> Sequence[Item]:
        """What the timeline has before the window: as much as comes in at once; nothing where it begins later."""
        first = self.first
        at = next((at for at, item in enumerate(items) if first is not None and is_same(item, first)), 0)
        return items[max(0, at - STEP) : at]

    def prepend(self, older: Sequence[Item]) -> Change:
        """Older items come in at its beginning; the newest go where there are too many."""
        added = [item for item in older if item.key not in self._chunk_of]
        change = Change(is_rearranged=bool(added))
        chunks = [self._chunk(added[max(0, end - CHUNK) : end]) for end in range(len(added), 0, -CHUNK)]
        self.chunks[:0] = reversed(chunks)
        while len(self) > MOST:
            self._drop(self.chunks.pop())
            self.is_at_end = False
        return change

    def append_later(self, items: Sequence[Item]) -> Change:
        """What comes after the window comes in at its end; the oldest go where there are too many."""
        new = self._after_last(items)
        if new is None:
            return self.to_end(items)
        change = Change()
        self._append(new[:STEP], change)
        self.is_at_end = len(new) <= STEP
        self._let_go_of_the_oldest(change)
        return change

    # Inside.

    def _after_last(self, items: Sequence[Item]) -> list[Item] | None:
        """The items after the last one that is held; None where that is none of them."""
        last = self.last
        new: list[Item] = []
        for item in reversed(items):
            if last is not None and is_same(item, last):
                return new[::-1]
            new.append(item)
        return None

    def _changed(self, items: Sequence[Item]) -> Change:
        """Items that are held, as they are now."""
        known = {item.key: item for item in self}
        change = Change()
        for item in items:
            before = known.get(item.key)
            if before is None or before is item or before == item or not is_same(before, item):
                continue
            chunk = self._chunk_of[item.key]
            chunk.items[chunk.items.index(before)] = item
            change.items[item.key] = item
        return change

    def _append(self, items: Sequence[Item], change: Change) -> None:
        coming = iter(item for item in items if item.key not in self._chunk_of)
        if self.chunks and len(self.chunks[-1].items) < CHUNK:
            last = self.chunks[-1]
            filling = list(islice(coming, CHUNK - len(last.items)))
            last.items += filling
            self._chunk_of |= dict.fromkeys((item.key for item in filling), last)
            change.chunks += [last] if filling else []
        while some := list(islice(coming, CHUNK)):
            self.chunks.append(self._chunk(some))
            change.is_rearranged = True

    def _chunk(self, items: list[Item]) -> Chunk:
        made = Chunk(next(self._numbers), items)
        self._chunk_of |= dict.fromkeys((item.key for item in items), made)
        return made

    def _let_go_of_the_oldest(self, change: Change, most: int = MOST) -> None:
        while len(self) > most:
            self._drop(self.chunks.pop(0))
            change.is_rearranged = True

    def _drop(self, chunk: Chunk) -> None:
        for item in chunk.items:
            del self._chunk_of[item.key]


def is_same(one: Item, other: Item) -> bool:
    """Whether it is one item: a timeline that begins later may know only the end of one, by the same key."""
    return one.key == other.key and one.seq == other.seq

"""The timelines of workers that somebody looks at, folded once for all who look.

Who looks has read the worker through a client of their own, so that its log was theirs to read; here the events are
folded. What an event changed is kept for a while, so that the second browser that brings the same event gets the same
items without folding it again. A board that misses events asks for them. Bounded: of many workers those that nobody
looked at for the longest go first. Never asks with anybody's right but that of who is asking now.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, replace

from autopilot.client import Timeline
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.timeline_board import TimelineLimits
from autopilot.client.timeline_items import Item
from autopilot.contract import Envelope

LIMITS = TimelineLimits(items=300, text_characters=40_000, characters=2_000_000)
BOARDS = 32
CHANGES_KEPT = 128
"""Events whose changes are kept: a browser further behind reads its timeline anew."""
PAGE_EVENTS = 500
HISTORY_EVENTS = 1500
"""How far before its end a log is read when its first screen opens, at most."""
ENOUGH_ITEMS = 220
OLDER_ITEMS = 80
"""Of one page of older ones."""
WHOLE_LIMITS = TimelineLimits(items=3000, text_characters=4_000_000, characters=16_000_000)
"""Of one item on a page of its own."""
FURTHER_ON = "endsFurtherOn"
"""The status of an older item whose end was not among the events that were read."""
OLDER_LIMITS = TimelineLimits(items=3000, text_characters=40_000, characters=8_000_000)


class Missed(Exception):
    """The changes of this event are no longer kept."""


class Board:
    """One worker's timeline."""

    def __init__(self, worker_id: str) -> None:
        self.worker_id = worker_id
        self._timeline: Timeline | None = None
        self._changes: OrderedDict[int, tuple[Item, ...]] = OrderedDict()
        self._filling = asyncio.Lock()

    async def timeline(self, client: RuntimeCodexClient, latest_seq: int) -> Timeline:
        """Folded up to `latest_seq` at least; don't fold into it.

        Raises:
            AutopilotError: the events that are missing can't be had.
        """
        async with self._filling:
            if self._timeline is None or latest_seq - self._timeline.seq > HISTORY_EVENTS:
                self._timeline = await _folded(client, self.worker_id, latest_seq)
                self._changes.clear()
            while self._timeline.seq < latest_seq:
                events = await client.events(self.worker_id, after=self._timeline.seq, limit=PAGE_EVENTS)
                if not events:
                    break
                for event in events:
                    self._apply(self._timeline, event)
            return self._timeline

    async def changed_by(self, client: RuntimeCodexClient, event: Envelope) -> tuple[Item, ...]:
        """The items that an event made or changed, as they were after it.

        Raises:
            Missed: it is too long ago.
            AutopilotError: as `timeline`.
        """
        timeline = self._timeline
        if timeline is None or event.seq > timeline.seq + 1 or self._filling.locked():
            timeline = await self.timeline(client, event.seq - 1)
        if event.seq == timeline.seq + 1:
            return self._apply(timeline, event)
        try:
            return self._changes[event.seq]
        except KeyError:
            raise Missed from None

    def forget(self) -> None:
        """The log does not go on from here: it is read anew."""
        self._timeline = None
        self._changes.clear()

    def _apply(self, timeline: Timeline, event: Envelope) -> tuple[Item, ...]:
        changed = timeline.apply(event)
        self._changes[event.seq] = changed
        if len(self._changes) > CHANGES_KEPT:
            self._changes.popitem(last=False)
        return changed


class Boards:
    """By worker."""

    def __init__(self) -> None:
        self._boards: OrderedDict[str, Board] = OrderedDict()

    def of(self, worker_id: str) -> Board:
        """The board of a worker that the caller may read."""
        board = self._boards.get(worker_id)
        if board is None:
            board = self._boards[worker_id] = Board(worker_id)
            if len(self._boards) > BOARDS:
                self._boards.popitem(last=False)
        self._boards.move_to_end(worker_id)
        return board


@dataclass(frozen=True, slots=True)
class Window:
    """Some items of a timeline, oldest first."""

    items: tuple[Item, ...]
    oldest: int | None
    """Where older ones end: the seq that the first of these began at; None: there are none."""


async def older(client: RuntimeCodexClient, worker_id: str, before: int) -> Window:
    """The items that began before a seq, as many as make a screenful: folded for this, and kept nowhere.

    What they became afterwards is looked for in one page behind; an item whose end is further away says so.

    Raises:
        AutopilotError: the events can't be had.
    """
    events = await client.events(worker_id, after=before - 1, limit=PAGE_EVENTS)
    first, items = before, ()
    while first > 1 and len(items) <= OLDER_ITEMS and before - first < HISTORY_EVENTS:
        page = await client.events(worker_id, before=first, limit=PAGE_EVENTS)
        if not page:
            break
        events, first = page + events, page[0].seq
        items = _begun_before(events, before)
    shown = items[-OLDER_ITEMS:]
    if first <= 1 and len(shown) == len(items):
        return Window(shown, None)
    return Window(shown, shown[0].seq if shown else first)


async def around(client: RuntimeCodexClient, worker_id: str, seq: int) -> tuple[Item, ...]:
    """The items that an event began or changed last, with as much of their texts as events hold.

    Raises:
        AutopilotError: the events can't be had.
    """
    events = await client.events(worker_id, before=seq + 1, limit=PAGE_EVENTS)
    if not events or events[-1].seq != seq:
        return ()
    events += await client.events(worker_id, after=seq, limit=PAGE_EVENTS)
    timeline = Timeline(WHOLE_LIMITS, after=events[0].seq - 1).fold(events)
    return tuple(item for item in timeline.items if seq in {item.seq, item.last_seq})


def _begun_before(events: list[Envelope], before: int) -> tuple[Item, ...]:
    timeline = Timeline(OLDER_LIMITS, after=events[0].seq - 1).fold(events)
    begun = (item for item in timeline.items if item.seq < before)
    return tuple(replace(item, status=FURTHER_ON) if item.status == "open" else item for item in begun)


async def _folded(client: RuntimeCodexClient, worker_id: str, latest_seq: int) -> Timeline:
    """A timeline of the log's end: as many events as make a screenful or two, from the nearest page on."""
    events: list[Envelope] = []
    while True:
        before = events[0].seq if events else latest_seq + 1
        page = await client.events(worker_id, before=before, limit=PAGE_EVENTS) if before > 1 else []
        events = page + events
        timeline = Timeline(LIMITS, after=events[0].seq - 1 if events else 0).fold(events)
        if not page or page[0].seq <= 1 or len(events) >= HISTORY_EVENTS or len(timeline.items) >= ENOUGH_ITEMS:
            return timeline

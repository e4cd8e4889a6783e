"""The timelines of workers that somebody looks at, folded once for all who look.

Who looks has read the worker through a client of their own, so that its log was theirs to read; here the events are
folded. What an event changed is kept for a while, so that the second browser that brings the same event gets the same
items without folding it again. A board that misses events asks for them. Bounded: of many workers those that nobody
looked at for the longest go first. Never asks with anybody's right but that of who is asking now.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from autopilot.client import Timeline
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.timeline_board import TimelineLimits
from autopilot.client.timeline_items import Item
from autopilot.client.timeline_pages import HISTORY_EVENTS, PAGE_EVENTS
from autopilot.contract import Envelope

LIMITS = TimelineLimits(items=300, text_characters=40_000, characters=2_000_000)
BOARDS = 32
CHANGES_KEPT = 128
"""Events whose changes are kept: a browser further behind reads its timeline anew."""
ENOUGH_ITEMS = 220


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
            timeline = self._timeline
            if timeline is None or latest_seq - timeline.seq > HISTORY_EVENTS:
                timeline = self._timeline = await _folded(client, self.worker_id, latest_seq)
                self._changes.clear()
            while timeline.seq < latest_seq:  # who forgets it meanwhile leaves it to who asks now
                events = await client.events(self.worker_id, after=timeline.seq, limit=PAGE_EVENTS)
                if not events:
                    break
                for event in events:
                    self._apply(timeline, event)
            return timeline

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

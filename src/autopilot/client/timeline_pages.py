"""Parts of a worker's timeline read for themselves: what came before a place, and one item whole.

Folded for whoever asks, apart from the timeline that a stream goes on with, and kept nowhere. Asks for pages of the
log; never reads more of it than a screen can want.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.timeline import Timeline
from autopilot.client.timeline_board import TimelineLimits
from autopilot.client.timeline_items import Item
from autopilot.contract import Envelope

PAGE_EVENTS = 500
HISTORY_EVENTS = 1500
"""How far before its end a log is read when its first screen opens, at most."""
OLDER_ITEMS = 80
"""Of one page of older ones."""
WHOLE_LIMITS = TimelineLimits(items=3000, text_characters=4_000_000, characters=16_000_000)
"""Of one item on a page of its own."""
FURTHER_ON = "endsFurtherOn"
"""The status of an older item whose end was not among the events that were read."""
OLDER_LIMITS = TimelineLimits(items=3000, text_characters=40_000, characters=8_000_000)


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

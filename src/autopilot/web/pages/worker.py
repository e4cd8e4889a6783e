"""One worker: its timeline, live."""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.routing import Route

from autopilot.client.presenters import standing
from autopilot.client.timeline_items import Item
from autopilot.web.boards import Boards
from autopilot.web.doors import Doors
from autopilot.web.live import Put
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.timeline import element_id, render
from autopilot.web.visitors import Visitor

WINDOW = 200
"""Items on the screen when it opens; older ones come when one scrolls there."""


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def show(request: Request, visitor: Visitor) -> Screen:
        return await screen(visitor, doors.boards, request.path_params["worker_id"])

    return [doors.page("/w/{worker_id}", show)]


async def screen(visitor: Visitor, boards: Boards, worker_id: str) -> Screen:
    """The screen of a worker.

    Raises:
        AutopilotError: it can't be read.
    """
    worker = await visitor.client.worker(worker_id)
    timeline = await boards.of(worker_id).timeline(visitor.client, worker.latest_seq)
    items = timeline.items[-WINDOW:]
    oldest = items[0].seq if items and (len(timeline.items) > WINDOW or not timeline.is_whole) else None
    return Screen(
        "worker",
        standing.title(worker),
        [bar(h.span(dir="auto")[standing.title(worker)], back="/"), _timeline(worker_id, items, timeline.seq, oldest)],
        {"worker": worker_id},
        tab="/",
    )


def put_item(item: Item) -> list[Put]:
    """What an item of the timeline became."""
    return [Put(element_id(item), render(item), into="timeline")]


def _timeline(worker_id: str, items: tuple[Item, ...], seq: int, oldest: int | None) -> h.Element:
    attributes = {"data-worker": worker_id, "data-seq": str(seq), "data-oldest": str(oldest) if oldest else None}
    return h.div("#timeline", {"role": "feed", "aria-label": "Timeline", "tabindex": "0", **attributes})[
        (render(item) for item in items)
    ]

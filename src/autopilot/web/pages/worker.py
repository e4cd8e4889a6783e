"""One worker: its head, its timeline, live, what Codex asks, and where one writes to it.

Older items come on the way up (`/older`), one of them whole by the event that changed it last (`/items/{seq}`); both
are folded for that, apart from the board that the stream goes on with. A link with an item's element id, or its key, as
its fragment leads to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import htpy as h
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.everything import Entry
from autopilot.client.name_book import actors_of
from autopilot.client.presenters import standing
from autopilot.client.presenters.people import Names
from autopilot.client.timeline import running_turn
from autopilot.client.timeline_items import Item
from autopilot.client.timeline_pages import Window, around, older
from autopilot.contract import Approval, Receipt, WorkerSummary
from autopilot.contract.errors import InvalidRequest, NotFound, Unprocessable
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.live import Put
from autopilot.web.pages import (
    worker_acts,
    worker_connect,
    worker_details,
    worker_receipt,
    worker_request,
    worker_stop,
)
from autopilot.web.parts import approval, composer, worker_head
from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.receipts import put_receipt
from autopilot.web.timeline import WHOLE, Look, element_id, render
from autopilot.web.visitors import Visitor

PARTS = (worker_acts, worker_connect, worker_details, worker_receipt, worker_request, worker_stop)
"""What else is below its path; each has `routes(doors)`."""
WINDOW = 200
"""Items on the screen when it opens; older ones come when one scrolls there."""
NOT_FOUND = "What this link leads to is not in this timeline, or further back than a screen looks."
ASKED = 20
"""Questions of it that are shown at first; the inbox has all."""


def routes(doors: Doors) -> list[Route]:
    """Where it is, and what belongs to it."""

    async def show(request: Request, visitor: Visitor) -> Screen:
        worker_id = request.path_params["worker_id"]
        asked = await _receipt(visitor, worker_id, request.query_params.get(worker_acts.ASKED))
        return await screen(doors, visitor, worker_id, asked)

    async def before(request: Request, visitor: Visitor) -> Response:
        worker_id, seq = request.path_params["worker_id"], _seq(request.query_params.get("before"))
        window = await older(visitor.client, worker_id, seq)
        look = Look(worker_id, await doors.names.of(visitor))
        return html(h.div(data_oldest=_text(window.oldest))[_articles(doors, window, look)])

    async def item(request: Request, visitor: Visitor) -> Screen:
        worker_id, seq = request.path_params["worker_id"], _seq(request.path_params["seq"])
        look = Look(worker_id, await doors.names.of(visitor), WHOLE)
        return await _whole(visitor, look, seq, doors.clock.now())

    own = [
        doors.page("/w/{worker_id}", show),
        doors.page("/w/{worker_id}/older", before),
        doors.page("/w/{worker_id}/items/{seq}", item),
    ]
    return own + [route for part in PARTS for route in part.routes(doors)]


def puts(entry: Entry, names: Names, worker_id: str | None) -> list[Put]:
    """What a summary changes on the screen of its worker, and a receipt wherever it is shown."""
    match entry:
        case WorkerSummary() if entry.worker_id == worker_id:
            may = Put(f"may-{entry.worker_id}", composer.may(entry))
            return [*worker_head.puts(entry, names), may]
        case Receipt():
            return [put_receipt(entry, is_here=entry.worker_id == worker_id)]
        case _:
            return []


def put_item(doors: Doors, look: Look, item: Item) -> list[Put]:
    """What an item of the timeline became."""
    html = doors.rendered.html(item, look, doors.clock.now())
    return [Put(element_id(item), html, into="timeline"), *composer.put_turn(item)]


async def screen(doors: Doors, visitor: Visitor, worker_id: str, said: Receipt | None = None) -> Screen:
    """The screen of a worker; `said`: what was just asked of it without scripts.

    Raises:
        AutopilotError: it can't be read.
    """
    worker = await visitor.client.worker(worker_id)
    timeline = await doors.boards.of(worker_id).timeline(visitor.client, worker.latest_seq)
    items = timeline.items[-WINDOW:]
    names = await doors.names.of(visitor, actors_of(items))
    asked = await _asked(visitor, worker_id) if worker.pending_approvals else ()
    oldest = items[0].seq if items and (len(timeline.items) > WINDOW or not timeline.is_whole) else None
    return Screen(
        "worker",
        standing.title(worker),
        [
            worker_head.head(worker),
            worker_head.state(worker, names),
            _timeline(doors, Window(items, oldest), Look(worker_id, names), timeline.seq),
            h.div(".newer")[h.button("#newer", type="button", hidden=True)[icon("down"), "New events"]],
            h.p("#not-found", {"role": "status", "hidden": True})[NOT_FOUND],
            h.div({"id": approval.asks_id(worker_id), "class": "asks"})[(approval.card(one, names) for one in asked)],
            composer.composer(worker, running_turn(timeline, worker), visitor.csrf, said),
        ],
        {"worker": worker_id},
        tab="/",
    )


async def _receipt(visitor: Visitor, worker_id: str, request_id: str | None) -> Receipt | None:
    """The receipt of what was just asked; None where there is none, which a link that is shared may say."""
    try:
        return await visitor.client.receipt(worker_id, request_id) if request_id else None
    except (NotFound, Unprocessable):
        return None


async def _asked(visitor: Visitor, worker_id: str) -> Sequence[Approval]:
    return (await visitor.client.approvals(worker_id=worker_id, limit=ASKED)).approvals


def _timeline(doors: Doors, window: Window, look: Look, seq: int) -> h.Element:
    attributes = {"data-worker": look.worker_id, "data-seq": str(seq), "data-oldest": _text(window.oldest)}
    return h.div("#timeline", {"role": "feed", "aria-label": "Timeline", "tabindex": "0", **attributes})[
        _articles(doors, window, look)
    ]


def _articles(doors: Doors, window: Window, look: Look) -> list[Markup]:
    now = doors.clock.now()
    return [doors.rendered.html(item, look, now) for item in window.items]


async def _whole(visitor: Visitor, look: Look, seq: int, now: datetime) -> Screen:
    """The items that an event began or changed last, with all that the ledger's events say of them."""
    worker = await visitor.client.worker(look.worker_id)
    found = await around(visitor.client, look.worker_id, seq)
    if not found:
        raise NotFound("There is no such item in this worker's timeline.", reason_code="no_such_item")
    return Screen(
        "item",
        standing.title(worker),
        [
            bar(h.span(dir="auto")[standing.title(worker)], back=look.base),
            h.div(".whole")[(render(item, look, now) for item in found)],
        ],
        {"worker": look.worker_id},
        tab="/",
    )


def _seq(written: str | None) -> int:
    if written is None or not written.isascii() or not written.isdigit():
        raise InvalidRequest("This is no place in a log.", reason_code="invalid_seq")
    return int(written[:18])


def _text(seq: int | None) -> str | None:
    return str(seq) if seq else None

"""The list of workers, newest activity first: a screen on a phone, the pane beside the screen where there is room."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h
from starlette.requests import Request
from starlette.routing import Route

from autopilot.client.everything import Entry
from autopilot.client.presenters.people import Names
from autopilot.contract import WorkerSummary
from autopilot.web.doors import Doors
from autopilot.web.live import Put
from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import Screen
from autopilot.web.parts.rows import put_row, row
from autopilot.web.visitors import Visitor

FIRST = 50


def routes(doors: Doors) -> list[Route]:
    """Where it is."""
    return [doors.page("/", _show)]


def puts(entry: Entry, _names: Names) -> list[Put]:
    """The row of a worker that is another."""
    return [put_row(entry)] if isinstance(entry, WorkerSummary) else []


async def _show(_request: Request, _visitor: Visitor) -> Screen:
    return screen()


async def pane(visitor: Visitor, current: str | None) -> h.Node:
    """What the list holds at first; what changes comes by the stream."""
    page = await visitor.client.list_workers(limit=FIRST)
    return listing(page.workers, current)


def listing(workers: Sequence[WorkerSummary], current: str | None) -> h.Node:
    """The list."""
    return [
        h.h1[h.a(href="/")["Workers"]],
        h.ul("#rows", {"data-empty": "No workers yet. Start a session, or run Codex on a machine that is paired."})[
            (row(worker, current=worker.worker_id == current) for worker in workers)
        ],
    ]


def screen() -> Screen:
    """Beside the list, nothing is chosen."""
    return Screen("workers", "", h.div(".nothing")[icon("workers"), h.p["Choose a worker"]], tab="/")

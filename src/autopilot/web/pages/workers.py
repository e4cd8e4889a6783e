"""The list of workers, newest activity first: a screen on a phone, the pane beside the screen where there is room."""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h

from autopilot.contract import WorkerSummary
from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import Screen
from autopilot.web.parts.rows import row
from autopilot.web.visitors import Visitor

FIRST = 50


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

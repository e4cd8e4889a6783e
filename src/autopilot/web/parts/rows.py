"""A worker in the list: what it is about and how it stands, never its id."""

from __future__ import annotations

import htpy as h

from autopilot.contract import WorkerSummary
from autopilot.web.live import Put
from autopilot.web.visitors import path_for

UNTITLED = "New session"
ACTIVITY = {
    "running": "Working",
    "waiting_for_approval": "Needs approval",
    "waiting_for_input": "Needs an answer",
    "error": "Error",
    "idle": "Idle",
}
STATUS = {"starting": "Starting", "stopping": "Stopping", "stopped": "Stopped", "failed": "Failed"}


def row_id(worker_id: str) -> str:
    """The id of its element."""
    return f"row-{worker_id}"


def state_of(worker: WorkerSummary) -> tuple[str, str]:
    """How it stands: a name for CSS, and the word."""
    if worker.status in STATUS:
        return worker.status, STATUS[worker.status]
    activity = worker.activity.value if worker.activity else "unknown"
    return activity, ACTIVITY.get(activity, "Unknown")


def row(worker: WorkerSummary, *, current: bool = False) -> h.Element:
    """The row."""
    name, word = state_of(worker)
    title = worker.title.value if worker.title else UNTITLED
    words = worker.preview.value if worker.preview else (worker.cwd.value if worker.cwd else "")
    return h.li({"id": row_id(worker.worker_id), "data-at": worker.updated_at})[
        h.a(href=path_for(worker.worker_id), aria_current="true" if current else None)[
            h.i(class_=f"dot {name}", aria_hidden="true"),
            h.div[
                h.b(dir="auto")[title],
                h.small(".words", dir="auto")[words],
                h.small[
                    h.time(datetime=worker.updated_at),
                    h.span[worker.machine.name] if worker.machine and worker.machine.name else None,
                ],
            ],
            h.em(class_=f"pill {name}")[word],
        ]
    ]


def put_row(worker: WorkerSummary) -> Put:
    """The row, for the list."""
    return Put(row_id(worker.worker_id), row(worker), into="rows", newest_first=True)

"""A worker in the list: what it is about and how it stands, never its id."""

from __future__ import annotations

import htpy as h

from autopilot.client.presenters import standing
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.standing import Trouble, Worker
from autopilot.contract import WorkerSummary
from autopilot.web.live import Put
from autopilot.web.visitors import path_for


def row_id(worker_id: str) -> str:
    """The id of its element."""
    return f"row-{worker_id}"


def row(worker: WorkerSummary, names: Names, *, current: bool = False) -> h.Element:
    """The row; its attributes are what the list is filtered by."""
    name, label = standing.activity(worker)
    attributes = {
        "data-at": worker.updated_at,
        "data-state": name,
        "data-machine": worker.machine.machine_id if worker.machine else None,
        "data-machine-name": standing.machine(worker) or None,
        "data-backend": worker.backend.kind if worker.backend else None,
        "data-text": standing.searched(worker),
    }
    return h.li({"id": row_id(worker.worker_id), **attributes})[
        h.a(href=path_for(worker.worker_id), aria_current="true" if current else None)[
            h.i(class_=f"dot {name}", aria_hidden="true"),
            h.b(dir="auto")[standing.title(worker)],
            h.time(datetime=worker.updated_at),
            h.small(".words", dir="auto")[standing.last_words(worker)],
            _pending(worker.pending_approvals),
            h.small(".where")[
                h.em(class_=f"pill {name}")[label.text] if name != "unknown" else None,
                _places(worker, names),
                badges(worker),
            ],
        ]
    ]


def badges(worker: Worker) -> list[h.Element]:
    """What is not as usual with it, a badge for each."""
    return [
        *(badge(trouble) for trouble in standing.troubles(worker)),
        *([h.span(".badge", title=WATCHED)["Watch only"]] if standing.is_watched(worker) else ()),
    ]


WATCHED = "Another program writes this session; it can be watched here, taken over once it is let go of, or forked."


def badge(trouble: Trouble) -> h.Element:
    """A layer that is not well, in two words."""
    return h.span(class_=f"badge {trouble.tone}", title=trouble.sentence)[trouble.badge]


def put_row(worker: WorkerSummary, names: Names) -> Put:
    """The row, for the list."""
    return Put(row_id(worker.worker_id), row(worker, names), into="rows", newest_first=True)


def _places(worker: WorkerSummary, names: Names) -> list[h.Element]:
    place, machine = standing.backend(worker), standing.machine(worker)
    whose = standing.whose(worker, names)
    return [h.span(dir="auto")[one] for one in (machine, place, f"of {whose}" if whose else None) if one]


def _pending(count: int) -> h.Node:
    if not count:
        return None
    words = "1 approval pending" if count == 1 else f"{count} approvals pending"
    return h.strong(".count", role="img", aria_label=words, title=words)[str(count)]

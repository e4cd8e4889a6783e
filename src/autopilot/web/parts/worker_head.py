"""The head of a worker's screen, and the line below it: how it stands, and each layer that is not well, in a sentence.

Kept as it becomes by the summaries that the stream brings: each piece has an id of its worker.
"""

from __future__ import annotations

import htpy as h

from autopilot.client.presenters import rights, standing
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.rights import Way
from autopilot.client.presenters.standing import Trouble, Worker
from autopilot.web.live import Put
from autopilot.web.parts.icons import icon
from autopilot.web.parts.layout import BOOST, bar
from autopilot.web.parts.rows import WATCHED
from autopilot.web.visitors import path_for

ICONS = {"connect": "link", "request": "send", "details": "info", "stop": "stop"}
DIALOGS = frozenset({"connect", "stop"})


def head(worker: Worker) -> h.Element:
    """Title and menu."""
    return bar(_title(worker), back="/", actions=_menu(worker))


def state(worker: Worker, names: Names) -> h.Element:
    """How it stands."""
    name, label = standing.activity(worker)
    whose = standing.whose(worker, names)
    return h.section({"id": f"standing-{worker.worker_id}", "class": "standing", "aria-label": "State"})[
        h.p(".line")[
            h.span(class_=f"pill {name}")[h.i(class_=f"dot {name}", aria_hidden="true"), label.text],
            _piece(standing.machine(worker)),
            _piece(worker.model.value if worker.model else ""),
            _piece(standing.folder(worker)),
            _piece(f"of {whose}" if whose else ""),
            h.span(".badge", title=WATCHED)["Watch only"] if standing.is_watched(worker) else None,
        ],
        [_trouble(trouble) for trouble in standing.troubles(worker)],
    ]


def puts(worker: Worker, names: Names) -> list[Put]:
    """Both, as they became."""
    return [
        Put(f"standing-{worker.worker_id}", state(worker, names)),
        Put(f"title-{worker.worker_id}", _title(worker)),
    ]


def _title(worker: Worker) -> h.Element:
    return h.span({"id": f"title-{worker.worker_id}", "dir": "auto"})[standing.title(worker)]


def _piece(words: str) -> h.Node:
    return h.bdi[words] if words else None


def _trouble(trouble: Trouble) -> h.Element:
    since = [f" {trouble.since_words} ", h.time(datetime=trouble.since), "."] if trouble.since else None
    return h.p(class_=f"trouble {trouble.tone}", data_layer=trouble.layer)[trouble.sentence, since]


def _menu(worker: Worker) -> list[h.Node]:
    def dialog(part: str) -> dict[str, str]:
        return {"hx-get": path_for(worker.worker_id, part), "hx-target": "#dialog", "hx-swap": "innerHTML"}

    def way(one: Way) -> h.Element:
        inside = [icon(ICONS[one.name]), one.label]
        if one.name in DIALOGS:
            return h.button({"type": "button", "class": "danger" if one.name == "stop" else None, **dialog(one.name)})[
                inside
            ]
        return h.a({"href": path_for(worker.worker_id, one.name), **BOOST})[inside]

    return [
        h.button({"type": "button", "popovertarget": "menu", "aria-label": "More about this worker", "title": "More"})[
            icon("more")
        ],
        h.div("#menu", {"popover": "auto", "role": "group", "aria-label": "More about this worker"})[
            (way(one) for one in rights.ways(worker))
        ],
    ]

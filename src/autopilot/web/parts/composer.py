"""Where one writes to a worker: a new turn while it is idle; steering, queueing and interrupting while a turn runs.

What runs is in the hidden field `turn`, which the timeline keeps (`put_turn`): the style sheet shows the buttons that
go with it. Whether one may write at all is kept by the worker's summaries (`may`). The words themselves are never
replaced; scripts keep them as a draft (static/js/50-composer.js). Without scripts each form posts, and leads back to
the worker with its receipt.
"""

from __future__ import annotations

import htpy as h

from autopilot.client.calls import new_id
from autopilot.client.presenters import composing, rights
from autopilot.client.presenters.composing import Act, Way
from autopilot.client.presenters.standing import Worker
from autopilot.client.timeline_items import Item, TurnEnded, TurnStarted
from autopilot.client.timeline_records import Lifecycle
from autopilot.contract import Receipt
from autopilot.web.live import Put
from autopilot.web.parts.blocks import posts, proof
from autopilot.web.parts.icons import icon
from autopilot.web.parts.receipts import receipt
from autopilot.web.visitors import path_for

LOOKS = {
    "interrupt": "running danger interrupt",
    "queue": "running",
    "steer": "running primary",
    "send": "idle primary",
}
ICONS = {"interrupt": "stop", "steer": "send", "send": "send"}


def composer(worker: Worker, turn_id: str | None, csrf: str, asked: Receipt | None = None) -> h.Element:
    """The whole of it; `asked`: what was just asked for without scripts."""
    worker_id = worker.worker_id
    swap = {"hx-target": "#receipts", "hx-swap": "afterbegin", "hx-sync": "this:drop"}
    interrupt, *others = composing.RUNNING
    return h.section("#composer", {"aria-label": "Write to this worker", "data-worker": worker_id})[
        h.ul("#receipts", {"aria-label": "What you sent", "aria-live": "polite"})[receipt(asked) if asked else None],
        h.p("#unsent", {"role": "alert", "hidden": True})[composing.UNSENT],
        may(worker, csrf),
        h.form("#interrupt", {**_posts(worker_id, "interrupt"), **swap, "hx-include": "#turn"})[
            proof(csrf),
            fresh("interrupt-id"),
            h.noscript[h.input(type="hidden", name="turn", value=turn_id or "")],
        ],
        h.form("#message", {**_posts(worker_id, "say"), **swap})[
            proof(csrf),
            fresh("say-id"),
            turn_field(turn_id),
            h.textarea(
                "#say",
                {
                    "name": "text",
                    "rows": "1",
                    "dir": "auto",
                    "aria-label": composing.LABEL,
                    "placeholder": composing.LABEL,
                    "aria-describedby": "say-hint",
                    "enterkeyhint": "enter",
                },
            ),
            h.div(".acts")[
                _button(interrupt, form="interrupt"),
                h.span("#say-hint.hint")["Ctrl or ⌘ + Enter sends"],
                [_button(act) for act in (*others, *composing.IDLE)],
            ],
        ],
    ]


def may(worker: Worker, csrf: str | None = None) -> h.Element:
    """Whether one may write, and if not, why not and what then; `csrf`: for who has no scripts to carry it."""
    told = composing.may(worker)
    ways = [_ask(worker.worker_id, way, csrf) for way in told.ways]
    about = {"class": "may", "data-may": "yes" if told.can_write else "no"}
    watches = {} if rights.may_operate(worker) else {"data-watches": "yes"}
    return h.div({"id": f"may-{worker.worker_id}", **about, **watches})[
        h.p[told.words] if told.words else None, h.div(".buttons")[ways] if ways else None
    ]


def turn_field(turn_id: str | None) -> h.VoidElement:
    """The turn that runs."""
    return h.input("#turn", type="hidden", name="turn", value=turn_id or "")


def fresh(element_id: str, *, in_its_place: bool = False) -> h.VoidElement:
    """A request's id, so that a form that is sent twice asks once; the answer brings the next one into its place."""
    swap = {"hx-swap-oob": "true"} if in_its_place else {}
    return h.input({"type": "hidden", "name": "request_id", "id": element_id, "value": new_id("request"), **swap})


def put_turn(item: Item) -> list[Put]:
    """What an item says of the turn that runs."""
    if isinstance(item, TurnStarted):
        return [Put("turn", turn_field(item.turn_id))]
    if isinstance(item, TurnEnded) or (isinstance(item, Lifecycle) and item.event == "stopped"):
        return [Put("turn", turn_field(None))]
    return []


def _posts(worker_id: str, act: str) -> dict[str, str]:
    """Where a form goes, with scripts and without."""
    return posts(path_for(worker_id, act))


def _ask(worker_id: str, way: Way, csrf: str | None) -> h.Element:
    """A button that asks for one thing, once."""
    return h.form({**_posts(worker_id, way.name), "hx-target": "#receipts", "hx-swap": "afterbegin"})[
        proof(csrf) if csrf else None,
        h.input(type="hidden", name="request_id", value=new_id("request")),
        h.button(type="submit")[way.label],
    ]


def _button(act: Act, form: str = "") -> h.Element:
    attributes = {"type": "submit", "name": "act", "value": act.name, "title": act.hint or None, "form": form or None}
    image = ICONS.get(act.name)
    return h.button({"class": f"act {LOOKS[act.name]}", **attributes})[
        icon(image) if image else None, h.span[act.label]
    ]

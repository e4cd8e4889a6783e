"""Where one writes to a worker: a new turn while it is idle; steering, queueing and interrupting while a turn runs.

What runs is in the hidden field `turn`, which the timeline keeps (`put_turn`): the style sheet shows the buttons that
go with it. Whether one may write at all is kept by the worker's summaries (`may`). The words themselves are never
replaced; scripts keep them as a draft (static/js/50-composer.js).
"""

from __future__ import annotations

import htpy as h

from autopilot.client.calls import new_id
from autopilot.client.presenters import standing
from autopilot.client.presenters.standing import Worker
from autopilot.client.timeline_items import Item, TurnEnded, TurnStarted
from autopilot.client.timeline_records import Lifecycle
from autopilot.web.live import Put
from autopilot.web.parts.icons import icon
from autopilot.web.visitors import path_for

UNSENT = "Not sent: the server can't be reached. Your words are kept here; sending them again does nothing twice."


def composer(worker: Worker, turn_id: str | None) -> h.Element:
    """The whole of it."""
    worker_id = worker.worker_id
    post = {"hx-target": "#receipts", "hx-swap": "afterbegin", "hx-sync": "this:drop"}
    return h.section("#composer", {"aria-label": "Write to this worker", "data-worker": worker_id})[
        h.ul("#receipts", {"aria-label": "What you sent", "aria-live": "polite"}),
        h.p("#unsent", {"role": "alert", "hidden": True})[UNSENT],
        may(worker),
        h.form("#interrupt", {"hx-post": path_for(worker_id, "interrupt"), **post, "hx-include": "#turn"})[
            fresh("interrupt-id")
        ],
        h.form("#message", {"hx-post": path_for(worker_id, "say"), **post})[
            fresh("say-id"),
            turn_field(turn_id),
            h.textarea(
                "#say",
                {
                    "name": "text",
                    "rows": "1",
                    "dir": "auto",
                    "aria-label": "Message",
                    "placeholder": "Message",
                    "aria-describedby": "say-hint",
                    "enterkeyhint": "enter",
                },
            ),
            h.div(".acts")[
                _button("interrupt", "stop", "Interrupt", also="running danger interrupt", form="interrupt"),
                h.span("#say-hint.hint")["Ctrl or ⌘ + Enter sends"],
                _button("queue", None, "Queue", also="running", title="Sent to Codex when this turn has ended"),
                _button("steer", "send", "Steer", also="running primary", title="Goes into the turn that runs"),
                _button("send", "send", "Send", also="idle primary"),
            ],
        ],
    ]


def may(worker: Worker) -> h.Element:
    """Whether one may write, and if not, why not and what then."""
    said, words, ways = _may(worker)
    return h.div({"id": f"may-{worker.worker_id}", "class": "may", "data-may": said})[
        h.p[words] if words else None, h.div(".buttons")[ways] if ways else None
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


def _may(worker: Worker) -> tuple[str, str, list[h.Element]]:
    worker_id = worker.worker_id
    if worker.role == "viewer":
        return "no", "You may watch this worker. Who operates it can write to it.", []
    if worker.status == "stopping":
        return "no", "It is being stopped: nothing new is begun.", []
    if worker.status in {"stopped", "failed"}:
        words = "This worker is stopped." if worker.status == "stopped" else "The place it ran in is gone."
        return "no", words, [_ask(worker_id, "reopen", "Open it again")]
    if standing.is_watched(worker):
        words = "Another program on that computer writes this session. You can watch it, or go on in a copy of it."
        return "no", words, [_ask(worker_id, "adopt", "Take over"), _ask(worker_id, "fork", "Go on in a copy")]
    return "yes", "", []


def _ask(worker_id: str, act: str, label: str) -> h.Element:
    """A button that asks for one thing, once."""
    return h.form({"hx-post": path_for(worker_id, act), "hx-target": "#receipts", "hx-swap": "afterbegin"})[
        h.input(type="hidden", name="request_id", value=new_id("request")),
        h.button(type="submit")[label],
    ]


def _button(act: str, image: str | None, label: str, *, also: str, title: str = "", form: str = "") -> h.Element:
    attributes = {"type": "submit", "name": "act", "value": act, "title": title or None, "form": form or None}
    return h.button({"class": f"act {also}", **attributes})[icon(image) if image else None, h.span[label]]

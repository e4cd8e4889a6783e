"""The emergency stop: two taps from anywhere. What it would stop, why, and then each session's answer as it comes."""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.everything import Entry
from autopilot.client.presenters import standing, stops
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.client.stopping import METHOD, within_reach
from autopilot.contract import Receipt
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.live import Put
from autopilot.web.parts.blocks import posts
from autopilot.web.visitors import Visitor


def routes(doors: Doors) -> list[Route]:
    """Where it is."""
    return [doors.dialog("/stop-all", _ask, over="/"), doors.page("/stop-all", _stop, "POST")]


def puts(entry: Entry, _names: Names) -> list[Put]:
    """How far a stop has come, where somebody looks."""
    if not isinstance(entry, Receipt) or entry.method != METHOD or entry.worker_id is None:
        return []
    return [Put(_state_id(entry.worker_id), _state(entry.worker_id, stops.ended(entry)))]


async def _ask(_request: Request, visitor: Visitor) -> Response:
    workers = await within_reach(visitor.client)
    if not workers:
        return html([h.h2[stops.TITLE], h.p[stops.NOTHING], _close()])
    form = {**posts("/stop-all"), "hx-target": "#dialog", "hx-swap": "innerHTML", "hx-disabled-elt": "find .danger"}
    form["data-draft"] = "stop-all"
    return html(
        [
            h.h2[stops.QUESTION],
            h.p[stops.reach(workers)],
            h.form(form)[
                h.label(for_="stop-reason")[stops.REASON],
                h.input(
                    "#stop-reason",
                    type="text",
                    name="reason",
                    maxlength=str(stops.REASON_CHARACTERS),
                    autocomplete="off",
                    dir="auto",
                ),
                h.label(".force", for_="stop-force")[
                    h.input("#stop-force", type="checkbox", name="force", value="1"),
                    h.span[stops.FORCE, h.small[stops.FORCE_MEANS]],
                ],
                h.div(".buttons")[
                    h.button(type="button", data_close=True)["Cancel"],
                    h.button(".primary.danger", type="submit", autofocus=True)[stops.BUTTON],
                ],
            ],
        ]
    )


async def _stop(request: Request, visitor: Visitor) -> Response:
    form = await form_of(request)
    titles = {worker.worker_id: standing.title(worker) for worker in await within_reach(visitor.client)}
    reason = form.get("reason", "").strip()[: stops.REASON_CHARACTERS] or None
    done = await visitor.client.stop_all(reason=reason, force=form.get("force") == "1")
    return html(
        [
            h.h2[stops.became(done)],
            h.p[stops.counted(done)],
            h.ul(".stops", aria_label="Sessions")[
                (
                    h.li[
                        h.b(dir="auto")[titles.get(one.worker_id, "Session")],
                        _state(one.worker_id, stops.began(one)),
                    ]
                    for one in done.workers
                )
            ],
            _close("Done"),
        ]
    )


def _state_id(worker_id: str) -> str:
    return f"stop-{worker_id}"


def _state(worker_id: str, label: Label) -> h.Element:
    return h.span(f".tone-{label.tone}", id=_state_id(worker_id), role="status")[label.text]


def _close(word: str = "Close") -> h.Element:
    return h.div(".buttons")[h.button(type="button", data_close=True)[word]]

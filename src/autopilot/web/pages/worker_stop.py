"""Stopping one worker: asked for in a dialog, with a reason, and by force where nobody answers."""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.presenters import rights, standing, stops
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.parts.blocks import posts
from autopilot.web.parts.receipts import receipt
from autopilot.web.problems import is_partial
from autopilot.web.visitors import Visitor, path_for

LONGEST_REASON = 255


def routes(doors: Doors) -> list[Route]:
    """Where it is."""
    return [
        doors.dialog("/w/{worker_id}/stop", _ask, over="/w/{worker_id}"),
        doors.page("/w/{worker_id}/stop", _stop, "POST"),
    ]


async def _ask(request: Request, visitor: Visitor) -> Response:
    worker = await visitor.client.worker(request.path_params["worker_id"])
    if not rights.may_operate(worker):
        return html(
            [
                h.h2["Stop"],
                h.p[h.bdi[standing.title(worker)]],
                h.p(".muted")[rights.WATCH_STOP],
                h.div(".buttons")[h.button(".primary", {"type": "button", "data-close": True})["Close"]],
            ]
        )
    is_away = worker.health.machine.state == "down"
    post = {**posts(path_for(worker.worker_id, "stop")), "hx-target": "#dialog", "hx-swap": "innerHTML"}
    return html(
        h.form({"data-draft": f"stop {worker.worker_id}", **post})[
            h.h2["Stop this worker?"],
            h.p[h.bdi[standing.title(worker)]],
            h.p(".muted")[stops.MEANS_ONE],
            h.p(".warning")[stops.AWAY_ONE] if is_away else None,
            h.input(type="hidden", name="csrf", value=visitor.csrf),
            h.label(for_="stop-reason")["Reason (it is in the log)"],
            h.input("#stop-reason", type="text", name="reason", maxlength=str(LONGEST_REASON), autocomplete="off"),
            h.label(".force")[
                h.input(type="checkbox", name="force", value="1"),
                h.span[h.b["By force"], h.small[stops.FORCE_ONE]],
            ],
            h.div(".buttons")[
                h.button({"type": "button", "data-close": True})["Cancel"],
                h.button(".danger.primary", type="submit")["Stop it"],
            ],
        ]
    )


async def _stop(request: Request, visitor: Visitor) -> Response:
    worker_id, form = request.path_params["worker_id"], await form_of(request)
    reason = form.get("reason", "").strip() or None
    stopped = await visitor.client.stop_worker(worker_id, reason=reason, force=form.get("force") == "1")
    if not is_partial(request):
        return RedirectResponse(path_for(worker_id), status_code=303)
    told = await visitor.client.receipt(worker_id, stopped.request_id) if stopped.request_id else None
    title, words = stops.became_one(stopped)
    return html(
        [
            h.h2[title],
            h.p(role="status")[words],
            h.ul(".receipts")[receipt(told)] if told else None,
            h.div(".buttons")[h.button(".primary", {"type": "button", "data-close": True})["Close"]],
        ]
    )

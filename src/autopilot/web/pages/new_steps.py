"""A session that is being started: the thread's receipt as it moves, then its first turn, then its screen.

Everything that is needed for the next step is in the form that asks for it, so that any process may answer; each of the
two requests has an id of its own, so that asking again is the same request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.receipts import state_of
from autopilot.contract import Receipt, RequestOutcome
from autopilot.contract.errors import AutopilotError, Conflict, NotFound
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.visitors import Visitor, path_for

PATH = "/new"
FIRST_WAIT_MS = 4000
ENDED = frozenset({"completed", "failed", "rejected", "expired", "cancelled", "indeterminate"})
KEPT = ("machine", "request_id", "prompt", "model")
"""What goes with the form."""


def starting_routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [doors.page(f"{PATH}/step", _step, "POST"), doors.page(f"{PATH}/cancel", _cancel, "POST")]


@dataclass(frozen=True, slots=True)
class _Progress:
    """How far the request for the thread is."""

    state: str
    label: Label
    worker_id: str | None


async def begin(form: Mapping[str, str], visitor: Visitor) -> Response:
    """Ask the machine for the thread.

    Raises:
        AutopilotError: it is refused: a policy, a proof that is needed, no such machine.
    """
    try:
        outcome = await visitor.client.machine_request(
            form.get("machine", ""),
            "thread/start",
            thread_params(form),
            request_id=form.get("request_id"),
            wait_ms=FIRST_WAIT_MS,
        )
    except Conflict as error:
        if error.reason_code != "different_content":
            raise
        return html(_starting(form, Label("This was asked already, with other words. Open the page again.", "bad")))
    return await _go_on(form, visitor, _progress(outcome))


def thread_params(form: Mapping[str, str]) -> dict[str, Any]:
    """What the thread is started with; what is not said is the machine's default."""
    said = {
        "cwd": form.get("folder", "").strip(),
        "model": form.get("model", "").strip(),
        "sandbox": form.get("sandbox", ""),
        "approvalPolicy": form.get("approvals", ""),
    }
    return {name: value for name, value in said.items() if value}


async def _step(request: Request, visitor: Visitor) -> Response:
    form = await form_of(request)
    receipt = await visitor.client.machine_receipt(form.get("machine", ""), form.get("request_id", ""))
    return await _go_on(form, visitor, _progress(receipt))


async def _cancel(request: Request, visitor: Visitor) -> Response:
    form = await form_of(request)
    receipt = await visitor.client.cancel_machine_request(form.get("machine", ""), form.get("request_id", ""))
    return html(_starting(form, state_of(receipt.state)))


async def _go_on(form: Mapping[str, str], visitor: Visitor, now: _Progress) -> Response:
    """The next step: wait, say why not, or the first turn and its screen."""
    if now.state == "completed" and now.worker_id is not None:
        return await _first_turn(form, visitor, now.worker_id)
    return html(_starting(form, now.label, is_under_way=now.state not in ENDED))


async def _first_turn(form: Mapping[str, str], visitor: Visitor, worker_id: str) -> Response:
    """Its words are stored with the worker before its screen opens, whatever the machine does meanwhile."""
    prompt = form.get("prompt", "").strip()
    try:
        if prompt:
            params = {"input": [{"type": "text", "text": prompt}]}
            request_id = f"{form.get('request_id', '')}-turn"
            await visitor.client.request(worker_id, "turn/start", params, request_id=request_id, wait_ms=0)
        else:
            await visitor.client.worker(worker_id)
    except NotFound:  # its machine answers before its log is open: in a moment
        return html(_starting(form, Label("The session opens", "busy"), is_under_way=True))
    except AutopilotError as error:
        body = [
            h.p["The session is there, but its first words were not taken: ", error.message],
            h.p[h.a(".button", href=path_for(worker_id))["Open the session"]],
        ]
        return html(h.div("#starting.block", role="alert")[body])
    response = html(_starting(form, Label("Started", "good")))
    response.headers["hx-redirect"] = path_for(worker_id)
    return response


def _starting(form: Mapping[str, str], label: Label, *, is_under_way: bool = False) -> h.Element:
    """How far it is; while it is under way, it asks every second."""
    if not is_under_way:
        return h.div("#starting", role="status")[h.p(f".tone-text.tone-{label.tone}")[label.text]]
    poll = {
        "hx-post": f"{PATH}/step",
        "hx-trigger": "every 1s",
        "hx-target": "#starting",
        "hx-swap": "outerHTML",
        "hx-select": "unset",
        "hx-include": "#starting-state input",
    }
    waits = label.tone == "warn"
    return h.div("#starting.block", poll, role="status")[
        h.p(f".tone-text.tone-{label.tone}")[label.text],
        h.p(".about")[
            "It starts as soon as its machine is back, within a day. Keep this page open: your words are sent then."
        ]
        if waits
        else None,
        h.div("#starting-state", hidden=True)[
            (h.input(type="hidden", name=name, value=form.get(name, "")) for name in KEPT)
        ],
        h.div(".buttons")[
            h.button(
                {
                    "hx-post": f"{PATH}/cancel",
                    "hx-target": "#starting",
                    "hx-swap": "outerHTML",
                    "hx-select": "unset",
                    "hx-include": "#starting-state input",
                },
                type="button",
            )["Take it back"]
        ],
    ]


def _progress(told: Receipt | RequestOutcome) -> _Progress:
    """How far the thread's request is, with why it did not end well."""
    label = state_of(told.state, machine_unreachable=told.machine_unreachable is True)
    message = (told.error or {}).get("message")
    if isinstance(message, str) and message:
        label = Label(f"{label.text}: {message}", label.tone)
    said = told.response.get("worker_id") if isinstance(told.response, dict) else None
    return _Progress(told.state, label, told.worker_id or (said if isinstance(said, str) else None))

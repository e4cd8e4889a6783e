"""A session that is being started: the thread's receipt as it moves, then its first turn, then its screen.

Everything that is needed for the next step is in the form that asks for it, so that any process may answer; each of the
two requests has an id of its own, so that asking again is the same request (`autopilot.client.new_session`).
"""

from __future__ import annotations

from collections.abc import Mapping

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client import new_session
from autopilot.client.new_session import Draft
from autopilot.client.presenters import errors
from autopilot.client.presenters import new_session as said
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.new_session import Progress
from autopilot.contract.errors import AutopilotError
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.visitors import Visitor, path_for

PATH = "/new"
FIRST_WAIT_MS = 4000
KEPT = ("machine", "request_id", "prompt", "model")
"""What goes with the form."""


ARRIVED = "arrived"
"""Tells the browser that the words are stored, and need be kept no more (static/js/06-drafts.js)."""


def starting_routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [doors.page(f"{PATH}/step", _step, "POST"), doors.page(f"{PATH}/cancel", _cancel, "POST")]


def draft_of(form: Mapping[str, str]) -> Draft:
    """What is filled in."""
    empty = Draft()
    return Draft(
        machine_id=form.get("machine", ""),
        prompt=form.get("prompt", ""),
        folder=form.get("folder", ""),
        model=form.get("model", ""),
        sandbox=form.get("sandbox") or empty.sandbox,
        approvals=form.get("approvals") or empty.approvals,
        request_id=form.get("request_id") or empty.request_id,
    )


async def begin(form: Mapping[str, str], visitor: Visitor) -> Response:
    """Ask the machine for the thread.

    Raises:
        AutopilotError: it is refused: a policy, a proof that is needed, no such machine.
    """
    draft = draft_of(form)
    return await _go_on(draft, visitor, await new_session.ask_for_thread(visitor.client, draft, wait_ms=FIRST_WAIT_MS))


async def _step(request: Request, visitor: Visitor) -> Response:
    draft = draft_of(await form_of(request))
    return await _go_on(draft, visitor, await new_session.look_at_thread(visitor.client, draft))


async def _cancel(request: Request, visitor: Visitor) -> Response:
    draft = draft_of(await form_of(request))
    taken_back = await new_session.take_thread_back(visitor.client, draft)
    return html(_starting(draft, taken_back.label))


async def _go_on(draft: Draft, visitor: Visitor, now: Progress) -> Response:
    """The next step: wait, say why not, or the first turn and its screen."""
    if now.state == "completed" and now.worker_id is not None:
        return await _first_turn(draft, visitor, now.worker_id)
    return html(_starting(draft, now.label, is_under_way=now.is_under_way))


async def _first_turn(draft: Draft, visitor: Visitor, worker_id: str) -> Response:
    """Its words are stored with the worker before its screen opens, whatever the machine does meanwhile."""
    try:
        is_open = await new_session.say_first_words(visitor.client, draft, worker_id)
    except AutopilotError as error:
        body = [
            h.p[f"{said.WORDS_NOT_TAKEN}: {errors.words(error)}"],
            h.p[h.a(".button", href=path_for(worker_id))["Open the session"]],
        ]
        return html(h.div("#starting.block", role="alert")[body])
    if not is_open:
        return html(_starting(draft, said.OPENS, is_under_way=True))
    response = html(_starting(draft, said.STARTED))
    response.headers["hx-redirect"], response.headers["hx-trigger"] = path_for(worker_id), ARRIVED
    return response


def _starting(draft: Draft, label: Label, *, is_under_way: bool = False) -> h.Element:
    """How far it is; while it is under way, it asks every second."""
    if not is_under_way:
        return h.div("#starting", role="status")[h.p(f".tone-text.tone-{label.tone}")[label.text]]
    kept = dict(zip(KEPT, (draft.machine_id, draft.request_id, draft.prompt, draft.model), strict=True))
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
        h.p(".about")[said.WAITS] if waits else None,
        h.div("#starting-state", hidden=True)[
            (h.input(type="hidden", name=name, value=value) for name, value in kept.items())
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

"""What one does to a worker from its screen: say something, interrupt, take back, open again, take over, fork.

Each is a request with an id that the form brought, asked without waiting: the answer is its receipt, which the stream
then moves. Sending a form again gives the same receipt and does nothing twice.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.calls import new_id
from autopilot.contract.errors import Conflict, InvalidRequest
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.parts.composer import fresh
from autopilot.web.parts.receipts import receipt
from autopilot.web.problems import is_partial
from autopilot.web.visitors import Visitor, path_for

ENDED = "The turn has ended meanwhile. Your words are still here: send them as a new turn."


def routes(doors: Doors) -> list[Route]:
    """Where they are."""
    return [
        doors.page("/w/{worker_id}/say", _say, "POST"),
        doors.page("/w/{worker_id}/interrupt", _interrupt, "POST"),
        doors.page("/w/{worker_id}/reopen", _reopen, "POST"),
        doors.page("/w/{worker_id}/adopt", _adopt, "POST"),
        doors.page("/w/{worker_id}/fork", _fork, "POST"),
        doors.page("/w/{worker_id}/requests/{request_id}/cancel", _cancel, "POST"),
    ]


async def _say(request: Request, visitor: Visitor) -> Response:
    form = await form_of(request)
    text = form.get("text", "")
    if not text.strip():
        raise InvalidRequest("There is nothing to send yet.", reason_code="nothing_said")
    method, params = message(form.get("act", "send"), text, form.get("turn", ""))
    return await _asked(request, visitor, method, params, "say-id")


def message(act: str, text: str, turn_id: str) -> tuple[str, dict[str, Any]]:
    """The request that says something: `send`, `steer` (the turn) or `queue`.

    Raises:
        Conflict: no turn runs that could be steered.
        InvalidRequest: another act.
    """
    said = {"input": [{"type": "text", "text": text}]}
    match act:
        case "send":
            return "turn/start", said
        case "queue":
            return "thread/queue/add", said
        case "steer" if turn_id:
            return "turn/steer", said | {"expectedTurnId": turn_id}
        case "steer":
            raise Conflict(ENDED, reason_code="turn_ended")
        case _:
            raise InvalidRequest("This form is not one of ours.", reason_code="unknown_act")


async def _interrupt(request: Request, visitor: Visitor) -> Response:
    form = await form_of(request)
    if not form.get("turn"):
        raise Conflict("No turn runs that could be interrupted.", reason_code="no_turn_runs")
    return await _asked(request, visitor, "turn/interrupt", {"turnId": form["turn"]}, "interrupt-id")


async def _adopt(request: Request, visitor: Visitor) -> Response:
    return await _asked(request, visitor, "thread/resume", {})


async def _fork(request: Request, visitor: Visitor) -> Response:
    return await _asked(request, visitor, "thread/fork", {})


async def _reopen(request: Request, visitor: Visitor) -> Response:
    """Open its log again; the stream brings what that changes."""
    worker_id = request.path_params["worker_id"]
    await visitor.client.create_worker(worker_id)
    return html(None) if is_partial(request) else RedirectResponse(path_for(worker_id), status_code=303)


async def _cancel(request: Request, visitor: Visitor) -> Response:
    worker_id, request_id = request.path_params["worker_id"], request.path_params["request_id"]
    taken_back = await visitor.client.cancel_request(worker_id, request_id)
    return html(receipt(taken_back)) if is_partial(request) else RedirectResponse(path_for(worker_id), status_code=303)


async def _asked(request: Request, visitor: Visitor, method: str, params: dict[str, Any], renew: str = "") -> Response:
    """Ask, without waiting for the end: the receipt, and the id of the form's next request."""
    worker_id = request.path_params["worker_id"]
    request_id = (await form_of(request)).get("request_id") or new_id("request")
    await visitor.client.request(worker_id, method, params, request_id=request_id, wait_ms=0)
    if not is_partial(request):
        return RedirectResponse(path_for(worker_id), status_code=303)
    told = receipt(await visitor.client.receipt(worker_id, request_id))
    return html([told, fresh(renew, in_its_place=True) if renew else None])

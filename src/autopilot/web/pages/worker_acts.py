"""What one does to a worker from its screen: say something, interrupt, take back, open again, take over, fork.

Each is a request with an id that the form brought, asked without waiting: the answer is its receipt, which the stream
then moves. Sending a form again gives the same receipt and does nothing twice.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.calls import new_id
from autopilot.client.saying import interrupted, said
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.parts.composer import fresh
from autopilot.web.parts.receipts import receipt
from autopilot.web.problems import is_partial
from autopilot.web.visitors import Visitor, path_for

ASKED = "asked"
"""In the query of a worker's screen: the request that was just made without scripts."""


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
    method, params = said(form.get("act", "send"), form.get("text", ""), form.get("turn", ""))
    return await _asked(request, visitor, method, params, "say-id")


async def _interrupt(request: Request, visitor: Visitor) -> Response:
    form = await form_of(request)
    return await _asked(request, visitor, *interrupted(form.get("turn", "")), "interrupt-id")


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
        return RedirectResponse(f"{path_for(worker_id)}?{urlencode({ASKED: request_id})}", status_code=303)
    told = receipt(await visitor.client.receipt(worker_id, request_id))
    return html([told, fresh(renew, in_its_place=True) if renew else None])

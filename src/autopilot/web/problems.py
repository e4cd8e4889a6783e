"""What a browser is told when something can't be done: a plain sentence and a way out, as a page or as a notice.

The words are the presenters'; which status means what is the contract's. A browser whose session is over is led to
sign in, and from there back to where it was.
"""

from __future__ import annotations

import math
from urllib.parse import quote, urlsplit

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from autopilot.client.presenters import errors
from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import AutopilotError, Unauthorized
from autopilot.web.answers import html, said
from autopilot.web.assets import Assets
from autopilot.web.looks import Looks
from autopilot.web.parts.layout import bare_page
from autopilot.web.parts.notices import notice_of, reference

UNAVAILABLE = 503
_POINTLESS = frozenset({"none", "back"})
"""Ways out that trying again is none of."""
STEP_UP = "step_up_required"


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a piece of a page, not for a screen."""
    return "hx-request" in request.headers and "hx-boosted" not in request.headers


def answer(request: Request, error: AutopilotError, assets: Assets) -> Response:
    """The answer to a request that ended with this error."""
    if isinstance(error, (SignInAgain, Unauthorized)):
        return _sign_in(request)
    if error.reason_code == STEP_UP:
        return _prove_first(request)
    told = _told(request, error, assets)
    if error.retry_after_seconds is not None:
        told.headers["retry-after"] = str(max(1, math.ceil(error.retry_after_seconds)))
    return told


def _told(request: Request, error: AutopilotError, assets: Assets) -> Response:
    status = getattr(error, "status", None) or UNAVAILABLE
    if is_partial(request):
        notice = html(notice_of(error), status=status)
        notice.headers["hx-retarget"], notice.headers["hx-reswap"] = "#notices", "beforeend"
        notice.headers["hx-push-url"] = "false"  # the screen is still the same, and a form's address is none
        return notice
    told = errors.trouble(error, reading=request.method == "GET")
    again = request.method == "GET" and told.way not in _POINTLESS  # a form's address can't be gone to
    body = [
        h.h1[told.sentence.removesuffix(".")],
        h.p[told.hint],
        h.a(".button.primary", href=_path(request))["Try again"] if again else None,
        h.p[h.a(href="/")["All workers"]] if again else h.a(".button.primary", href="/")["All workers"],
        h.p(".fine")[f"Request {told.reference}"] if told.reference else None,
    ]
    return html(bare_page("Problem", assets, body, looks=Looks.of(request)), status=status)


def line_of(error: AutopilotError) -> h.Node:
    """What happened, for the line beside a field."""
    told = errors.trouble(error)
    return [told.sentence, reference(told)]


def said_of(error: AutopilotError, *, status: int) -> Response:
    """What happened, for a script of ours that asked (static/js/16-proof.js)."""
    told = errors.trouble(error)
    return said({"error": told.sentence, "request_id": told.reference}, status=status)


def _prove_first(request: Request) -> Response:
    """Who asks has to prove anew who they are: scripts ask for that in a dialog, and then repeat what was asked."""
    if "hx-request" in request.headers:
        response = Response(status_code=403)
        response.headers["x-step-up"], response.headers["hx-reswap"] = "required", "none"
        response.headers["hx-push-url"] = "false"
        return response
    return RedirectResponse(f"/step-up/page?next={quote(_path(request), safe='')}", status_code=303)


def _sign_in(request: Request) -> Response:
    if "hx-request" in request.headers:
        response = Response(status_code=200)
        response.headers["hx-redirect"] = sign_in_path(_path_of(request.headers.get("hx-current-url", "/")))
        return response
    return RedirectResponse(sign_in_path(_path(request) if request.method == "GET" else "/"), status_code=303)


def _path(request: Request) -> str:
    """What was asked for, whole."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _path_of(url: str) -> str:
    try:
        here = urlsplit(url)
    except ValueError:  # a browser writes none that can't be read
        return "/"
    return here.path + (f"?{here.query}" if here.query else "")


def sign_in_path(after: str) -> str:
    """The sign-in page that leads back to a path."""
    return f"/sign-in?next={quote(after, safe='')}" if after not in {"", "/"} else "/sign-in"

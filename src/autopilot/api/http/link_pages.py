"""What a browser shows that opens the link of a pairing or of a guest, where there is no web app: how to go on.

The secret is in the fragment of the link, which a browser keeps to itself. The same for everybody.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.http.own_page import own_page

PAIR = (
    "<p>This link lets a device in, once, within five minutes.</p>"
    "<p>On a phone: scan the QR code beside the link with the Autopilot app.</p>"
    "<p>On a computer: <code>autopilot pair --claim '(the whole link)'</code></p>"
)
GUEST = (
    "<p>This link lets you in, once.</p>"
    "<p>On a computer with Autopilot: <code>autopilot guests enter '(the whole link)'</code></p>"
)


async def pair(_request: Request) -> Response:
    """The page of a pairing's link."""
    return own_page("Pair with Autopilot", PAIR)


async def guest(_request: Request) -> Response:
    """The page of a guest's link."""
    return own_page("Somebody shows you Codex at work", GUEST)


ROUTES = (Route("/pair", pair, methods=["GET"]), Route("/guest", guest, methods=["GET"]))

"""What a browser shows that opens the link of a pairing or of a guest, where there is no web app: how to go on.

The secret is in the fragment of the link, which a browser keeps to itself. The same for everybody.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HEAD = (
    b'<!doctype html><html lang="en"><meta charset="utf-8">'
    b'<meta name="viewport" content="width=device-width,initial-scale=1">'
)
PAIR = (
    b"<title>Pair with Autopilot</title>"
    b"<h1>Pair with Autopilot</h1><p>This link lets a device in, once, within five minutes.</p>"
    b"<p>On a phone: scan the QR code beside the link with the Autopilot app.</p>"
    b"<p>On a computer: <code>autopilot pair --claim '(the whole link)'</code></p></html>"
)
GUEST = (
    b"<title>Guest of Autopilot</title>"
    b"<h1>Somebody shows you Codex at work</h1><p>This link lets you in, once.</p>"
    b"<p>On a computer with Autopilot: <code>autopilot guests enter '(the whole link)'</code></p></html>"
)


async def pair(_request: Request) -> Response:
    """The page of a pairing's link."""
    return Response(HEAD + PAIR, media_type="text/html")


async def guest(_request: Request) -> Response:
    """The page of a guest's link."""
    return Response(HEAD + GUEST, media_type="text/html")


ROUTES = (Route("/pair", pair, methods=["GET"]), Route("/guest", guest, methods=["GET"]))

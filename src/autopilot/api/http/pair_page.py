"""What a browser shows that opens the link of a pairing: how to go on.

The secret is in the fragment of the link, which a browser keeps to itself.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

PAGE = (
    b'<!doctype html><html lang="en"><meta charset="utf-8">'
    b'<meta name="viewport" content="width=device-width,initial-scale=1"><title>Pair with Autopilot</title>'
    b"<h1>Pair with Autopilot</h1><p>This link lets a device in, once, within five minutes.</p>"
    b"<p>On a phone: scan the QR code beside the link with the Autopilot app.</p>"
    b"<p>On a computer: <code>autopilot pair --claim '(the whole link)'</code></p></html>"
)


async def page(_request: Request) -> Response:
    """The page; the same for everybody."""
    return Response(PAGE, media_type="text/html")


ROUTE = Route("/pair", page, methods=["GET"])

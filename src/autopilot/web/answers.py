"""How pages are answered: HTML that is never stored, under a policy that lets nothing in from elsewhere."""

from __future__ import annotations

from typing import Any

import htpy as h
from starlette.responses import HTMLResponse, JSONResponse, Response

CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""No inline script or style, nothing from another origin; `data:` is for images that Codex was shown."""


HEADERS = {
    "content-security-policy": CONTENT_SECURITY,
    "cache-control": "private, no-store",
    "referrer-policy": "same-origin",  # with none, a form that is posted has no origin either, and is refused
}


def html(element: h.Node, *, status: int = 200) -> Response:
    """A page, or a piece of one."""
    return HTMLResponse(
        str(element) if isinstance(element, h.Element) else str(h.fragment[element]),
        status_code=status,
        headers=HEADERS,
    )


def said(value: dict[str, Any], *, status: int = 200) -> Response:
    """What a script of ours asked for."""
    return JSONResponse(value, status_code=status, headers=HEADERS)

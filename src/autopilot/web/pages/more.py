"""What has no tab of its own, and who one is here."""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.routing import Route

from autopilot.contract import Me
from autopilot.web.doors import Doors
from autopilot.web.parts.blocks import menu, plain_form, records
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor

PATH = "/more"
PLACES = (
    ("/machines", "machines", "Machines", "Where Codex runs, and who shares it"),
    ("/audit", "audit", "Audit and trace", "Who did what, and every hop of a request"),
    ("/policy", "policy", "Policy", "What may be asked, and what is decided by rule"),
    ("/teams", "teams", "Teams", "People who share machines"),
    ("/devices", "devices", "Devices and sessions", "Where you are signed in"),
    ("/settings", "settings", "Settings", "Looks, notifications, this installation"),
)


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [doors.page(PATH, show)]


async def show(_request: Request, visitor: Visitor) -> Screen:
    """The screen."""
    me = await visitor.client.me()
    return Screen("more", "More", [bar("More"), records(_who(me), menu(PLACES), sign_out(visitor))], tab=PATH)


def sign_out(visitor: Visitor) -> h.Element:
    """The way out; what this browser kept goes with it."""
    return plain_form("/sign-out", visitor.csrf, h.button(".danger", type="submit")["Sign out"])


def name_of(me: Me) -> str:
    """Who one is."""
    if me.user is None:
        return f"Guest {me.guest_scope or ''}".strip()
    return me.user.email or f"User {me.user.id}"


def _who(me: Me) -> h.Element:
    name = name_of(me)
    device = me.device.name if me.device is not None and me.device.name else None
    return h.div(".who")[
        h.span(".avatar", aria_hidden="true")[name[:1].upper()],
        h.div[h.b(dir="auto")[name], h.small(dir="auto")[f"Signed in on {device}" if device else "Signed in"]],
    ]

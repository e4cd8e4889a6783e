"""Who came in without a passkey and is held: each with its way out, refused or confirmed.

Asks the API's list of devices; what refuses one is the same sign-out as on the screen of devices. Never decides who is
held, nor for how long.
"""

from __future__ import annotations

from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.routing import Route

from autopilot.client.presenters import recoveries
from autopilot.client.presenters.recoveries import Hold
from autopilot.web.doors import Doors
from autopilot.web.parts.blocks import empty, facts, menu, posting, records, section, when
from autopilot.web.parts.held import PATH, refuse
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor

TAB = "/more"
PLACES = (
    ("/devices", "link", "Devices and sessions", "Everything that is signed in, and your passkeys"),
    ("/audit", "info", "Audit", "What was done, by whom and from where"),
)


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [
        doors.page(PATH, _show),
        doors.page(PATH + "/{device_id}/refuse", _refuse, "POST"),
        doors.page(PATH + "/{device_id}/confirm", _confirm, "POST"),
    ]


async def _show(_request: Request, visitor: Visitor) -> Screen:
    return await _screen(visitor)


async def _refuse(request: Request, visitor: Visitor) -> Screen:
    await visitor.client.revoke_device(request.path_params["device_id"])
    return await _screen(visitor, recoveries.REFUSED.text)


async def _confirm(request: Request, visitor: Visitor) -> Screen:
    await visitor.client.confirm_device(request.path_params["device_id"])
    return await _screen(visitor, recoveries.CONFIRMED.text)


async def _screen(visitor: Visitor, said: str | None = None) -> Screen:
    holds = recoveries.of_devices(await visitor.client.devices())
    body = records(
        h.p(".warning", role="status")[said] if said else None,
        [_held(hold, visitor.csrf) for hold in holds] or empty("check", recoveries.NOBODY),
        menu(PLACES),
    )
    return Screen("recovery", "Recovery", [bar("Recovery", back="/devices"), body], tab=TAB, path=PATH)


def _held(hold: Hold, csrf: str) -> h.Element:
    return section(
        hold.title,
        facts(
            [
                ("Device", h.span(dir="auto")[hold.name]),
                ("What, and from where", h.span(dir="auto")[hold.about]),
                ("Came in", when(hold.began_at) or "?"),
                ("Held until", when(hold.held_until, exact=True)),
            ]
        ),
        h.p[recoveries.COULD, " ", hold.advice],
        h.div(".buttons")[_ways(hold, csrf)],
    )


def _ways(hold: Hold, csrf: str) -> h.Node:
    if hold.is_here:
        return h.a(".button.primary", href="/step-up/page")["Use a passkey"]
    confirm = f"{PATH}/{quote(hold.device_id, safe='')}/confirm"
    return [
        posting(confirm, csrf, h.button(type="submit")["It is mine"]),
        refuse(hold, csrf, primary=True),
    ]

"""Deleting one's account: what goes with it, typed to be meant, behind a fresh proof."""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.presenters import errors
from autopilot.contract.errors import Conflict
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.parts.blocks import posts, records, section
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.notices import reference
from autopilot.web.visitors import CSRF_FIELD, Visitor

PATH = "/devices/delete"
TAB = "/more"
WORD = "delete"


def routes(doors: Doors) -> list[Route]:
    """Its paths."""

    async def delete(request: Request, visitor: Visitor) -> Response:
        typed = (await form_of(request)).get("word", "").strip().lower()
        if typed != WORD:
            return html(h.p(".problem", role="alert")[f"Type {WORD} to say that you mean it."], status=422)
        try:
            await visitor.client.delete_account()
        except Conflict as error:
            told = errors.trouble(error)
            return html(h.p(".problem", role="alert")[told.sentence, " ", told.hint, reference(told)], status=409)
        response = html("")
        response.headers["hx-redirect"] = "/sign-in"
        doors.visitors.farewell(request, response)
        return response

    return [doors.page(PATH, _show), doors.page(PATH, delete, "POST")]


async def _show(_request: Request, visitor: Visitor) -> Screen:
    me = await visitor.client.me()
    form = {**posts(PATH), "hx-target": "find .said", "hx-swap": "innerHTML", "hx-select": "unset"}
    body = section(
        "This can't be undone",
        h.ul[
            h.li["All your devices and machines are signed out, your passkeys, guests and teams of your own are gone."],
            h.li["Your sessions are stopped, and what they said is emptied. That they were stays on record."],
            h.li["Nobody else is ever given your place; whoever signs in with your address again is somebody new."],
        ],
        h.form(form)[
            h.input(type="hidden", name=CSRF_FIELD, value=visitor.csrf),
            h.label(for_="word")[
                f"Type {WORD} to delete ", h.b(dir="auto")[me.user.email if me.user else "this account"]
            ],
            h.input("#word", {"autocapitalize": "off"}, type="text", name="word", required=True, autocomplete="off"),
            h.div(".said", aria_live="polite"),
            h.div(".buttons")[
                h.a(".button", href="/devices")["Keep it"],
                h.button(".danger.primary", type="submit")["Delete the account"],
            ],
        ],
    )
    return Screen("leaving", "Delete the account", [bar("Delete the account", back="/devices"), records(body)], tab=TAB)

"""Settings of this browser, what this installation is, and how to use the app without a mouse.

Looks are kept in a cookie of the browser (looks.py), so that a page comes in them from its first byte.
"""

from __future__ import annotations

from collections.abc import Iterable

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot import __version__
from autopilot.contract import openapi
from autopilot.contract.errors import Forbidden
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.looks import THEMES, TIMES, Looks
from autopilot.web.pages import notifications
from autopilot.web.pages.more import PATH as BACK
from autopilot.web.pages.more import name_of, sign_out
from autopilot.web.pages.workers import SHORTCUTS
from autopilot.web.parts.blocks import facts, plain_form, records, section
from autopilot.web.parts.copying import GRANT_ADMIN, OWNERS_CODE, READ_AUDIT, SET_POLICY, SET_PRICES, command
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.visitors import Visitor, is_secure

PATH = "/settings"
CONTRACT_VERSION: str = openapi.document()["info"]["version"]
THEME_WORDS = {"system": "System", "light": "Light", "dark": "Dark"}
TIME_WORDS = {"relative": "How long ago", "exact": "Exact"}
PARTS = {"database": "the database does not answer", "runtime": "the runtime does not answer"}
KEYS = (
    ("g w", "Workers"),
    ("g i", "Inbox"),
    ("g n", "New session"),
    ("g s", "Spend"),
    ("g m", "More"),
    *SHORTCUTS,
    ("a", "In the inbox: accept, or answer"),
    ("d", "In the inbox: decline"),
    ("Esc", "Close a dialog"),
)
"""What scripts listen to: static/js/70-keys.js, 40-list.js and 40-inbox.js."""

MANAGING = (
    ("The policy that holds for everybody", SET_POLICY),
    ("What tokens cost", SET_PRICES),
    ("Everybody's audit", READ_AUDIT),
    ("Let somebody manage it beside its owner", GRANT_ADMIN),
    ("A code for its owner, where no mail comes", OWNERS_CODE),
)
"""What it is for, and the command; docs/cli.md has all."""


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [doors.page(PATH, show), doors.page(f"{PATH}/looks", keep_looks, "POST")]


async def show(request: Request, visitor: Visitor) -> Screen:
    """The screen."""
    me = await visitor.client.me()
    missing = await visitor.client.missing()
    body = [
        bar("Settings", back=BACK),
        records(
            _looks(Looks.of(request), visitor),
            await _notifications(visitor),
            _installation(missing),
            _managing(),
            _keys(),
            section("Account", facts([("Signed in as", h.span(dir="auto")[name_of(me)])]), sign_out(visitor)),
        ),
    ]
    return Screen("settings", "Settings", body, tab=BACK)


async def _notifications(visitor: Visitor) -> h.Element | None:
    """None for whom there are none: guests."""
    try:
        return notifications.settings_section(await visitor.client.push(), visitor)
    except Forbidden:
        return None


async def keep_looks(request: Request, _visitor: Visitor) -> Response:
    """Keep what was chosen, and show the page in it."""
    form = await form_of(request)
    response = RedirectResponse(PATH, status_code=303)
    Looks.chosen(form.get("theme", ""), form.get("times", "")).keep(response, secure=is_secure(request))
    return response


def _looks(looks: Looks, visitor: Visitor) -> h.Element:
    form = plain_form(
        f"{PATH}/looks",
        visitor.csrf,
        _radios("theme", "Appearance", THEMES, THEME_WORDS, looks.theme),
        _radios("times", "Times", TIMES, TIME_WORDS, looks.times),
        h.div(".buttons")[h.button(".primary", type="submit")["Apply"]],
    )
    return section("Looks", form, about="Kept in this browser.")


def _radios(name: str, label: str, values: Iterable[str], words: dict[str, str], chosen: str) -> h.Element:
    return h.fieldset(".segments")[
        h.legend[label],
        (
            h.label[h.input(type="radio", name=name, value=value, checked=value == chosen), h.span[words[value]]]
            for value in values
        ),
    ]


def _installation(missing: tuple[str, ...]) -> h.Element:
    if missing:
        words = "; ".join(PARTS.get(part, f"{part} does not answer") for part in missing)
        health = h.span(".pill.failed")[f"Not ready: {words}"]
    else:
        health = h.span(".pill.running")["Ready: the server, its runtime and its database answer"]
    return section(
        "This installation",
        facts(
            [
                ("Server", health),
                ("Autopilot", __version__),
                ("Contract", CONTRACT_VERSION),
                ("For programs", [h.a(href="/api/docs", hx_boost="false")["The API, call by call"]]),
            ]
        ),
    )


def _managing() -> h.Element:
    """What no browser may: docs/decisions/0031."""
    return section(
        "Managing it",
        h.details[
            h.summary["The commands"],
            ([h.p(".about")[words], command(line)] for words, line in MANAGING),
        ],
        about="Whoever runs this installation manages it on its own machine, in a terminal; no browser can.",
        id_="manage",
    )


def _keys() -> h.Element:
    rows = (h.div[h.dt[h.kbd[keys]], h.dd[words]] for keys, words in KEYS)
    return section("Keyboard", h.dl(".facts.keyboard")[rows], id_="keys")

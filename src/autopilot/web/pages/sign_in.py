"""Signing in by a code that is mailed (or printed on the server's console)."""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.contract.errors import AutopilotError
from autopilot.web.answers import html
from autopilot.web.assets import Assets
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.parts.layout import bare_page
from autopilot.web.visitors import Visitor, Visitors, local_path, may_sign_in

PLAIN_HTTP = (
    "This page came over plain HTTP, on which anybody between could take your session. Open it over https, "
    "or on the server's own machine."
)


def routes(doors: Doors) -> list[Route]:
    """Where it is; and out again."""

    async def begin(request: Request) -> Response:
        return await show(request, doors.assets)

    async def send(request: Request) -> Response:
        return await send_code(request, doors.visitors, doors.assets)

    async def prove(request: Request) -> Response:
        return await verify(request, doors.visitors, doors.assets)

    async def leave(request: Request, visitor: Visitor) -> Response:
        await visitor.client.sign_out()
        response = RedirectResponse("/sign-in", status_code=303)
        doors.visitors.farewell(request, response)
        return response

    return [
        doors.open("/sign-in", begin),
        doors.open("/sign-in/email", send, "POST"),
        doors.open("/sign-in/code", prove, "POST"),
        doors.page("/sign-out", leave, "POST"),
    ]


async def show(request: Request, assets: Assets) -> Response:
    """Ask for the address."""
    return _page(assets, _ask_address(local_path(request.query_params.get("next"))), request)


async def send_code(request: Request, visitors: Visitors, assets: Assets) -> Response:
    """Have a code sent, and ask for it."""
    form = await form_of(request)
    email, after = form.get("email", "").strip(), local_path(form.get("next"))
    session = visitors.stranger(request)
    try:
        await session.request_code(email)
    except AutopilotError as error:
        return _page(assets, _ask_address(after, email, error.message), request, status=error.status or 503)
    finally:
        await session.aclose()
    return _page(assets, _ask_code(after, email), request)


async def verify(request: Request, visitors: Visitors, assets: Assets) -> Response:
    """Take the code, and give the browser its cookie."""
    form = await form_of(request)
    email, after = form.get("email", "").strip(), local_path(form.get("next"))
    if not may_sign_in(request):
        return _page(assets, _ask_address(after, email), request, status=403)
    session = visitors.stranger(request)
    try:
        await session.verify(form.get("code", ""), email=email, device_name=browser_name(request))
        response = RedirectResponse(after, status_code=303)
        await visitors.welcome(request, response, session)
    except AutopilotError as error:
        return _page(assets, _ask_code(after, email, error.message), request, status=error.status or 503)
    finally:
        await session.aclose()
    return response


def browser_name(request: Request) -> str:
    """What the device is called in lists, until somebody names it: `Safari on iPhone`."""
    agent = request.headers.get("user-agent", "")
    browser = next((name for mark, name in BROWSERS if mark in agent), "Browser")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    return f"{browser} on {system}" if system else browser


BROWSERS = (("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrom", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Macintosh", "Mac"),
    ("Windows", "Windows"),
    ("Linux", "Linux"),
)


def _page(assets: Assets, form: h.Node, request: Request, *, status: int = 200) -> Response:
    warning = None if may_sign_in(request) else h.p(".warning", role="alert")[PLAIN_HTTP]
    return html(bare_page("Sign in", assets, [h.h1["Autopilot"], warning, form]), status=status)


def _ask_address(after: str, email: str = "", problem: str | None = None) -> h.Element:
    return h.form(action="/sign-in/email", method="post")[
        h.input(type="hidden", name="next", value=after),
        h.label(for_="email")["E-mail"],
        h.input(
            "#email", type="email", name="email", value=email, autocomplete="username", required=True, autofocus=True
        ),
        _problem(problem),
        h.button(".primary", type="submit")["Send me a code"],
    ]


def _ask_code(after: str, email: str, problem: str | None = None) -> h.Element:
    return h.form(action="/sign-in/code", method="post")[
        h.input(type="hidden", name="next", value=after),
        h.input(type="hidden", name="email", value=email),
        h.p["We sent a code to ", h.b(dir="auto")[email], ". Without mail it is on the server's console."],
        h.label(for_="code")["Code"],
        h.input(
            "#code",
            type="text",
            name="code",
            inputmode="numeric",
            autocomplete="one-time-code",
            required=True,
            autofocus=True,
        ),
        _problem(problem),
        h.button(".primary", type="submit")["Sign in"],
        h.p[h.a(href="/sign-in")["Another address"]],
    ]


def _problem(words: str | None) -> h.Node:
    return h.p(".problem", role="alert")[words] if words else None

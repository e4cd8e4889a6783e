"""Signing in: all ways there are, and the one by a code that is mailed (or printed on the server's console)."""

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
from autopilot.web.looks import Looks
from autopilot.web.parts.layout import bare_page
from autopilot.web.problems import line_of
from autopilot.web.visitors import Visitor, Visitors, local_path, may_sign_in

PLAIN_HTTP = (
    "This page came over plain HTTP, on which anybody between could take your session: nobody can sign in here. Open "
    "it over https, or on the server's own machine."
)


def routes(doors: Doors) -> list[Route]:
    """Where it is; and out again."""

    async def begin(request: Request) -> Response:
        return await show(request, doors.visitors, doors.assets)

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


async def show(request: Request, visitors: Visitors, assets: Assets) -> Response:
    """Ask for the address, or another way."""
    after = local_path(request.query_params.get("next"))
    try:
        async with visitors.stranger(request) as session:
            provider = await session.sso_provider()
    except AutopilotError:  # the mail may work all the same
        provider = None
    return _page(assets, [_ask_address(after), _other_ways(after, provider)], request)


async def send_code(request: Request, visitors: Visitors, assets: Assets) -> Response:
    """Have a code sent, and ask for it."""
    form = await form_of(request)
    email, after = form.get("email", "").strip(), local_path(form.get("next"))
    session = visitors.stranger(request)
    try:
        await session.request_code(email)
    except AutopilotError as error:
        return _page(assets, _ask_address(after, email, line_of(error)), request, status=error.status or 503)
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
        await session.verify(
            form.get("code", ""), email=email, device_name=browser_name(request), device_platform=system_name(request)
        )
        response = RedirectResponse(after, status_code=303)
        await visitors.welcome(request, response, session)
    except AutopilotError as error:
        return _page(assets, _ask_code(after, email, line_of(error)), request, status=error.status or 503)
    finally:
        await session.aclose()
    return response


def browser_name(request: Request) -> str:
    """What the device is called in lists, until somebody names it: `Safari on iPhone`."""
    agent = request.headers.get("user-agent", "")
    browser = next((name for mark, name in BROWSERS if mark in agent), "Browser")
    system = system_name(request)
    return f"{browser} on {system}" if system else browser


def system_name(request: Request) -> str | None:
    """What it runs on."""
    agent = request.headers.get("user-agent", "")
    return next((name for mark, name in SYSTEMS if mark in agent), None)


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
    body = form if may_sign_in(request) else not_secure()
    shown = [_brand(assets), h.h1["Autopilot"], body]
    return html(bare_page("Sign in", assets, shown, looks=Looks.of(request)), status=status)


def not_secure() -> h.Element:
    """What is said over plain HTTP in place of every way in: what is missing, and what to do."""
    return h.div(".not-secure", role="alert")[
        h.p(".warning")[
            h.b["Not a secure connection."], " This page came over plain HTTP: anybody between could take your session."
        ],
        h.p["So there is none of this here:"],
        h.ul[h.li["signing in"], h.li["passkeys"], h.li["notifications"], h.li["screens while offline"]],
        h.p[
            "Open it over https, or on the server's own machine. How to get there: “On a phone” in the web app's guide."
        ],
    ]


def _other_ways(after: str, provider: str | None) -> h.Element:
    return h.div(".ways")[
        h.p(".or", aria_hidden="true")["or"],
        h.button(type="button", data_passkey="sign-in", hidden=True)["Use a passkey"],
        h.p(".problem", role="alert", data_passkey_said=True, hidden=True),
        h.form(action="/sign-in/sso", method="post")[
            h.input(type="hidden", name="next", value=after),
            h.button(type="submit")[f"Continue with {provider}"],
        ]
        if provider
        else None,
        h.a(".button", href="/pair")["Pair with a device that is signed in"],
        h.p(".fine", data_no_passkeys=True, hidden=True)[
            "Passkeys need https, or http://localhost on this machine, and a browser that knows them."
        ],
    ]


def _brand(assets: Assets) -> h.VoidElement:
    return h.img(".brand", src=assets["icon.svg"].path, alt="", width="56", height="56")


def _ask_address(after: str, email: str = "", problem: h.Node = None) -> h.Element:
    return h.form(action="/sign-in/email", method="post")[
        h.input(type="hidden", name="next", value=after),
        h.label(for_="email")["E-mail"],
        h.input(
            "#email", type="email", name="email", value=email, autocomplete="username", required=True, autofocus=True
        ),
        problem_line(problem),
        h.button(".primary", type="submit")["Send me a code"],
    ]


def _ask_code(after: str, email: str, problem: h.Node = None) -> h.Element:
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
        problem_line(problem),
        h.button(".primary", type="submit")["Sign in"],
        h.p[h.a(href="/sign-in")["Another address"]],
    ]


def problem_line(words: h.Node) -> h.Node:
    """What is wrong, beside the field that it is about."""
    return h.p(".problem", role="alert")[words] if words else None

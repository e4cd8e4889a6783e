"""The other ways to sign in: a passkey, and the organisation's provider.

What is posted here comes from our own pages: the edge looks at `Origin`.
"""

from __future__ import annotations

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.session import SsoSignIn
from autopilot.contract.errors import AutopilotError
from autopilot.web.answers import html, said
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of, json_of
from autopilot.web.looks import Looks
from autopilot.web.pages.sign_in import PLAIN_HTTP, browser_name, problem_line, system_name
from autopilot.web.parts.layout import bare_page
from autopilot.web.problems import line_of, said_of
from autopilot.web.visitors import local_path, may_sign_in


def routes(doors: Doors) -> list[Route]:
    """Where they are."""

    async def passkey_options(request: Request) -> Response:
        async with doors.visitors.stranger(request) as session:
            try:
                begun = await session.begin_passkey_sign_in()
            except AutopilotError as error:
                return said_of(error, status=error.status or 503)
        return said({"ceremony": begun.ceremony, "options": begun.options})

    async def by_passkey(request: Request) -> Response:
        if not may_sign_in(request):
            return said({"error": PLAIN_HTTP}, status=403)
        given = await json_of(request)
        credential = given.get("credential")
        response = said({"next": local_path(str(given.get("next")))})
        async with doors.visitors.stranger(request) as session:
            try:
                await session.sign_in_by_passkey(
                    str(given.get("ceremony")),
                    credential if isinstance(credential, dict) else {},
                    device_name=browser_name(request),
                    device_platform=system_name(request),
                )
                await doors.visitors.welcome(request, response, session)
            except AutopilotError as error:
                return said_of(error, status=422)
        return response

    async def begin_sso(request: Request) -> Response:
        after = local_path((await form_of(request)).get("next"))
        async with doors.visitors.stranger(request) as session:
            begun = await session.begin_sso()
        return _page(doors, request, _at_the_provider(begun, after))

    async def finish_sso(request: Request) -> Response:
        form = await form_of(request)
        after = local_path(form.get("next"))
        begun = SsoSignIn(
            url=form.get("url", ""), name=form.get("name", ""), expires_in=0, verifier=form.get("verifier", "")
        )
        if not may_sign_in(request):
            return _page(doors, request, _at_the_provider(begun, after, PLAIN_HTTP), 403)
        response = RedirectResponse(after, status_code=303)
        async with doors.visitors.stranger(request) as session:
            try:
                await session.finish_sso(
                    begun,
                    form.get("code", ""),
                    device_name=browser_name(request),
                    device_platform=system_name(request),
                )
                await doors.visitors.welcome(request, response, session)
            except AutopilotError as error:
                body = _at_the_provider(begun, after, line_of(error))
                return _page(doors, request, body, error.status or 503)
        return response

    return [
        doors.open("/sign-in/passkey/options", passkey_options, "POST"),
        doors.open("/sign-in/passkey", by_passkey, "POST"),
        doors.open("/sign-in/sso", begin_sso, "POST"),
        doors.open("/sign-in/sso/code", finish_sso, "POST"),
    ]


def _page(doors: Doors, request: Request, body: h.Node, status: int = 200) -> Response:
    return html(bare_page("Sign in", doors.assets, body, looks=Looks.of(request)), status=status)


def _at_the_provider(begun: SsoSignIn, after: str, problem: h.Node = None) -> h.Node:
    """The provider is asked in a tab of its own, which shows a code: who has only link or code gets in nowhere."""
    leads_somewhere = begun.url.startswith(("https://", "http://"))
    return [
        h.h1["Autopilot"],
        h.ol(".steps")[
            h.li[
                h.a(".button.primary", href=begun.url, target="_blank", rel="noopener")[f"Sign in at {begun.name}"]
                if leads_somewhere
                else f"Sign in at {begun.name}"
            ],
            h.li["Then type the code that it shows here."],
        ],
        h.form(action="/sign-in/sso/code", method="post")[
            h.input(type="hidden", name="verifier", value=begun.verifier),
            h.input(type="hidden", name="url", value=begun.url),
            h.input(type="hidden", name="name", value=begun.name),
            h.input(type="hidden", name="next", value=after),
            h.label(for_="code")["Code"],
            h.input(
                "#code", type="text", name="code", inputmode="numeric", autocomplete="one-time-code", required=True
            ),
            problem_line(problem),
            h.button(".primary", type="submit")["Sign in"],
            h.p[h.a(href="/sign-in")["Another way"]],
        ],
    ]

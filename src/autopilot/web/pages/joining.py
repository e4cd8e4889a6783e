"""Coming in without mail: this browser is paired with a device that is signed in, or enters as somebody's guest.

The secret of a link is in its fragment, which a script hands over in a post. What this side of a pairing knows goes
with the page, to and fro: nothing of it is kept here, whichever process answers. Words are shown only where all fits.
"""

from __future__ import annotations

import re
import secrets

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from autopilot.client.pairing import OVER, Joiner
from autopilot.client.pairing_words import PairingTampered, words_of
from autopilot.client.tokens import MemoryTokenStore
from autopilot.contract import Pairing, PairingDevice, StartedPairing
from autopilot.contract.errors import AutopilotError, InvalidRequest, NotFound
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.looks import Looks
from autopilot.web.pages.sign_in import PLAIN_HTTP, browser_name, not_secure, problem_line, system_name
from autopilot.web.parts.layout import bare_page
from autopilot.web.parts.pairing import code_element, polling, words_element
from autopilot.web.problems import line_of
from autopilot.web.visitors import cookie_name, may_sign_in

VERIFIER = re.compile("[0-9a-f]{64}")

ENDS = {
    "declined": "It was declined on the other device.",
    "expired": "Five minutes are over. Begin anew.",
    "done": "This was done already.",
}
TAMPERED = "Something between this browser and the other device does not add up. Nothing was let in. Begin anew."


def routes(doors: Doors) -> list[Route]:
    """Where it is."""
    joining = _Joining(doors)
    return [
        doors.open("/pair", joining.show),
        doors.open("/pair/claim", joining.claim, "POST"),
        doors.open("/pair/request", joining.request, "POST"),
        doors.open("/pair/step", joining.step, "POST"),
        doors.open("/guest", joining.show_guest),
        doors.open("/guest/enter", joining.enter, "POST"),
    ]


class _Joining:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    async def show(self, request: Request) -> Response:
        return self._page("Pair", _choose(request), request)

    async def claim(self, request: Request) -> Response:
        """Take up what another device shows."""
        credential = (await form_of(request)).get("credential", "").strip()
        if not may_sign_in(request):
            return self._page("Pair", _choose(request, PLAIN_HTTP), request, status=403)
        async with self._doors.visitors.calls(request) as http:
            joiner = Joiner(http, _device(request))
            try:
                await joiner.claim(credential)
            except AutopilotError as error:
                return self._page("Pair", _choose(request, line_of(error)), request, status=error.status or 503)
            return self._page("Pair", [h.h1["Pair this browser"], _waiting(joiner, None)], request)

    async def request(self, request: Request) -> Response:
        """Show something that another device takes up."""
        if not may_sign_in(request):
            return self._page("Pair", _choose(request, PLAIN_HTTP), request, status=403)
        async with self._doors.visitors.calls(request) as http:
            joiner = Joiner(http, _device(request))
            try:
                started = await joiner.request("device")
            except AutopilotError as error:
                return self._page("Pair", _choose(request, line_of(error)), request, status=error.status or 503)
            return self._page("Pair", [_shown(started), _waiting(joiner, None)], request)

    async def step(self, request: Request) -> Response:
        """Look how far it is; in once it is confirmed."""
        async with self._doors.visitors.calls(request) as http:
            try:
                joiner = Joiner.restored(http, (await form_of(request)).get("state", ""))
            except ValueError:
                raise InvalidRequest("this page is too old; open it again", reason_code="malformed_form") from None
            try:
                pairing = await joiner.step()
                if pairing.state == "confirmed":
                    return await self._collected(request, joiner)
                words = words_of(pairing)
            except PairingTampered:
                return html(_over(TAMPERED))
            except NotFound as error:
                return html(_over(line_of(error)))
            except AutopilotError as error:
                return html(_waiting(joiner, None, line_of(error)))
            if pairing.state in OVER:
                return html(_over(ENDS[pairing.state]))
            return html(_waiting(joiner, pairing, words=words))

    async def _collected(self, request: Request, joiner: Joiner) -> Response:
        store = MemoryTokenStore()
        await joiner.collect(store)
        response = html("")
        response.headers["hx-redirect"] = "/"
        async with self._doors.visitors.stranger(request, store) as session:
            await self._doors.visitors.welcome(request, response, session)
        return response

    async def show_guest(self, request: Request) -> Response:
        return self._page("Guest", _guest(request), request)

    async def enter(self, request: Request) -> Response:
        """In as a guest, by the secret of a link."""
        if not may_sign_in(request):
            return self._page("Guest", _guest(request, PLAIN_HTTP), request, status=403)
        said = await form_of(request)
        secret, verifier = said.get("credential", "").strip(), said.get("verifier", "")
        response = RedirectResponse("/", status_code=303)
        async with self._doors.visitors.stranger(request) as session:
            try:
                await session.enter(secret, verifier=verifier if VERIFIER.fullmatch(verifier) else None)
                await self._doors.visitors.welcome(request, response, session)
            except AutopilotError as error:
                return self._page("Guest", _guest(request, line_of(error)), request, status=error.status or 503)
        return response

    def _page(self, title: str, body: h.Node, request: Request, *, status: int = 200) -> Response:
        shown = body if may_sign_in(request) else [h.h1["Autopilot"], not_secure()]
        return html(bare_page(title, self._doors.assets, shown, looks=Looks.of(request)), status=status)


def _device(request: Request) -> PairingDevice:
    return PairingDevice(device_name=browser_name(request), device_platform=system_name(request))


def _choose(request: Request, problem: h.Node = None) -> h.Node:
    return [
        h.h1["Pair this browser"],
        problem_line(problem),
        _signed_in_already(request),
        h.form(action="/pair/claim", method="post", data_link_form=True)[
            h.div(data_without_link=True)[
                h.p["On a device that is signed in: Devices, “Let a device in”. Then type the code that it shows."],
                h.label(for_="credential")["Code"],
                h.input(
                    "#credential",
                    type="text",
                    name="credential",
                    autocomplete="off",
                    autocapitalize="characters",
                    spellcheck="false",
                    required=True,
                    maxlength="128",
                ),
            ],
            h.p(data_with_link=True, hidden=True)[
                "The link that you opened lets this browser in, once, after a look at both screens."
            ],
            h.button(".primary", type="submit")["Pair this browser"],
        ],
        h.p(data_app_link=True, hidden=True)[h.a(".button", href="autopilot://pair")["Open in the iPhone app instead"]],
        h.form(".ways", action="/pair/request", method="post", data_without_link=True)[
            h.p(".or", aria_hidden="true")["or"], h.button(type="submit")["Show a code here instead"]
        ],
        h.p[h.a(href="/sign-in")["Sign in another way"]],
    ]


def _signed_in_already(request: Request) -> h.Node:
    if cookie_name(request) not in request.cookies:
        return None
    return h.p(".warning")[
        "This browser is signed in already; what comes in now takes its place. ", h.a(href="/")["Back to the app"]
    ]


def _shown(started: StartedPairing) -> h.Node:
    return [
        h.h1["Pair this browser"],
        h.p["On a device that is signed in: Devices, “Enter a code”. It lets this browser in after a look at both."],
        code_element(started.code),
    ]


def _waiting(
    joiner: Joiner,
    pairing: Pairing | None,
    problem: h.Node = None,
    words: tuple[str, ...] | None = None,
) -> h.Node:
    account = pairing.account if pairing else None
    return polling(
        "/pair/step",
        joiner.saved(),
        [
            words_element(words) if words else h.p(".pausing", role="status")["Waiting for the other device…"],
            h.p[
                "Does the other screen show the same words? Then say yes ",
                h.b["there"],
                f", as {account}." if account else ".",
            ]
            if words
            else None,
            problem_line(problem),
        ],
    )


def _over(words: h.Node) -> h.Element:
    return h.div("#pairing", role="status")[h.p(".problem")[words], h.p[h.a(".button", href="/pair")["Begin anew"]]]


def _guest(request: Request, problem: h.Node = None) -> h.Node:
    return [
        h.h1["Look over a shoulder"],
        h.p["Somebody shows you what Codex does for them. You can read it for a while, and change nothing."],
        problem_line(problem),
        _signed_in_already(request),
        h.form(action="/guest/enter", method="post", data_link_form=True)[
            h.div(data_without_link=True)[
                h.p["Open the link that you were sent, or paste what follows its #."],
                h.label(for_="credential")["Secret of the link"],
                h.input(
                    "#credential", type="text", name="credential", autocomplete="off", required=True, maxlength="512"
                ),
            ],
            h.input(type="hidden", name="verifier", value=secrets.token_hex(32)),  # a form that is sent again has it
            h.button(".primary", type="submit")["Have a look"],
        ],
    ]

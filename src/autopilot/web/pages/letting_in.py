"""Letting a phone, another browser or a machine in: a code here or there, the same words on both screens, and a yes.

The side of the person who is signed in. What it knows goes with the page, to and fro: whichever process answers. The
yes takes a fresh proof, which the dialog asks for.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.pairing import OVER, Approver, web_link
from autopilot.client.pairing_words import PairingTampered, words_of
from autopilot.client.presenters import pairings
from autopilot.contract import Pairing
from autopilot.contract.errors import Conflict, InvalidRequest, NotFound
from autopilot.web.answers import html
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.parts.blocks import choices, posting, posts, records, section
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.pairing import code_element, picture, polling, words_element
from autopilot.web.problems import line_of
from autopilot.web.visitors import LOOPBACK, Visitor, origin_of

PATH = "/devices/pair"
TAB = "/more"
MACHINE = "machine"
HERE_ONLY = (
    "The address of this page is of this computer only: nothing else can open it. Start the server with --listen, or "
    "give it a public URL, and come here by that."
)


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [
        doors.page(PATH, _show),
        doors.page(f"{PATH}/offer", _offer, "POST"),
        doors.page(f"{PATH}/find", _find, "POST"),
        doors.page(f"{PATH}/step", _step, "POST"),
        doors.page(f"{PATH}/decide", _decide, "POST"),
    ]


async def _show(request: Request, visitor: Visitor) -> Screen:
    return _choose(request, visitor.csrf, request.query_params.get("kind", "device"))


async def _offer(request: Request, visitor: Visitor) -> Screen:
    approver = visitor.client.approver()
    started = await approver.offer("device")
    link = web_link(origin_of(request), started.secret)
    reachable = not is_here_only(request)
    body = [
        [h.p["Scan it with the phone's camera, or open the link there:"], picture(link), h.p[h.code(dir="ltr")[link]]]
        if reachable
        else h.p(".warning")[HERE_ONLY],
        h.p["Or type this code there, under Sign in, “Pair with a device that is signed in”:"],
        code_element(started.code),
        _waiting(approver),
    ]
    return _screen(section("A phone or another browser", *body))


async def _find(request: Request, visitor: Visitor) -> Screen:
    form = await form_of(request)
    approver = visitor.client.approver()
    try:
        await approver.find(form.get("credential", "").strip())
    except NotFound as error:
        return _choose(request, visitor.csrf, form.get("kind", "device"), line_of(error))
    return _screen(section("Compare", _waiting(approver)))


async def _step(request: Request, visitor: Visitor) -> Response:
    approver = _restored(visitor, (await form_of(request)).get("state", ""))
    try:
        pairing = await approver.step()
        words = words_of(pairing)
    except PairingTampered:
        return html(_over(pairings.TAMPERED))
    except NotFound as error:
        return html(_over(line_of(error)))
    if pairing.state in OVER:
        return html(_over(pairings.ENDS[pairing.state], is_in=pairing.state == "done"))
    if pairing.state == "confirmed" or words is None:
        return html(_waiting(approver, pairing))
    return html(_asking(approver, pairing, words))


async def _decide(request: Request, visitor: Visitor) -> Response:
    form = await form_of(request)
    approver = _restored(visitor, form.get("state", ""))
    try:
        if form.get("accept") != "yes":
            await approver.decline()
            return html(_over(pairings.ENDS["declined"]))
        pairing = await approver.accept(tuple(form.get("words", "").split()))
    except (Conflict, NotFound) as error:
        return html(_over(line_of(error)))
    return html(_waiting(approver, pairing))


def _restored(visitor: Visitor, text: str) -> Approver:
    try:
        return visitor.client.approver_from(text)
    except ValueError:
        raise InvalidRequest("This page is too old. Begin anew.", reason_code="malformed_form") from None


def is_here_only(request: Request) -> bool:
    """Whether no other device can open the address that this browser came by."""
    return urlsplit(origin_of(request)).netloc.startswith(LOOPBACK)


def _screen(*body: h.Node) -> Screen:
    return Screen("pairing", "Let a device in", [bar("Let a device in", back="/devices"), records(*body)], tab=TAB)


def _choose(request: Request, csrf: str, kind: str, problem: h.Node = None) -> Screen:
    is_machine = kind == MACHINE
    return _screen(
        choices(
            "What is to come in",
            [
                (PATH, "A phone or browser", not is_machine),
                (f"{PATH}?kind={MACHINE}", "A machine", is_machine),
            ],
        ),
        _at_the_machine(request) if is_machine else _offering(csrf),
        section(
            "Enter its code" if is_machine else "Enter a code",
            posting(
                f"{PATH}/find",
                csrf,
                h.label(for_="credential")["Code"],
                h.input(
                    "#credential",
                    {"autocapitalize": "characters", "spellcheck": "false", "data-secret": True},
                    type="text",
                    name="credential",
                    required=True,
                    maxlength="128",
                    autocomplete="off",
                ),
                h.input(type="hidden", name="kind", value=kind),
                h.p(".problem", role="alert")[problem] if problem else None,
                h.div(".buttons")[h.button(".primary", type="submit")["Go on"]],
            ),
            about=None if is_machine else "That a browser shows under “Pair with a device that is signed in”.",
        ),
    )


def _offering(csrf: str) -> h.Element:
    return section(
        "Show a code here",
        posting(f"{PATH}/offer", csrf, h.div(".buttons")[h.button(".primary", type="submit")["Show a code"]]),
        about=pairings.OFFERING,
    )


def _at_the_machine(request: Request) -> h.Element:
    return section(
        "On the machine",
        h.p["Where Autopilot is installed beside Codex, this shows a code, and later the words to compare:"],
        h.pre(".command-line", tabindex="0", dir="ltr")[h.code[f"autopilot machine enroll {origin_of(request)}"]],
        h.p(".warning")[HERE_ONLY] if is_here_only(request) else None,
        h.p(".about")["Once it is let in, start ", h.code(dir="ltr")["autopilot companion"], " there."],
    )


def _waiting(approver: Approver, pairing: Pairing | None = None) -> h.Element:
    is_confirmed = pairing is not None and pairing.state == "confirmed"
    words = pairings.CONFIRMED if is_confirmed else pairings.WAITING
    return polling(f"{PATH}/step", approver.saved(), h.p(".pausing", role="status")[words])


def _asking(approver: Approver, pairing: Pairing, words: tuple[str, ...]) -> h.Element:
    """The words; looks on now and then, and asks for the yes."""
    into = {"hx-target": "#pairing", "hx-swap": "outerHTML", "hx-select": "unset"}
    return h.div("#pairing")[
        h.p[h.b(dir="auto")[pairings.who(pairing)], " wants to come in", f" ({pairings.about(pairing)})", "."],
        words_element(words),
        h.p[pairings.QUESTION],
        [h.p(".warning")[warning] for warning in pairings.warnings(pairing)],
        h.form({**posts(f"{PATH}/decide"), **into, "hx-disabled-elt": "find button"})[
            h.input(type="hidden", name="state", value=approver.saved()),
            h.input(type="hidden", name="words", value=" ".join(words)),
            h.div(".buttons")[
                h.button(".danger", type="submit", name="accept", value="no")["No, they differ"],
                h.button(".primary", type="submit", name="accept", value="yes")["Yes, let it in"],
            ],
        ],
    ]


def _over(words: h.Node, *, is_in: bool = False) -> h.Element:
    return h.div("#pairing", role="status")[
        h.p(class_="tone-text tone-good" if is_in else "problem")[words],
        h.div(".buttons")[
            h.a(".button", href="/devices")["All devices"] if is_in else h.a(".button", href=PATH)["Begin anew"]
        ],
    ]

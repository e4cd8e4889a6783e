"""Proving anew who one is: a code by mail, or a passkey; in a dialog over whatever asked for it, or as a page.

The API decides what takes it (`step_up_required`), and scripts repeat what was asked once it is proved. Afterwards the
browser goes on with another token.
"""

from __future__ import annotations

from typing import Any

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import AutopilotError, Unauthorized
from autopilot.web.answers import html, said
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of, json_of
from autopilot.web.parts import proof
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.problems import line_of, said_of
from autopilot.web.visitors import Visitor, local_path

HELD = "recovery_hold"
PROVED = {"hx-trigger": "stepped-up", "hx-reswap": "none"}


def routes(doors: Doors) -> list[Route]:
    """Where it is."""

    async def by_code(request: Request, visitor: Visitor) -> Response:
        typed, email = (await form_of(request)).get("code", ""), await _email(visitor)
        try:
            await visitor.client.step_up_by_code(typed)
        except SignInAgain:
            raise
        except AutopilotError as error:  # said in the dialog, which stands before whatever is beside the screen
            status = 422 if isinstance(error, Unauthorized) else error.status or 503
            return html(proof.code(email, line_of(error)), status=status)
        doors.visitors.forget(visitor.cookie)
        response = html("")
        response.headers.update(PROVED)
        return response

    async def by_passkey(request: Request, visitor: Visitor) -> Response:
        given = await json_of(request)
        try:
            await visitor.client.step_up_by_passkey(str(given.get("ceremony")), _credential(given))
        except Unauthorized as error:
            return said_of(error, status=422)
        doors.visitors.forget(visitor.cookie)
        return said({"ok": True})

    return [
        doors.page("/step-up", _panel),
        doors.page("/step-up/page", _page),
        doors.page("/step-up/send", _send, "POST"),
        doors.page("/step-up/code", by_code, "POST"),
        doors.page("/step-up/passkey/options", _options, "POST"),
        doors.page("/step-up/passkey", by_passkey, "POST"),
    ]


async def _panel(_request: Request, visitor: Visitor) -> Response:
    return html(h.div(".proof")[await _asked(visitor)])


async def _page(request: Request, visitor: Visitor) -> Screen:
    """For a page that takes a proof to be seen at all."""
    after = local_path(request.query_params.get("next"))
    body = h.div(".card.proof", data_proof_next=after)[await _asked(visitor)]
    return Screen("proof", "Is it you?", [bar("Is it you?", back="/"), h.div(".questions")[body]])


async def _asked(visitor: Visitor) -> h.Node:
    me = await visitor.client.me()
    has_passkeys = bool(await visitor.client.passkeys())
    if me.device is not None and me.device.held_until is not None:
        return proof.held(h.time(datetime=me.device.held_until), has_passkeys=has_passkeys)
    return proof.ask(has_passkeys=has_passkeys, email=me.user.email if me.user else None)


async def _send(_request: Request, visitor: Visitor) -> Response:
    email = await _email(visitor)
    try:
        await visitor.client.begin_step_up("email_code")
    except Unauthorized:
        raise
    except AutopilotError as error:
        has_passkeys = bool(await visitor.client.passkeys())
        if error.reason_code == HELD:
            until = h.time(datetime=str(error.fact("until")))
            return html(proof.held(until, has_passkeys=has_passkeys), status=403)
        panel = proof.ask(has_passkeys=has_passkeys, email=email, problem=line_of(error))
        return html(panel, status=error.status or 503)
    return html(proof.code(email))


async def _options(_request: Request, visitor: Visitor) -> Response:
    begun = await visitor.client.begin_step_up("passkey")
    return said({"ceremony": begun.ceremony, "options": begun.options})


async def _email(visitor: Visitor) -> str | None:
    me = await visitor.client.me()
    return me.user.email if me.user else None


def _credential(given: dict[str, Any]) -> dict[str, Any]:
    credential = given.get("credential")
    return credential if isinstance(credential, dict) else {}

"""Passkeys of an account: made here, renamed, removed. What guards them is asked by a script (42-passkeys.js)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.contract import Passkey
from autopilot.contract.errors import Conflict, Unprocessable
from autopilot.web.answers import html, said
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of, json_of
from autopilot.web.parts.blocks import posts, section, when
from autopilot.web.problems import said_of
from autopilot.web.visitors import CSRF_FIELD, Visitor

PATH = "/devices/passkeys"
INTO = {"hx-target": "#passkeys", "hx-swap": "outerHTML", "hx-select": "unset"}


def routes(doors: Doors) -> list[Route]:
    """Their paths."""
    return [
        doors.page(f"{PATH}/options", _options, "POST"),
        doors.page(PATH, _register, "POST"),
        doors.page(PATH + "/{passkey_id}/rename", _rename, "POST"),
        doors.page(PATH + "/{passkey_id}/remove", _remove, "POST"),
    ]


async def _options(_request: Request, visitor: Visitor) -> Response:
    try:
        begun = await visitor.client.begin_passkey()
    except Conflict as error:
        return said_of(error, status=409)
    return said({"ceremony": begun.ceremony, "options": begun.options})


async def _register(request: Request, visitor: Visitor) -> Response:
    given = await json_of(request)
    credential = given.get("credential")
    try:
        await visitor.client.register_passkey(
            str(given.get("ceremony")), credential if isinstance(credential, dict) else {}
        )
    except (Conflict, Unprocessable) as error:
        return said_of(error, status=422)
    return await _again(visitor)


async def _rename(request: Request, visitor: Visitor) -> Response:
    name = (await form_of(request)).get("name", "").strip()
    await visitor.client.rename_passkey(request.path_params["passkey_id"], name)
    return await _again(visitor)


async def _remove(request: Request, visitor: Visitor) -> Response:
    await visitor.client.remove_passkey(request.path_params["passkey_id"])
    return await _again(visitor)


async def _again(visitor: Visitor) -> Response:
    return html(passkeys_section(await visitor.client.passkeys(), visitor.csrf))


def passkeys_section(passkeys: Sequence[Passkey], csrf: str) -> h.Element:
    """The list, and the way to another one."""
    return section(
        "Passkeys",
        h.ul(".lines")[(_row(passkey, csrf) for passkey in passkeys)] if passkeys else None,
        h.div[
            h.button(type="button", data_passkey="register", hidden=True)["Add a passkey"],
            h.p(".problem", role="alert", data_passkey_said=True, hidden=True),
            h.p(".about", data_no_passkeys=True, hidden=True)[
                "This browser can't make one here: they need https, or http://localhost on the server's machine."
            ],
        ],
        about="Sign in by face, finger or PIN, without a mail; nobody can talk you out of one.",
        id_="passkeys",
    )


def _row(passkey: Passkey, csrf: str) -> h.Element:
    path = f"{PATH}/{quote(passkey.passkey_id, safe='')}"
    field = f"name-{passkey.passkey_id}"
    synced = "synced to your other devices" if passkey.backed_up else "on one device only"
    return h.li[
        h.div[
            h.b(dir="auto")[passkey.name],
            h.small[synced, " · made ", when(passkey.created_at), " · used ", when(passkey.last_used_at) or "never"],
            h.p(".warning")["There is a copy of it, noticed ", when(passkey.suspected_at), ": remove it."]
            if passkey.suspected_at
            else None,
        ],
        h.div(".buttons")[
            h.details(".sure")[
                h.summary(role="button", aria_label=f"Rename {passkey.name}")["Rename"],
                h.form({"data-draft": f"{path}/rename", **posts(f"{path}/rename"), **INTO})[
                    _proof(csrf),
                    h.div(".inline")[
                        h.div[
                            h.label(for_=field)["Name"],
                            h.input(
                                id=field,
                                type="text",
                                name="name",
                                value=passkey.name,
                                required=True,
                                maxlength="100",
                                dir="auto",
                                autocomplete="off",
                            ),
                        ],
                        h.button(".primary", type="submit")["Rename"],
                    ],
                ],
            ],
            h.details(".sure")[
                h.summary(role="button", aria_label=f"Remove {passkey.name}")["Remove"],
                h.form({**posts(f"{path}/remove"), **INTO})[
                    _proof(csrf),
                    h.p["It signs nobody in any more. A code by mail still does."],
                    h.div(".buttons")[h.button(".danger.primary", type="submit")[f"Remove {passkey.name}"]],
                ],
            ],
        ],
    ]


def _proof(csrf: str) -> h.VoidElement:
    return h.input(type="hidden", name=CSRF_FIELD, value=csrf)

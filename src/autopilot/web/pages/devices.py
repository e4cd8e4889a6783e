"""Devices and sessions: where one is signed in, what is held, passkeys; renaming, confirming and signing out."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import htpy as h
from starlette.requests import Request
from starlette.routing import Route

from autopilot.client.presenters import devices as words
from autopilot.contract import Device, Passkey
from autopilot.web.doors import Doors
from autopilot.web.forms import form_of
from autopilot.web.pages.passkeys import passkeys_section
from autopilot.web.parts.blocks import menu, plain_form, posting, records, section, when
from autopilot.web.parts.layout import Screen, bar
from autopilot.web.parts.sure import sure
from autopilot.web.visitors import Visitor

PATH = "/devices"
TAB = "/more"
PLACES = (
    ("/devices/pair", "link", "Let a device in", "A phone, another browser or a machine, by having it before you"),
    ("/devices/guests", "info", "Guests", "Show single sessions to somebody without an account"),
    ("/devices/delete", "close", "Delete the account", "And everything in it, for good"),
)


def routes(doors: Doors) -> list[Route]:
    """Its paths."""
    return [
        doors.page(PATH, _show),
        doors.page(f"{PATH}/revoke-others", _revoke_others, "POST"),
        doors.page(PATH + "/{device_id}/rename", _rename, "POST"),
        doors.page(PATH + "/{device_id}/confirm", _confirm, "POST"),
        doors.page(PATH + "/{device_id}/revoke", _revoke, "POST"),
    ]


async def _show(_request: Request, visitor: Visitor) -> Screen:
    return await _screen(visitor)


async def _rename(request: Request, visitor: Visitor) -> Screen:
    name = (await form_of(request)).get("name", "").strip()
    await visitor.client.rename_device(request.path_params["device_id"], name)
    return await _screen(visitor, words.renamed(name).text)


async def _confirm(request: Request, visitor: Visitor) -> Screen:
    device = await visitor.client.confirm_device(request.path_params["device_id"])
    return await _screen(visitor, words.confirmed(device).text)


async def _revoke(request: Request, visitor: Visitor) -> Screen:
    await visitor.client.revoke_device(request.path_params["device_id"])
    return await _screen(visitor, words.REVOKED.text)


async def _revoke_others(_request: Request, visitor: Visitor) -> Screen:
    done = await visitor.client.revoke_other_devices()
    return await _screen(visitor, words.revoked_others(done).text)


async def _screen(visitor: Visitor, said: str | None = None) -> Screen:
    devices = await visitor.client.devices()
    passkeys: Sequence[Passkey] = await visitor.client.passkeys()
    here = [device for device in devices if device.current]
    others = [device for device in devices if not device.current]
    held = any(device.held_until for device in devices)
    body = records(
        h.p(".warning", role="status")[said] if said else None,
        h.p(".warning")[
            "A device came in by mail although your account has passkeys. ",
            h.a(href="/recovery")["Confirm it, or refuse it."],
        ]
        if held
        else None,
        section("This device", h.ul(".lines")[(_row(device, visitor.csrf) for device in here)]),
        section(
            "Other devices",
            h.ul(".lines")[(_row(device, visitor.csrf) for device in others)]
            if others
            else h.p(".about")[words.NOWHERE_ELSE],
            sure(
                "Sign out all others",
                words.SIGN_OUT_OTHERS,
                f"{PATH}/revoke-others",
                visitor.csrf,
                button="Sign out all others",
            )
            if others
            else None,
        ),
        passkeys_section(passkeys, visitor.csrf),
        menu(PLACES),
    )
    return Screen("devices", "Devices and sessions", [bar("Devices and sessions", back=TAB), body], tab=TAB)


def _row(device: Device, csrf: str) -> h.Element:
    return h.li[
        h.div[
            h.b(dir="auto")[words.name(device)],
            h.small(dir="auto")[words.about(device)],
            h.small["Last seen ", when(device.last_seen_at) or "never", " · since ", when(device.created_at) or "?"],
            h.p(".warning")["Held until ", when(device.held_until), ": it came in by mail."]
            if device.held_until
            else None,
        ],
        h.div(".buttons")[
            _confirming(device, csrf) if device.held_until and not device.current else None,
            _renaming(device, csrf),
            _leaving(device, csrf),
        ],
    ]


def _path(device: Device, rest: str) -> str:
    return f"{PATH}/{quote(device.device_id, safe='')}/{rest}"


def _confirming(device: Device, csrf: str) -> h.Element:
    return posting(_path(device, "confirm"), csrf, h.button(".primary", type="submit")["It is mine"])


def _renaming(device: Device, csrf: str) -> h.Element:
    field = f"name-{device.device_id}"
    return h.details(".sure")[
        h.summary(role="button", aria_label=f"Rename {words.name(device)}")["Rename"],
        posting(
            _path(device, "rename"),
            csrf,
            h.div(".inline")[
                h.div[
                    h.label(for_=field)["Name"],
                    h.input(
                        id=field,
                        type="text",
                        name="name",
                        value=device.name or "",
                        required=True,
                        maxlength=str(words.LONGEST_NAME),
                        dir="auto",
                        autocomplete="off",
                    ),
                ],
                h.button(".primary", type="submit")["Rename"],
            ],
        ),
    ]


def _leaving(device: Device, csrf: str) -> h.Element:
    if device.current:
        return plain_form("/sign-out", csrf, h.button(".danger", type="submit")["Sign out"])
    return sure(
        "Sign out", words.leaving(device), _path(device, "revoke"), csrf, button=f"Sign out {words.name(device)}"
    )

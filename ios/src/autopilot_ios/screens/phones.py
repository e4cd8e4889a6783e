"""What the screens of a worker ask of the phone, and how they tell of errors: the same few things for each of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import flet as ft

from autopilot.client.presenters import errors
from autopilot.client.presenters.labels import Label
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks


class PhoneWays(Protocol):
    """Of the phone: autopilot_ios.device.Device."""

    async def copy(self, text: str) -> None:
        """Put it on the clipboard."""
        ...

    async def open(self, url: str) -> None:
        """Open a web page in the browser."""
        ...

    async def succeeded(self) -> None:
        """Let it be felt that it went well."""
        ...

    async def failed(self) -> None:
        """Let it be felt that it did not."""
        ...

    async def is_owner(self, reason: str) -> bool:
        """Whether its owner is there."""
        ...


NOT_OWNER = Label("Nothing was sent: this phone did not recognise its owner.", "warn")


class Guarded(Protocol):
    """Of the core: autopilot.client.app_core.AppCore."""

    @property
    def asks_for_owner(self) -> bool:
        """Whether the owner is to be recognised before anything is administered."""
        ...


async def is_theirs(core: Guarded, phone: PhoneWays, reason: str) -> bool:
    """Whether whoever holds the phone may do this, as far as its owner wants that looked at."""
    return not core.asks_for_owner or await phone.is_owner(reason)


def copies(phone: PhoneWays, say: Callable[[Label], None]) -> Callable[[str], Awaitable[None]]:
    """Puts an id or a text on the clipboard, and says so."""

    async def copy(text: str) -> None:
        await phone.copy(text)
        say(Label("Copied"))

    return copy


async def if_theirs(core: Guarded, phone: PhoneWays, reason: str, say: Callable[[Label], object]) -> bool:
    """The same, and says so where they may not."""
    theirs = await is_theirs(core, phone, reason)
    if not theirs:
        say(NOT_OWNER)
    return theirs


def trouble(error: AutopilotError, *, key: str = "trouble") -> ft.Control:
    """Why something was not done: what happened, the way out, and the call's request id."""
    told = errors.trouble(error)
    fields = [f"{name}: {why}" for name, why in told.fields]
    reference = [f"Request {told.reference}"] if told.reference else []
    tone = "warn" if told.way in ("wait", "retry") else "bad"
    return blocks.notice(Label(told.sentence, tone), key=key, detail="\n".join([told.hint, *fields, *reference]))

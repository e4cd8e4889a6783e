"""What every screen is: a title, a body, what it does while it is shown; and what it is given to do that with.

A screen reads a store of the client core and draws it; what a finger does there becomes a call of the core. It holds no
state of its own but what is being typed. Never asks who may do what: the server answers that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import flet as ft

from autopilot.client.presenters.labels import Label

Action = Callable[[], Awaitable[Any]]
SHEET_SECONDS = 0.5
"""So long a sheet takes to go: what is shown before would lie upon it, and lead back to it."""


class Stage(Protocol):
    """Where screens are shown, one upon another."""

    @property
    def is_wide(self) -> bool:
        """Whether a list and what was chosen from it stand beside each other."""
        ...

    def push(self, screen: Screen) -> None:
        """Show a screen upon this one, or beside the list where that is wide."""
        ...

    def pop(self) -> None:
        """Go back."""
        ...

    def replace(self, screen: Screen) -> None:
        """Show a screen in place of the one on top."""
        ...

    def say(self, label: Label, *, button: str | None = None, on_click: Action | None = None) -> None:
        """Tell something in passing, below; what must not be missed belongs on a screen."""
        ...

    def ask(self, dialog: ft.CupertinoAlertDialog) -> None:
        """Put a question before everything."""
        ...

    def sheet(self, title: str, body: ft.Control) -> None:
        """Show something from below, until it is pulled down or dismissed."""
        ...

    def dismiss(self) -> None:
        """Take the question or sheet away."""
        ...


class Screen(ABC):
    """One screen. `stage` is there from when it is shown."""

    title = ""
    route = "/"
    stage: Stage

    @abstractmethod
    def build(self) -> ft.Control:
        """The body; called once, before `run`."""

    def actions(self) -> list[ft.Control]:
        """At the right of its head."""
        return []

    def foot(self) -> ft.Control | None:
        """What stays below the body: a composer."""
        return None

    async def run(self) -> None:  # noqa: B027 - a screen that only stands there does nothing
        """Keep what is shown true for as long as it is shown; cancelled when it no longer is."""

    async def refresh(self) -> None:  # noqa: B027 - as above
        """Look now: a person asked for it."""


def update(control: ft.Control) -> None:
    """Show what was changed by hand; what is not on the page (any more) needs none."""
    if is_mounted(control):
        control.update()


def is_mounted(control: ft.BaseControl) -> bool:
    """Whether it is on the page."""
    try:
        return control.page is not None
    except RuntimeError:
        return False

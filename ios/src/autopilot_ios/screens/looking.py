"""Screens that ask the server for something and show what it said: the same four ways of having nothing to show.

Asks when it is shown, when a person wants it, and when the connection is back after it failed. What was said before
stays, with its age and why there is nothing newer.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine, Sequence
from datetime import datetime
from typing import Any

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.observable import Observable
from autopilot.client.presenters import errors
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.times import ago
from autopilot.contract.errors import AutopilotError, NetworkError
from autopilot.contract.instants import instant
from autopilot_ios.look import blocks
from autopilot_ios.screen import Screen, update


class LookingScreen(Screen):
    """One that shows what a store of the client core knows."""

    what = "Loading…"
    """What is said while nothing is known yet."""

    def __init__(self, core: AppCore, store: Observable[Any]) -> None:
        self.core = core
        self.store = store
        self.list = ft.ListView(padding=ft.Padding(16, 8, 16, 32), expand=True)
        # Made once: a control within it that is the same as before stays where it is, with what is being typed in it.
        self._column = blocks.column([], gap=18)
        self.list.controls = [self._column]
        self._body = ft.Container(expand=True)
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def now(self) -> datetime:
        """The time that ages are told by."""
        return self.core.client.clock.now()

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw()
        return self._body

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                tasks.create_task(self.refresh())
                tasks.create_task(self._follow_core())
                async for _view in self.store.changes():
                    self.redraw()
            finally:
                self._tasks = None

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something for as long as this screen is shown."""
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(work)

    def redraw(self) -> None:
        """Show what is known now."""
        self._draw()
        update(self._body)

    # What a screen says.

    @abstractmethod
    def content(self) -> Sequence[ft.Control] | None:
        """What is known; None: nothing yet."""

    @abstractmethod
    def error(self) -> AutopilotError | None:
        """Why it could not be asked for the last time."""

    def as_of(self) -> datetime | None:
        """When what is shown was said."""
        return None

    # Inside.

    def _draw(self) -> None:
        shown, error = self.content(), self.error()
        if shown is None:
            self._body.content = blocks.loading(self.what) if error is None else self._failed(error)
            return
        notices = [] if error is None else [_older(error, self.as_of(), self.now)]
        self._column.controls = [*notices, *shown]
        self._body.content = self.list

    def _failed(self, error: AutopilotError) -> ft.Control:
        told = errors.trouble(error)
        if isinstance(error, NetworkError):
            return blocks.offline(told.sentence, "It is asked for again as soon as there is a connection.")
        return blocks.missing(error, self.refresh)

    async def _follow_core(self) -> None:
        """Look again when the connection is back; and call people and machines by their names once those are known."""
        was_live, names = True, self.core.names
        async for view in self.core.changes():
            if self.core.names is not names:
                names = self.core.names
                self.redraw()
            is_live = view.overview.connection.kind == "live"
            if is_live and not was_live and self.error() is not None:
                self.begin(self.refresh())
            was_live = is_live


def _older(error: AutopilotError, as_of: datetime | None, now: datetime) -> ft.Control:
    told = errors.trouble(error)
    shown = f"Showing what was known {ago(instant(as_of), now)}." if as_of is not None else told.hint
    return blocks.notice(Label(told.sentence, "warn"), key="older", detail=shown)

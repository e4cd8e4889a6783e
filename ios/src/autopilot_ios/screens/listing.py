"""What screens have in common that list something of everything: kept true, with ages, or with nothing to show."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

import flet as ft

from autopilot.client.overview_store import OverviewView
from autopilot_ios.look import blocks
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.hands import ActingCore


class ListingScreen(Screen):
    """A list that is drawn anew whenever everything, or the time, says something else."""

    loading_words = "Loading…"
    ages_seconds = 30.0
    """How often words that time alone changes are made anew."""

    def __init__(self, core: ActingCore) -> None:
        self._core = core
        self._list = ft.ListView(expand=True, padding=16, spacing=10)
        self._body = ft.Container(expand=True)

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw(self._core.overview.view)
        return self._body

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._age())
            async for view in self._core.overview.changes():
                self._draw(view)
                update(self._body)

    async def refresh(self) -> None:
        """See Screen."""
        self._core.overview.poke(reopen=True)

    @abstractmethod
    def _draw(self, view: OverviewView) -> None:
        """Put what is known into the body."""

    def _nothing_known(self, view: OverviewView) -> ft.Control:
        error = view.error or view.connection.error
        if error is not None:
            return blocks.missing(error, self.refresh)
        return blocks.loading(self.loading_words)

    async def _age(self) -> None:
        while True:
            await self._core.client.clock.sleep(self.ages_seconds)
            self._draw(self._core.overview.view)
            update(self._body)

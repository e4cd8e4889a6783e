"""Machines: which there are, whether each is heard, which Codex it works with, whose it is, and what runs there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import flet as ft

from autopilot.client.overview_store import OverviewView
from autopilot.client.presenters import errors
from autopilot.client.presenters import machines as words
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.contract import Machine
from autopilot_ios.look import blocks, palette
from autopilot_ios.look.lists import Kept
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.hands import ActingCore

AGES_SECONDS = 15.0
"""Whether one is heard is told by the time, too."""
NONE = "No machine yet"
NONE_MEANS = "A machine runs Codex with a companion of Autopilot beside it."


@dataclass(frozen=True, slots=True)
class Row:
    """What a card shows."""

    machine_id: str
    name: str
    presence: Label
    about: str
    warnings: tuple[str, ...]
    sessions: str


def row_of(machine: Machine, open_sessions: int, names: Names, now: datetime) -> Row:
    """The words of a card."""
    return Row(
        machine.machine_id,
        words.name_of(machine),
        words.presence(machine, now),
        f"{words.codex(machine)} · {words.whose(machine, names)}",
        tuple(fact.label for fact in words.warnings(machine)),
        words.sessions(open_sessions),
    )


class MachinesScreen(Screen):
    """All of them, the heard ones first."""

    title, route = "Machines", "/machines"

    def __init__(self, core: ActingCore, on_open: Callable[[str], None]) -> None:
        """`on_open`: with the id of the machine that was chosen."""
        self._core = core
        self._on_open = on_open
        self._cards = Kept(self._card)
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

    def _draw(self, view: OverviewView) -> None:
        overview, now = view.overview, self._core.client.clock.now()
        if not overview.machines:
            self._body.content = self._nothing(view)
            return
        rows = [
            row_of(machine, words.open_sessions(machine, overview.workers), self._core.names, now)
            for machine in words.heard_first(overview.machines, now)
        ]
        self._list.controls = self._cards.of([(row.machine_id, row) for row in rows])
        self._body.content = self._list

    def _nothing(self, view: OverviewView) -> ft.Control:
        error = view.error or view.connection.error
        if view.overview.is_known:
            return blocks.empty(ft.CupertinoIcons.DESKTOPCOMPUTER, NONE, NONE_MEANS)
        if error is not None:
            return blocks.failed(errors.words(error), self.refresh)
        return blocks.loading("Loading your machines…")

    def _card(self, row: Row) -> ft.Control:
        lines: list[ft.Control] = [
            ft.Row(
                [
                    ft.Container(blocks.words(row.name, size=17, strong=True, lines=1), expand=True),
                    blocks.pill(row.presence),
                ],
                spacing=8,
            ),
            blocks.footnote(row.about),
            *(blocks.footnote(warning, color=palette.ORANGE) for warning in row.warnings),
            blocks.footnote(row.sessions),
        ]
        place = blocks.tappable(
            blocks.column(lines, gap=4), key=f"machine-{row.machine_id}", on_click=lambda: self._on_open(row.machine_id)
        )
        return blocks.card(place, padding=0)

    async def _age(self) -> None:
        while True:
            await self._core.client.clock.sleep(AGES_SECONDS)
            self._draw(self._core.overview.view)
            update(self._body)

"""Machines: which there are, whether each is heard, which Codex it works with, whose it is, and what runs there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import flet as ft

from autopilot.client.overview_store import OverviewView
from autopilot.client.presenters import machines as words
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.contract import Machine
from autopilot_ios.look import blocks, palette
from autopilot_ios.look.lists import Kept
from autopilot_ios.screens.hands import ActingCore
from autopilot_ios.screens.listing import ListingScreen

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


class MachinesScreen(ListingScreen):
    """All of them, the heard ones first."""

    title, route = "Machines", "/machines"
    loading_words = "Loading your machines…"
    ages_seconds = 15.0
    """Whether one is heard is told by the time, too."""

    def __init__(self, core: ActingCore, on_open: Callable[[str], None]) -> None:
        """`on_open`: with the id of the machine that was chosen."""
        super().__init__(core)
        self._on_open = on_open
        self._cards = Kept(self._card)

    def _draw(self, view: OverviewView) -> None:
        overview, now = view.overview, self._core.client.clock.now()
        if not overview.machines:
            nothing = blocks.empty(ft.CupertinoIcons.DESKTOPCOMPUTER, NONE, NONE_MEANS)
            self._body.content = nothing if overview.is_known else self._nothing_known(view)
            return
        rows = [
            row_of(machine, words.open_sessions(machine, overview.workers), self._core.names, now)
            for machine in words.heard_first(overview.machines, now)
        ]
        self._list.controls = self._cards.of([(row.machine_id, row) for row in rows])
        self._body.content = self._list

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

"""The inbox: every question that waits for a person, over all machines, the gravest first; below, what ended lately."""

from __future__ import annotations

from collections.abc import Callable

import flet as ft

from autopilot.client.overview_store import OverviewView
from autopilot.client.presenters import inbox
from autopilot_ios.look import blocks, palette
from autopilot_ios.look.lists import Kept
from autopilot_ios.screens.hands import ActingCore
from autopilot_ios.screens.listing import ListingScreen


class InboxScreen(ListingScreen):
    """The second tab."""

    title, route = "Inbox", "/inbox"
    loading_words = "Loading what waits for you…"

    def __init__(self, core: ActingCore, on_open: Callable[[str], None]) -> None:
        """`on_open`: with the id of the question that was chosen."""
        super().__init__(core)
        self._on_open = on_open
        self._waiting = Kept(self._card)
        self._ended = Kept(self._card)

    def _draw(self, view: OverviewView) -> None:
        now, names = self._core.client.clock.now(), self._core.names
        found = inbox.split(view.overview)
        waiting = inbox.rows(found.waiting, names, now)
        ended = inbox.ended_rows(found.others, names, now)
        if not waiting and not ended and not view.overview.is_known:
            self._body.content = self._nothing_known(view)
            return
        empty = blocks.empty(ft.CupertinoIcons.TRAY, inbox.NOTHING, inbox.NOTHING_MEANS)
        if not waiting and not ended:
            self._body.content = empty
            return
        empty.expand = None
        below = self._ended.of([(row.approval_id, row) for row in ended])
        self._list.controls = [
            *(self._waiting.of([(row.approval_id, row) for row in waiting]) or [empty]),
            *([_title(inbox.ENDED), *below] if below else []),
        ]
        self._body.content = self._list

    def _card(self, row: inbox.Row) -> ft.Control:
        lines: list[ft.Control] = [
            ft.Row([ft.Container(blocks.footnote(row.where, lines=1), expand=True), blocks.pill(row.label)], spacing=8)
            if row.is_waiting
            else blocks.footnote(row.where, lines=1),
            blocks.words(row.title, size=16, strong=row.is_waiting, lines=3),
        ]
        if row.about:
            lines.append(_code(row.about) if row.is_code else blocks.words(row.about, color=palette.MUTED, lines=3))
        if row.waits:
            lines.append(blocks.footnote(row.waits, color=palette.ORANGE))
        if not row.is_waiting:
            lines.append(blocks.footnote(row.label.text, color=palette.TONES[row.label.tone]))
        inside = blocks.column(lines, gap=6)
        place = blocks.tappable(
            inside, key=f"approval-{row.approval_id}", on_click=lambda: self._on_open(row.approval_id)
        )
        return blocks.card(place, padding=0)


def _title(text: str) -> ft.Control:
    held = ft.Container(blocks.words(text, size=17, strong=True), padding=ft.Padding(4, 14, 0, 0))
    return ft.Semantics(content=held, header=True)


def _code(text: str) -> ft.Control:
    body = ft.Text(text, style=palette.mono(13, palette.CODE_TEXT), max_lines=2, overflow=ft.TextOverflow.ELLIPSIS)
    return ft.Container(body, padding=ft.Padding(10, 8, 10, 8), border_radius=10, bgcolor=palette.CODE)

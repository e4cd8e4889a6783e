"""What a question of Codex is about, to be looked at before it is answered: `presenters.evidence`, drawn."""

from __future__ import annotations

from collections.abc import Callable

import flet as ft

from autopilot.client.presenters.evidence import Evidence
from autopilot.client.presenters.timeline import View
from autopilot_ios.look import blocks, palette
from autopilot_ios.timeline import diffs
from autopilot_ios.timeline.frame import Place

SIZE = 13


def evidence(shown: Evidence, view: View, place: Place, on_page: Callable[[], object]) -> list[ft.Control]:
    """Reason, command, folder, facts, changes and a page, as far as there are; `view`, `place`: for what is folded."""
    parts: list[ft.Control] = []
    if shown.reason:
        parts.append(blocks.words(shown.reason))
    if shown.command:
        parts.append(command(shown.command, shown.folder))
    facts = [(fact.label, fact.value) for fact in shown.facts]
    if shown.folder and not shown.command:
        facts.insert(0, ("Folder", shown.folder))
    if facts:
        parts.append(blocks.section("", [_fact(label, value) for label, value in facts]))
    if shown.files.files:
        parts.append(blocks.card(blocks.column(diffs.files(shown.files, view, place), gap=4)))
    if shown.page:
        parts.append(_page(shown, on_page))
    return parts


def command(text: str, folder: str) -> ft.Control:
    """A command as a terminal has it, whole; its folder above it."""
    head = [ft.Text(folder, style=palette.mono(11, palette.CODE_TEXT), opacity=0.7)] if folder else []
    body = ft.Text(text, style=palette.mono(14, palette.CODE_TEXT), key="command")
    inside = blocks.column([*head, body], gap=6)
    return ft.Container(inside, padding=14, border_radius=blocks.RADIUS, bgcolor=palette.CODE)


def _fact(label: str, value: str) -> ft.Control:
    inside = blocks.column([blocks.footnote(label), blocks.words(value)], gap=2)
    return ft.Container(inside, padding=ft.Padding(16, 10, 16, 10))


def _page(shown: Evidence, on_page: Callable[[], object]) -> ft.Control:
    address = ft.Text(shown.page, style=palette.mono(SIZE, palette.TEXT), key="page-address")
    parts: list[ft.Control] = [blocks.footnote("Page"), address]
    if shown.may_open:
        parts.append(blocks.button("Open the page", key="open-page", icon=ft.CupertinoIcons.COMPASS, on_click=on_page))
    return blocks.card(blocks.column(parts, gap=8))

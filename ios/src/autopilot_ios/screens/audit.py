"""Who did what on which device and through what, and what was refused; older lines as one comes to the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.audit_search import AuditSearch, Sought
from autopilot.client.presenters import audit, people
from autopilot.client.presenters.times import ago, exact
from autopilot.contract import AuditLine
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, figures, palette
from autopilot_ios.look.lists import Kept
from autopilot_ios.screen import SHEET_SECONDS
from autopilot_ios.screens.looking import LookingScreen

OUTCOMES = {"done": "Done", "refused": "Refused"}
NEAR_POINTS = 600.0
"""So far above the end older lines are asked for."""


class AuditScreen(LookingScreen):
    """One's own acts."""

    title, route, what = "Audit", "/audit", "Reading the audit…"

    def __init__(self, core: AppCore, on_trace: Callable[[str], None]) -> None:
        """`on_trace`: with the request id that is to be followed; empty: it is still to be said."""
        self._search = AuditSearch(core.client)
        super().__init__(core, self._search)
        self._on_trace = on_trace
        self._wanted = Sought()
        """Typed and chosen last; the search hears of it once this screen runs."""
        self._rows = Kept(self._row)
        self._words = blocks.field("Search", key="search", on_change=self._typed, leading=ft.CupertinoIcons.SEARCH)
        self.list.on_scroll = self._scrolled

    def build(self) -> ft.Control:
        """See Screen."""
        self._words.expand = True
        filters = blocks.icon_button(
            ft.CupertinoIcons.LINE_HORIZONTAL_3_DECREASE_CIRCLE, "Filters", key="filters", on_click=self._choose
        )
        head = ft.Container(ft.Row([self._words, filters], spacing=4), padding=ft.Padding(16, 4, 8, 4))
        return ft.Column([head, super().build()], spacing=0, expand=True)

    def actions(self) -> list[ft.Control]:
        """See Screen."""
        return [
            blocks.icon_button(
                ft.CupertinoIcons.LINK, "Trace a request", key="trace", on_click=lambda: self._on_trace("")
            )
        ]

    async def refresh(self) -> None:
        """See Screen."""
        await self._search.look(self._wanted)

    def error(self) -> AutopilotError | None:
        """See LookingScreen."""
        return self._search.view.error

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        found = self._search.view
        if not found.is_known:
            return None
        if not found.lines:
            return [self._nothing()]
        names = self.core.names
        lines = self._rows.of((line.id, (line, names)) for line in found.lines)
        return [*self._narrowed(), blocks.section("", lines), *self._end()]

    # Searching.

    def _typed(self) -> None:
        self._seek(replace(self._wanted, text=self._words.value or ""))

    def _seek(self, sought: Sought) -> None:
        self._wanted = sought
        self.begin(self._search.look(sought))

    def _scrolled(self, event: ft.OnScrollEvent) -> None:
        if event.pixels > event.max_scroll_extent - NEAR_POINTS:
            self._older()

    def _older(self) -> None:
        found = self._search.view
        if found.next is not None and not found.is_asking:
            self.begin(self._search.older())

    def _choose(self) -> None:
        sought = self._wanted
        sections = [
            self._choice("Outcome", "outcome", OUTCOMES, sought.outcome),
            self._choice("From", "surface", people.SURFACES, sought.surface),
            self._choice("Device", "device_id", self.core.names.devices, sought.device_id),
            self._choice("What", "action", audit.ACTIONS, sought.action),
        ]
        self.stage.sheet("Filters", ft.ListView([blocks.column(sections, gap=16)], padding=16, expand=True))

    def _choice(self, title: str, name: str, options: Mapping[str, str], chosen: str) -> ft.Control:
        def choose(value: str) -> Callable[[], None]:
            def now() -> None:
                self.stage.dismiss()
                self._seek(replace(self._wanted, **{name: value}))

            return now

        sorted_options = sorted(options.items(), key=lambda one: one[1].casefold())
        rows = [
            blocks.row(
                words or value,
                key=f"{name}-{value or 'any'}",
                trailing=blocks.mark(is_chosen=True) if value == chosen else None,
                on_click=choose(value),
                leads=False,
            )
            for value, words in [("", "Any"), *sorted_options]
        ]
        return blocks.section(title, rows)

    def _narrowed(self) -> list[ft.Control]:
        sought = self._search.view.sought
        words = [
            audit.ACTIONS.get(sought.action, sought.action),
            OUTCOMES.get(sought.outcome, sought.outcome),
            people.SURFACES.get(sought.surface, sought.surface),
            self.core.names.devices.get(sought.device_id, sought.device_id),
        ]
        said = " · ".join(one for one in words if one)
        if not said:
            return []
        clear = blocks.button("Clear", key="clear", kind="quiet", on_click=self._clear)
        return [ft.Row([ft.Container(blocks.footnote(said), expand=True), clear], spacing=4)]

    def _clear(self) -> None:
        self._words.value = ""
        self._seek(Sought())

    # Drawing.

    def _nothing(self) -> ft.Control:
        found = self._search.view
        if found.is_asking:
            return blocks.loading("Searching…")
        if found.next is not None:
            way = blocks.button("Look further back", key="older", on_click=self._older)
            return blocks.empty(ft.CupertinoIcons.SEARCH, "Nothing in the latest lines", "There are earlier ones.", way)
        if found.sought.is_all:
            return blocks.empty(ft.CupertinoIcons.DOC_TEXT, "Nothing was done yet", "What you do is listed here.")
        way = blocks.button("Show all", key="show-all", kind="quiet", on_click=self._clear)
        return blocks.empty(ft.CupertinoIcons.SEARCH, "Nothing that fits", "", way)

    def _end(self) -> list[ft.Control]:
        found = self._search.view
        if found.is_asking:
            return [ft.Row([ft.CupertinoActivityIndicator()], alignment=ft.MainAxisAlignment.CENTER)]
        if found.next is not None:
            return [blocks.button("Earlier", key="older", kind="quiet", on_click=self._older)]
        words = "There are more: narrow the search to see them." if found.is_cut else "That is all."
        return [ft.Row([blocks.footnote(words)], alignment=ft.MainAxisAlignment.CENTER)]

    def _row(self, model: tuple[AuditLine, people.Names]) -> ft.Control:
        line, names = model
        who = people.who(line.actor, names)
        outcome = audit.outcome(line)
        subject = audit.subject_words(line.subject, names)
        head = ft.Row(
            [
                ft.Container(blocks.words(audit.line_words(line), size=16), expand=True),
                *([blocks.pill(outcome)] if line.outcome != "done" else []),
                blocks.footnote(ago(line.at, self.now)),
            ],
            spacing=8,
        )
        about = " · ".join(part for part in (who.words if who else "", subject) if part)
        body = blocks.column([head, *([blocks.footnote(about, lines=2)] if about else [])], gap=3)
        return blocks.tappable(body, key=f"line-{line.id}", on_click=lambda: self._details(line))

    def _details(self, line: AuditLine) -> None:
        facts = [
            ("When", exact(line.at)),
            ("Subject", line.subject),
            ("From", line.address),
            ("Session", line.session_id),
            ("Act", line.action),
            *((name, str(value)) for name, value in line.detail.items()),
            ("Seal", f"Number {line.seal}" if line.seal else "Not sealed yet"),
            ("Request id", line.x_request_id),
        ]
        rows = [figures.fact(name, value) for name, value in facts if value]
        request_id = line.x_request_id
        if request_id:

            async def follow() -> None:
                self.stage.dismiss()
                await self.core.client.clock.sleep(SHEET_SECONDS)
                self._on_trace(request_id)

            icon = ft.Icon(ft.CupertinoIcons.LINK, size=18, color=palette.TINT)
            rows.append(blocks.row("Every hop of it", key="follow", trailing=icon, on_click=follow))
        self.stage.sheet(audit.line_words(line), ft.ListView([blocks.section("", rows)], padding=16, expand=True))

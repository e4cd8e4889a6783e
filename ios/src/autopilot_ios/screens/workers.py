"""The list of workers, newest activity first: titles and last words, how each stands, what wants a look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.overview_store import OverviewView
from autopilot.client.presenters import errors, standing, times
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.standing import Trouble
from autopilot.client.worker_search import Wanted, WorkerSearch
from autopilot.contract import WorkerSummary
from autopilot_ios.look import blocks, palette
from autopilot_ios.look.lists import Kept
from autopilot_ios.screen import Screen, update

AGES_SECONDS = 30.0
"""How often words like `3 min ago` are made anew."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a row shows."""

    worker_id: str
    title: str
    words: str
    state: Label
    where: str
    troubles: tuple[Trouble, ...]
    pending: int
    watched: bool


def row_of(worker: WorkerSummary, names: Names, now: datetime) -> Row:
    """The words of a row."""
    whose = standing.whose(worker, names)
    parts = [
        times.ago(worker.updated_at, now),
        standing.machine(worker),
        standing.backend(worker),
        f"of {whose}" if whose else "",
    ]
    return Row(
        worker_id=worker.worker_id,
        title=standing.title(worker),
        words=standing.last_words(worker),
        state=standing.activity(worker)[1],
        where=" · ".join(part for part in parts if part),
        troubles=standing.troubles(worker),
        pending=worker.pending_approvals,
        watched=standing.is_watched(worker),
    )


class WorkersScreen(Screen):
    """The first tab."""

    title, route = "Workers", "/workers"

    def __init__(self, core: AppCore, on_open: Callable[[str], None], on_new: Callable[[], None]) -> None:
        """`on_open`: with the id of the worker that was chosen."""
        self._core = core
        self._on_open = on_open
        self._on_new = on_new
        self._search = WorkerSearch(core.client, self._redraw)
        self._wanted = Wanted()
        """Typed and chosen last; the search hears of it once this screen runs."""
        self._rows = Kept(self._row)
        self._list = ft.ListView(expand=True, padding=ft.Padding(0, 4, 0, 24))
        self._body = ft.Container(expand=True)
        self._words = blocks.field("Search", key="search", on_change=self._typed, leading=ft.CupertinoIcons.SEARCH)
        self._filters = ft.Container()
        self._found = ft.Container()
        self._asking: asyncio.TaskGroup | None = None

    def build(self) -> ft.Control:
        """See Screen."""
        filters = blocks.icon_button(
            ft.CupertinoIcons.LINE_HORIZONTAL_3_DECREASE_CIRCLE, "Filters", key="filters", on_click=self._choose
        )
        self._words.expand = True
        head = ft.Container(ft.Row([self._words, filters], spacing=4), padding=ft.Padding(16, 4, 8, 4))
        self._draw(self._core.overview.view)
        return ft.Column([head, self._filters, self._found, self._body], spacing=0, expand=True)

    def actions(self) -> list[ft.Control]:
        """See Screen."""
        return [blocks.icon_button(ft.CupertinoIcons.SQUARE_PENCIL, "New session", key="new", on_click=self._on_new)]

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            self._asking = tasks
            try:
                tasks.create_task(self._age())
                if self._search.found.wanted != self._wanted or self._search.found.state == "asking":
                    tasks.create_task(self._search.ask(self._wanted))
                async for view in self._core.changes():
                    self._draw(view.overview)
                    update(self._body)
            finally:
                self._asking = None

    async def refresh(self) -> None:
        """See Screen."""
        self._core.overview.poke(reopen=True)

    # Searching.

    def _typed(self) -> None:
        self._ask(words=self._words.value)

    def _ask(self, **changed: str) -> None:
        self._wanted = replace(self._wanted, **changed)
        if self._asking is not None:
            self._asking.create_task(self._search.ask(self._wanted))

    def _redraw(self) -> None:
        self._draw(self._core.overview.view)
        for part in (self._filters, self._found, self._body):
            update(part)

    def _choose(self) -> None:
        """The filters, in a sheet."""
        view, wanted = self._core.overview.view.overview, self._wanted
        states = {name: label.text for name, label in (standing.ACTIVITIES | standing.STATUSES).items()}
        machines = {machine.machine_id: machine.name for machine in view.machines}
        backends = {worker.backend.kind: standing.backend(worker) for worker in view.workers if worker.backend}
        sections = [
            self._choice("Status", "state", states, wanted.state),
            self._choice("Machine", "machine_id", machines, wanted.machine_id),
            self._choice("Backend", "backend", backends, wanted.backend),
        ]
        body = ft.ListView([blocks.column(sections, gap=16)], padding=16, expand=True)
        self.stage.sheet("Filters", body)

    def _choice(self, title: str, name: str, options: dict[str, str], chosen: str) -> ft.Control:
        def choose(value: str) -> Callable[[], None]:
            def chosen_now() -> None:
                self.stage.dismiss()
                self._ask(**{name: value})

            return chosen_now

        rows = [
            blocks.row(
                words,
                key=f"{name}-{value or 'any'}",
                trailing=ft.Icon(ft.CupertinoIcons.CHECK_MARK, size=18, color=palette.TINT)
                if value == chosen
                else None,
                on_click=choose(value),
                leads=False,
            )
            for value, words in {"": "Any", **options}.items()
        ]
        return blocks.section(title, rows)

    # Drawing.

    def _draw(self, view: OverviewView) -> None:
        self._draw_search()
        workers = view.overview.workers
        if not workers and not view.overview.is_known and self._search.found.wanted.is_all:
            self._body.content = self._nothing_known(view)
            return
        shown = workers if self._search.found.wanted.is_all else self._search.among(workers)
        if not shown:
            self._body.content = self._nothing_found()
            return
        now = self._core.client.clock.now()
        rows = [(worker.worker_id, row_of(worker, self._core.names, now)) for worker in shown]
        self._list.controls = self._rows.of(rows)
        self._body.content = self._list

    def _nothing_known(self, view: OverviewView) -> ft.Control:
        error = view.error or view.connection.error
        if error is not None:
            return blocks.missing(error, self.refresh)
        return blocks.loading("Loading your workers…")

    def _nothing_found(self) -> ft.Control:
        if not self._search.found.wanted.is_all:
            if self._search.found.state == "asking":
                return blocks.loading("Searching…")
            way = blocks.button("Show all workers", key="show-all", kind="quiet", on_click=self._clear)
            return blocks.empty(ft.CupertinoIcons.SEARCH, "Nothing here fits", "", way)
        return blocks.empty(
            ft.CupertinoIcons.DESKTOPCOMPUTER,
            "No workers yet",
            "Start a session, or run Codex on a machine that is paired: it shows up here by itself.",
            blocks.button("New session", key="new-session", kind="primary", on_click=self._on_new),
        )

    def _clear(self) -> None:
        self._words.value = ""
        update(self._words)
        self._ask(words="", state="", machine_id="", backend="")

    def _draw_search(self) -> None:
        found = self._search.found
        wanted = found.wanted
        labels = (standing.ACTIVITIES | standing.STATUSES).get(wanted.state)
        machine = self._core.names.machines.get(wanted.machine_id, wanted.machine_id)
        chosen = [labels.text if labels else "", machine, standing.BACKENDS.get(wanted.backend, wanted.backend)]
        words = " · ".join(one for one in chosen if one)
        clear = blocks.button("Clear", key="clear", kind="quiet", on_click=self._clear)
        self._filters.content = ft.Row([blocks.footnote(words), clear], spacing=4) if words else None
        self._filters.padding = ft.Padding(18, 0, 8, 0) if words else 0
        failed = found.state == "failed" and found.error is not None
        self._found.content = (
            blocks.notice(
                Label("Searched only among what is on this phone.", "warn"),
                detail=errors.words(found.error) if found.error else None,
            )
            if failed
            else None
        )
        self._found.padding = ft.Padding(16, 0, 16, 8) if failed else 0

    def _row(self, row: Row) -> ft.Control:
        head = ft.Row(
            [
                ft.Container(blocks.words(row.title, size=16, strong=True, lines=1), expand=True),
                blocks.pill(row.state),
                *([blocks.count(row.pending, "approval")] if row.pending else []),
            ],
            spacing=8,
        )
        badges = [blocks.pill(Label(trouble.badge, trouble.tone)) for trouble in row.troubles]
        if row.watched:
            badges.append(blocks.pill(Label("Watch only")))
        lines: list[ft.Control] = [head]
        if row.words:
            lines.append(blocks.words(row.words, size=14, color=palette.MUTED, lines=2))
        lines.append(blocks.footnote(row.where, lines=1))
        if badges:
            lines.append(ft.Row(list(badges), spacing=6, wrap=True, run_spacing=4))
        body = ft.Column(lines, spacing=4, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
        held = blocks.card(
            blocks.tappable(body, key=f"worker-{row.worker_id}", on_click=lambda: self._on_open(row.worker_id)),
            padding=0,
        )
        return ft.Container(held, padding=ft.Padding(16, 5, 16, 5))

    async def _age(self) -> None:
        while True:
            await self._core.client.clock.sleep(AGES_SECONDS)
            self._redraw()

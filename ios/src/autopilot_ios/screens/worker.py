"""One worker: how it stands, what it asks, its timeline, live, and where one writes to it.

Runs for as long as it is shown: opens the worker's store in the core, draws what changed at most ten times a second.
What else there is to do with a worker (connect, request, stop, details) has screens of its own, below its route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import flet as ft

from autopilot.client.app_core import AppCore, Detail
from autopilot.client.presenters import approvals, errors, rights, standing, visible
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.state_line import Standing, state_line
from autopilot.client.store import WorkerView
from autopilot.client.timeline_pages import Window, older
from autopilot.contract import Approval, WorkerSnapshot
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import SHEET_SECONDS, Screen, update
from autopilot_ios.screens.composer import Composer
from autopilot_ios.screens.connect import ConnectScreen
from autopilot_ios.screens.details import DetailsScreen
from autopilot_ios.screens.phones import PhoneWays
from autopilot_ios.screens.request import RequestScreen
from autopilot_ios.screens.stop import StopScreen
from autopilot_ios.screens.whole import Leads
from autopilot_ios.timeline import Look
from autopilot_ios.timeline.scroll import TimelineScroll

BATCH_SECONDS = 0.1
"""Events that come within it are drawn together."""
TICK_SECONDS = 5.0
"""How often words that time alone changes are made anew."""


class WorkerScreen(Screen):
    """The screen of one worker."""

    def __init__(
        self,
        core: AppCore,
        worker_id: str,
        phone: PhoneWays,
        *,
        on_answer: Callable[[str], None],
        on_trace: Callable[[str], None],
    ) -> None:
        """`on_answer`: with the id of a question to be shown; `on_trace`: with that of a request to be followed."""
        self.route = f"/workers/{worker_id}"
        known = core.overview.view.overview.worker(worker_id)
        self.title = standing.title(known) if known is not None else "Session"
        self._core = core
        self._worker_id = worker_id
        self._phone = phone
        self._on_answer = on_answer
        self._tasks: asyncio.TaskGroup | None = None
        self._detail: Detail | None = None
        self._seen: object = None
        self._names = core.names
        self._may_operate = True
        leads = Leads(self, core, worker_id, phone, start=self._start, on_answer=on_answer, on_trace=on_trace)
        self._leads = leads
        self._scroll = self._new_scroll()
        self._composer = Composer(core, worker_id, phone, start=self._start, say=self._say)
        self._head = ft.Container()
        self._pinned = ft.Container()
        self._body = ft.Container(expand=True)

    # What a screen is.

    def build(self) -> ft.Control:
        """See Screen."""
        self._seen = None
        self._body.content = blocks.loading("Loading the session…")
        return ft.Column([self._head, self._pinned, self._body], spacing=0, expand=True)

    def actions(self) -> list[ft.Control]:
        """See Screen."""
        return [
            blocks.icon_button(
                ft.CupertinoIcons.ELLIPSIS_CIRCLE, "More about this session", key="more", on_click=self._menu
            )
        ]

    def foot(self) -> ft.Control:
        """See Screen."""
        return self._composer.control

    async def run(self) -> None:
        """See Screen."""
        self._detail = detail = await self._core.open(self._worker_id)
        self._core.show(self._worker_id)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._tick())
                tasks.create_task(self._feel())
                async for _view in self._core.changes():
                    self._draw(detail)
                    await self._core.client.clock.sleep(BATCH_SECONDS)
        finally:
            self._tasks = None
            self._core.show(None)

    async def refresh(self) -> None:
        """See Screen."""
        if self._detail is not None:
            self._detail.store.poke()

    # Drawing.

    def _draw(self, detail: Detail) -> None:
        view = detail.store.view
        may_operate = view.worker is None or rights.may_operate(view.worker)
        is_bare = self._body.content is not self._scroll.control  # what is drawn stays, and leads to who can answer
        if self._core.names is not self._names or (is_bare and may_operate != self._may_operate):
            self._may_operate = may_operate
            self._draw_anew()
        asked = self._asked()
        now = (view, detail.refused, asked)
        if now != self._seen:
            self._seen = now
            self._draw_head(view.worker, view, detail)
            self._draw_pinned(asked)
            self._draw_body(view, detail.refused)
        self._draw_composer(detail)

    def _draw_composer(self, detail: Detail) -> None:
        view = detail.store.view
        if self._composer.draw(view.worker if detail.refused is None else None, view.active_turn_id):
            self._start(self._scroll.stay())

    def _draw_anew(self) -> None:
        """Names came, or others, or the reader's role: everything says them."""
        self._names = self._core.names
        self._scroll = self._new_scroll()
        self._seen = None

    def _draw_body(self, view: WorkerView, refused: AutopilotError | None) -> None:
        before = self._body.content
        if view.items:
            self._scroll.take(view.items, is_whole=view.is_whole)
            self._body.content = self._scroll.control
        elif (error := refused or view.error) is not None:
            self._body.content = blocks.missing(error, None if refused is not None else self.refresh)
        elif view.worker is not None and view.connection.kind == "live":
            self._body.content = blocks.empty(
                ft.CupertinoIcons.TEXT_BUBBLE, "Nothing was said yet", "What Codex does shows up here as it happens."
            )
        if self._body.content is not before:
            update(self._body)

    def _draw_head(self, worker: WorkerSnapshot | None, view: WorkerView, detail: Detail) -> None:
        if worker is None:
            return
        whose = standing.whose(worker, self._core.names)
        pieces = [
            standing.machine(worker),
            standing.backend(worker),
            worker.model.value if worker.model else "",
            standing.folder(worker),
            f"of {whose}" if whose else "",
        ]
        line: list[ft.Control] = [
            blocks.pill(standing.activity(worker)[1]),
            *([blocks.pill(Label("Watch only"))] if standing.is_watched(worker) else []),
            *(blocks.footnote(visible.line(piece)) for piece in pieces if piece),
        ]
        troubles = [self._trouble(one) for one in standing.troubles(worker)]
        state = self._state(view, detail)
        rows = [ft.Row(line, spacing=8, run_spacing=4, wrap=True), *([state] if state else []), *troubles]
        self._head.content = blocks.column(rows, gap=4)
        self._head.padding = ft.Padding(16, 4, 16, 8)
        update(self._head)

    def _trouble(self, one: standing.Trouble) -> ft.Control:
        return blocks.words(one.sentence, size=13, color=palette.TONES[one.tone])

    def _state(self, view: WorkerView, detail: Detail) -> ft.Control | None:
        """The connection of this worker's own stream; nothing while it is live."""
        known = Standing(detail.store.connection, view.health.api, detail.as_of, self._core.view.is_online)
        line = state_line(known, self._now())
        return None if line.layer == "live" else blocks.words(line.text, size=13, color=palette.TONES[line.tone])

    def _asked(self) -> tuple[Approval, ...]:
        return tuple(one for one in self._core.overview.view.overview.pending if one.worker_id == self._worker_id)

    def _draw_pinned(self, asked: tuple[Approval, ...]) -> None:
        if not asked:
            self._pinned.content = None
            self._pinned.padding = 0
        else:
            first = asked[0]
            more = f"and {len(asked) - 1} more" if len(asked) > 1 else approvals.kind_of(first.kind)
            title = blocks.words(approvals.title(first), size=15, strong=True, lines=2)
            text = ft.Column([title, blocks.footnote(more)], spacing=1, tight=True, expand=True)
            words = "Answer" if approvals.can_answer(first, self._core.names) else "Look"
            answer = blocks.button(
                words, key="pinned-answer", kind="primary", on_click=lambda: self._on_answer(first.approval_id)
            )
            self._pinned.content = ft.Container(
                ft.Row([text, answer], spacing=10),
                padding=ft.Padding(14, 10, 10, 10),
                border_radius=blocks.RADIUS,
                bgcolor=palette.CARD,
                border=ft.Border.all(1.5, palette.ORANGE),
            )
            self._pinned.padding = ft.Padding(16, 0, 16, 8)
        update(self._pinned)

    # The menu.

    def _menu(self) -> None:
        view = self._detail.store.view if self._detail is not None else None
        worker = view.worker if view is not None else None
        icons = ft.CupertinoIcons
        go = {
            "connect": (icons.LINK, self._connect),
            "request": (icons.PAPERPLANE, self._request),
            "details": (icons.INFO_CIRCLE, self._details),
        }
        ways = rights.ways(worker)
        rows = [self._way(one.label, one.name, *go[one.name]) for one in ways if one.name in go]
        rows.append(self._way("Open on the web", "web", icons.GLOBE, self._web))
        stop = [
            self._way(one.label, one.name, icons.STOP_CIRCLE, self._stop, color=palette.RED)
            for one in ways
            if one.name == "stop"
        ]
        sections = [blocks.section("", rows), *([blocks.section("", stop)] if stop else [])]
        self.stage.sheet(self.title, ft.ListView([blocks.column(sections, gap=16)], padding=16, expand=True))

    def _way(
        self, name: str, key: str, icon: ft.IconData, go: Callable[[], None], *, color: ft.Colors = palette.TINT
    ) -> ft.Control:
        async def chosen() -> None:
            self.stage.dismiss()
            await self._core.client.clock.sleep(SHEET_SECONDS)
            go()

        return blocks.row(name, key=f"menu-{key}", icon=icon, icon_color=color, on_click=chosen)

    def _connect(self) -> None:
        self.stage.push(ConnectScreen(self._core, self._worker_id, self._phone))

    def _request(self) -> None:
        self.stage.push(RequestScreen(self._core, self._worker_id, self._phone))

    def _stop(self) -> None:
        self.stage.push(StopScreen(self._core, self._worker_id, self._phone))

    def _details(self) -> None:
        self.stage.push(DetailsScreen(self._core, self._worker_id, self._phone))

    def _web(self) -> None:
        self._start(self._phone.open(f"{self._core.client.base_url}/w/{self._worker_id}"))

    # Inside.

    def _say(self, label: Label) -> None:
        self.stage.say(label)

    def _new_scroll(self) -> TimelineScroll:
        zone = self._now().astimezone().tzinfo
        look = Look(self._leads, self._core.names, zone=zone, may_answer=self._may_operate)
        return TimelineScroll(look, self._older, now=self._now)

    def _now(self) -> datetime:
        return self._core.client.clock.now()

    async def _older(self, before: int) -> Window | None:
        try:
            return await older(self._core.client, self._worker_id, before)
        except AutopilotError as error:
            self.stage.say(Label(errors.words(error), "warn"))
            return None

    async def _tick(self) -> None:
        while True:
            await self._core.client.clock.sleep(TICK_SECONDS)
            self._scroll.pass_time()
            if (detail := self._detail) is not None:
                view = detail.store.view
                self._draw_head(view.worker, view, detail)

    async def _feel(self) -> None:
        """What was asked for moves: show it, and let its end be felt."""
        async for _acts in self._core.acts.changes():
            if (detail := self._detail) is not None:
                self._draw_composer(detail)
            await self._composer.feel()

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run it while this screen is shown; what can't be begun any more is let go."""
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(work)

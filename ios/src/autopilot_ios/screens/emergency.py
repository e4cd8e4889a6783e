"""The emergency stop, two taps from anywhere: what it will stop, why, and then each session's answer as it comes."""

from __future__ import annotations

import asyncio

import flet as ft

from autopilot.client.presenters import stops
from autopilot.client.stopping import EmergencyStop, StopRow, StopView
from autopilot_ios.look import blocks, palette
from autopilot_ios.look.lists import Kept
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.hands import ActingCore
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, is_theirs, trouble

REASON = "Stop all sessions of Codex"


class EmergencyScreen(Screen):
    """One emergency stop."""

    title, route = stops.TITLE, "/emergency"

    def __init__(self, core: ActingCore, hands: PhoneWays) -> None:
        self._core = core
        self._hands = hands
        self._stop = EmergencyStop(core.client, core.overview)
        self._reason = blocks.field(stops.REASON, key="reason")
        self._force = ft.CupertinoSwitch(value=False, key="force", active_track_color=palette.RED)
        self._rows = Kept(_row)
        self._body = ft.Container(expand=True)
        self._foot = ft.Container(padding=ft.Padding(16, 10, 16, 12), bgcolor=palette.BACKGROUND)
        self._asking = self._question()
        self._is_unknown = False

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw(self._stop.view)
        return self._body

    def foot(self) -> ft.Control:
        """See Screen."""
        return self._foot

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stop.run())
            async for view in self._stop.changes():
                self._draw(view)
                update(self._body)
                update(self._foot)

    async def refresh(self) -> None:
        """See Screen."""
        await self._stop.look()

    def _draw(self, view: StopView) -> None:
        if view.done is not None:
            self._body.content = self._answers(view)
            self._foot.content = None
            return
        if view.workers is None:
            self._body.content = (
                blocks.loading("Looking what it would stop…")
                if view.error is None
                else blocks.missing(view.error, self._stop.look)
            )
        elif not view.workers:
            self._body.content = blocks.empty(ft.CupertinoIcons.CHECK_MARK_CIRCLED, stops.NOTHING, "")
            self._foot.content = None
            return
        else:
            self._reach.value = stops.reach(view.workers)
            self._body.content = self._asking
        self._foot.content = blocks.column(self._buttons(view), gap=10)

    def _question(self) -> ft.Control:
        self._reach = blocks.words("")
        self._reach.key = "reach"
        mark = ft.Icon(ft.CupertinoIcons.EXCLAMATIONMARK_OCTAGON_FILL, size=52, color=palette.RED)
        label = blocks.words(stops.FORCE, size=16)
        label.expand = True
        force = ft.Container(
            ft.Row([label, ft.Semantics(content=self._force, label=stops.FORCE)], spacing=12),
            padding=ft.Padding(16, 8, 12, 8),
        )
        return ft.ListView(
            [
                ft.Row([mark], alignment=ft.MainAxisAlignment.CENTER),
                ft.Text(
                    stops.QUESTION,
                    size=24,
                    weight=ft.FontWeight.W_700,
                    color=palette.TEXT,
                    text_align=ft.TextAlign.CENTER,
                ),
                self._reach,
                blocks.labelled(self._reason, stops.REASON),
                blocks.section("", [force], note=stops.FORCE_MEANS),
            ],
            expand=True,
            padding=16,
            spacing=16,
        )

    def _buttons(self, view: StopView) -> list[ft.Control]:
        """There also where it is not known what it would reach: that is no reason to wait."""
        parts: list[ft.Control] = []
        if view.error is not None and view.workers is not None:
            parts.append(trouble(view.error, key="not-stopped"))
        elif self._is_unknown:
            parts.append(blocks.notice(NOT_OWNER, key="not-owner"))
        if view.is_asking:
            wait = ft.Row([ft.CupertinoActivityIndicator(radius=12)], alignment=ft.MainAxisAlignment.CENTER)
            return [*parts, ft.Semantics(content=wait, label="Stopping everything", live_region=True)]
        return [*parts, blocks.button(stops.BUTTON, key="stop-everything", kind="alarm", on_click=self._sure)]

    def _answers(self, view: StopView) -> ft.Control:
        assert view.done is not None
        head = blocks.column(
            [
                blocks.words(stops.became(view.done), size=24, strong=True),
                blocks.words(stops.counted(view.done), color=palette.MUTED),
            ],
            gap=4,
        )
        rows = self._rows.of([(row.worker_id, row) for row in view.rows])
        return ft.ListView([head, *rows], expand=True, padding=16, spacing=10)

    async def _sure(self) -> None:
        self._is_unknown = not await is_theirs(self._core, self._hands, REASON)
        if self._is_unknown:
            self._draw(self._stop.view)
            update(self._foot)
            return
        await self._stop.stop(self._reason.value, force=self._force.value is True)
        if self._stop.view.error is None:
            await self._hands.succeeded()
        else:
            await self._hands.failed()


def _row(row: StopRow) -> ft.Control:
    lines: list[ft.Control] = [
        blocks.words(row.title, size=16, strong=True, lines=2),
        blocks.words(row.label.text, color=palette.TONES[row.label.tone]),
    ]
    if row.request_id:
        lines.append(blocks.footnote(f"Request {row.request_id}", lines=1))
    return blocks.card(blocks.column(lines, gap=4), key=f"stop-{row.worker_id}")

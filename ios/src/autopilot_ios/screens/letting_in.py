"""Letting a device or machine in: a code here or there, the words of both screens, and a yes or no."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import flet as ft

from autopilot.client.letting_in import LettingIn, LettingInView
from autopilot.client.presenters import pairings as said
from autopilot.client.presenters.labels import Label
from autopilot.contract import Pairing
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.hands import ActingCore
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, is_theirs, trouble


class LettingInScreen(Screen):
    """See the module."""

    title, route = "Let a device in", "/devices/pair"

    def __init__(self, core: ActingCore, hands: PhoneWays) -> None:
        self._core = core
        self._hands = hands
        self._store = LettingIn(core.client)
        self._code = blocks.field("Code", key="pair-code", code=True)
        self._entering = blocks.Fields((self._code, "Code"))
        self._enter = blocks.section("Enter its code", [blocks.padded(self._entering.control)], note=said.ENTERING)
        self._column = blocks.column([], gap=18)
        self._list = ft.ListView([self._column], padding=ft.Padding(16, 8, 16, 32), expand=True)

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw(self._store.view)
        return self._list

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store.run())
            async for view in self._store.changes():
                self._draw(view)
                update(self._list)

    def _draw(self, view: LettingInView) -> None:
        error = [trouble(view.error)] if view.error is not None else []
        self._column.controls = [*error, *self._shown(view)]

    def _shown(self, view: LettingInView) -> Sequence[ft.Control]:
        if view.end is not None:
            return [
                blocks.notice(view.end, key="end"),
                blocks.button("Begin anew", key="anew", on_click=self._store.begin_anew),
            ]
        if view.step == "choose":
            return self._choices(view)
        if view.words and view.pairing is not None:
            return self._compared(view, view.pairing)
        code = [] if view.code is None or view.step != "waiting" else _offered(view.code)
        waits = said.CONFIRMED if view.step == "confirmed" else said.WAITING
        stop = blocks.button("Begin anew", key="anew", kind="quiet", on_click=self._store.begin_anew)
        return [*code, ft.Row([ft.CupertinoActivityIndicator(radius=10), blocks.footnote(waits)], spacing=10), stop]

    def _choices(self, view: LettingInView) -> Sequence[ft.Control]:
        self._entering.draw(blocks.button("Go on", key="find", on_click=self._find, disabled=view.is_busy))
        offering = blocks.button("Show a code", key="offer", on_click=self._offer, disabled=view.is_busy)
        return [
            self._enter,
            blocks.section("Show a code here", [blocks.padded(blocks.column([offering]))], note=said.OFFERING),
        ]

    def _compared(self, view: LettingInView, pairing: Pairing) -> Sequence[ft.Control]:
        rows = [
            blocks.padded(ft.Row([blocks.footnote(str(at)), blocks.words(word, size=20, strong=True)], spacing=14))
            for at, word in enumerate(view.words, start=1)
        ]
        warnings = [blocks.notice(Label(words, "warn")) for words in said.warnings(pairing)]
        ways = ft.Row(
            [
                blocks.button(
                    "They differ",
                    key="decline",
                    kind="danger",
                    on_click=self._decline,
                    disabled=view.is_busy,
                    expand=True,
                ),
                blocks.button(
                    "Yes, let it in",
                    key="accept",
                    kind="primary",
                    on_click=self._accept,
                    disabled=view.is_busy,
                    expand=True,
                ),
            ],
            spacing=10,
        )
        about = said.about(pairing)
        return [
            blocks.column(
                [
                    blocks.words(f"{said.who(pairing)} wants to come in", size=20, strong=True),
                    *([blocks.footnote(about)] if about else []),
                ],
                gap=4,
            ),
            *warnings,
            blocks.section("", rows, note=said.QUESTION),
            ways,
        ]

    # What is done.

    async def _offer(self) -> None:
        await self._store.offer()

    async def _find(self) -> None:
        if await self._store.find(self._code.value or ""):
            self._code.value = ""

    async def _accept(self) -> None:
        await self._do("Let a device in", self._store.accept)

    async def _decline(self) -> None:
        await self._store.decline()

    async def _do(self, reason: str, work: Callable[[], Awaitable[bool]]) -> None:
        if not await is_theirs(self._core, self._hands, reason):
            self.stage.say(NOT_OWNER)
            return
        await (self._hands.succeeded() if await work() else self._hands.failed())


def _offered(code: str) -> list[ft.Control]:
    shown = ft.Text(code, size=34, weight=ft.FontWeight.W_700, color=palette.TEXT, key="code", selectable=True)
    return [
        blocks.words(said.TYPE_IT),
        blocks.card(ft.Row([shown], alignment=ft.MainAxisAlignment.CENTER), padding=20),
    ]

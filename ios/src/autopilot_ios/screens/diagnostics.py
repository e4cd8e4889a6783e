"""How things stand: connections, versions, clocks, what is kept, what failed; and all of it as text to send on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.diagnosis import Diagnosis, diagnosis
from autopilot.client.offline_cache import CacheFacts
from autopilot.client.presenters import diagnosis as said
from autopilot.client.presenters.labels import Label
from autopilot_ios.look import blocks, figures
from autopilot_ios.screen import Screen, update

AGAIN_SECONDS = 5.0
FAILURES_SHOWN = 20


class Sends(Protocol):
    """Of the phone: autopilot_ios.device.Device."""

    async def copy(self, text: str) -> None:
        """Put it on the clipboard."""
        ...

    async def share(self, text: str, *, title: str) -> None:
        """Offer it to other apps."""
        ...


class DiagnosticsScreen(Screen):
    """Of this app."""

    title, route = "Diagnostics", "/diagnostics"

    def __init__(self, core: AppCore, phone: Sends, on_trace: Callable[[str], None]) -> None:
        """`on_trace`: with the id of a request that is to be followed."""
        self._core = core
        self._phone = phone
        self._on_trace = on_trace
        self._cache: CacheFacts | None = None
        self._list = ft.ListView(padding=ft.Padding(16, 8, 16, 32), expand=True)

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw()
        return self._list

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_again())
            async for _view in self._core.changes():
                self._draw()
                update(self._list)

    async def refresh(self) -> None:
        """See Screen."""
        self._core.overview.poke(reopen=True)

    async def _look_again(self) -> None:
        while True:
            self._cache = await self._core.cache_facts()
            self._draw()
            update(self._list)
            await self._core.client.clock.sleep(AGAIN_SECONDS)

    def _known(self) -> Diagnosis:
        return diagnosis(self._core, self._cache)

    def _draw(self) -> None:
        known = self._known()
        ways = ft.Row(
            [
                blocks.button("Share", key="share", on_click=self._share, icon=ft.CupertinoIcons.SHARE, expand=True),
                blocks.button("Copy", key="copy", on_click=self._copy, icon=ft.CupertinoIcons.DOC_ON_DOC, expand=True),
            ],
            spacing=10,
        )
        failures = [self._failure(at, line) for at, line in enumerate(known.failures[:FAILURES_SHOWN])]
        nothing = [blocks.padded(blocks.footnote(said.NOTHING_FAILED))]
        self._list.controls = [
            blocks.column(
                [
                    blocks.column([ways, blocks.footnote(said.ABOUT_EXPORT)], gap=6),
                    *(self._stream(known, at) for at in range(len(known.streams))),
                    blocks.section("This app", [figures.fact(name, value) for name, value in said.about(known)]),
                    blocks.section("What failed", failures or nothing),
                ],
                gap=18,
            )
        ]

    def _stream(self, known: Diagnosis, at: int) -> ft.Control:
        stream = known.streams[at]
        head = ft.Row(
            [
                ft.Container(blocks.words(said.stream_name(stream), size=16, strong=True), expand=True),
                blocks.pill(said.stream_state(stream)),
            ]
        )
        facts = [figures.fact(name, value) for name, value in said.stream_facts(stream, known.at)]
        top = ft.Container(head, key=f"stream-{at}", padding=ft.Padding(16, 12, 14, 12))
        return blocks.section("Connections" if at == 0 else "", [top, *facts])

    def _failure(self, at: int, line: Mapping[str, Any]) -> ft.Control:
        request_id = line.get("x_request_id")
        way = (lambda: self._on_trace(str(request_id))) if request_id else None
        body = blocks.column(
            [blocks.words(said.failure_words(line)), blocks.footnote(said.failure_detail(line))], gap=3
        )
        return blocks.tappable(body, key=f"failure-{at}", on_click=way)

    async def _copy(self) -> None:
        await self._phone.copy(said.text(self._known()))
        self.stage.say(Label("Copied.", "good"))

    async def _share(self) -> None:
        await self._phone.share(said.text(self._known()), title=said.EXPORT_TITLE)

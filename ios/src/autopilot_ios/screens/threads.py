"""Older threads of a machine: those that its Codex knows and that are no sessions here yet; each can be taken up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import flet as ft

from autopilot.client import threads
from autopilot.client.machine_store import ThreadsStore, ThreadsView
from autopilot.client.presenters import visible
from autopilot.client.threads import OlderThread
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.hands import ActingCore
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, is_theirs, trouble

REASON = "Take up a thread of Codex"


class ThreadsScreen(Screen):
    """Those of one machine."""

    title = "Older threads"

    def __init__(self, core: ActingCore, machine_id: str, hands: PhoneWays, on_worker: Callable[[str], None]) -> None:
        """`on_worker`: with the id of the worker that one is."""
        self.route = f"/machines/{machine_id}/threads"
        self._core = core
        self._hands = hands
        self._on_worker = on_worker
        self._store = ThreadsStore(core.client, machine_id)
        self._body = ft.Container(expand=True)
        self._is_unknown = False

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw(self._store.view)
        return self._body

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            if self._store.view.found is None:
                tasks.create_task(self._store.look())
            async for view in self._store.changes():
                self._draw(view)
                update(self._body)

    async def refresh(self) -> None:
        """See Screen."""
        await self._store.look()

    def _draw(self, view: ThreadsView) -> None:
        found = view.found
        if view.error is not None:
            self._body.content = blocks.missing(view.error, self._store.look)
        elif found is None:
            self._body.content = blocks.loading("Asking its Codex…")
        elif isinstance(found, str):
            self._body.content = blocks.failed(found, self._store.look)
        elif not found:
            self._body.content = blocks.empty(ft.CupertinoIcons.CLOCK, "No older threads", threads.NONE)
        else:
            self._body.content = self._list(found, view)

    def _list(self, found: tuple[OlderThread, ...], view: ThreadsView) -> ft.Control:
        said: list[ft.Control] = []
        if view.not_taken is not None:
            said.append(trouble(view.not_taken, key="not-taken"))
        elif self._is_unknown:
            said.append(blocks.notice(NOT_OWNER, key="not-owner"))
        rows = [self._row(thread, view) for thread in found]
        return ft.ListView([*said, blocks.section("", rows, note=threads.MEANS)], expand=True, padding=16, spacing=12)

    def _row(self, thread: OlderThread, view: ThreadsView) -> ft.Control:
        adopted = (view.said or {}).get(thread.thread_id)
        worker_id = thread.worker_id or (adopted.worker_id if adopted else None)
        lines: list[ft.Control] = [
            blocks.words(thread.title, size=16, lines=2),
            ft.Text(visible.code(thread.folder), style=palette.mono(12, palette.MUTED)),
        ]
        if adopted is not None:
            lines.append(blocks.footnote(adopted.label.text, color=palette.TONES[adopted.label.tone]))
        if view.taking == thread.thread_id:
            way: ft.Control = ft.Semantics(content=ft.CupertinoActivityIndicator(radius=10), label="Taking it up")
        elif worker_id is not None:
            opened = worker_id
            way = blocks.button(
                "Open", key=f"open-{thread.thread_id}", kind="quiet", on_click=lambda: self._on_worker(opened)
            )
        else:
            way = blocks.button("Take it up", key=f"adopt-{thread.thread_id}", on_click=self._takes(thread.thread_id))
        words = ft.Column(lines, spacing=2, tight=True, expand=True)
        return ft.Container(ft.Row([words, way], spacing=10), padding=ft.Padding(16, 10, 10, 10))

    def _takes(self, thread_id: str) -> blocks.Click:
        async def take() -> None:
            self._is_unknown = not await is_theirs(self._core, self._hands, REASON)
            if self._is_unknown:
                self._draw(self._store.view)
                update(self._body)
                return
            adopted = await self._store.adopt(thread_id)
            if adopted is None or adopted.worker_id is None:
                await self._hands.failed()
                return
            await self._hands.succeeded()
            if adopted.is_open:
                self._on_worker(adopted.worker_id)

        return take

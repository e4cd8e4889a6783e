"""Where touches in a timeline lead, and two such places: one item on a page of its own, and one artifact.

A page of its own shows all that events hold of an item; what was too large for them is read from its artifact, a part
at a time. Links of others are confirmed before anything is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.presenters import errors, times, visible
from autopilot.client.presenters.cuts import PHONE_WHOLE
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.prose import may_link
from autopilot.client.timeline_pages import around
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.phones import PhoneWays, trouble
from autopilot_ios.timeline import Look, draw

LONGEST_ADDRESS = 300
PART_BYTES = 64 * 1024
"""Of an artifact, at a time."""
BLOCK_LINES = 200
Start = Callable[[Coroutine[Any, Any, Any]], None]


class Leads:
    """Where touches lead, for one screen: the `Ways` of its timeline."""

    def __init__(
        self,
        screen: Screen,
        core: AppCore,
        worker_id: str,
        phone: PhoneWays,
        *,
        start: Start,
        on_answer: Callable[[str], None],
        on_trace: Callable[[str], None],
    ) -> None:
        """`start`: runs something for as long as the screen is shown."""
        self._screen = screen
        self._core = core
        self._worker_id = worker_id
        self._phone = phone
        self._start = start
        self._on_answer = on_answer
        self._on_trace = on_trace

    def open_link(self, address: str) -> None:
        """Ask before leaving: the address is shown, as far as it can be trusted to be one."""
        stage = self._screen.stage
        if not may_link(address):
            stage.say(Label("This is no address to go to.", "warn"))
            return

        def go() -> None:
            stage.dismiss()
            self._start(self._phone.open(address))

        stage.ask(
            ft.CupertinoAlertDialog(
                title=ft.Text("Open this page?"),
                content=ft.Text(visible.line(address, LONGEST_ADDRESS)),
                actions=[
                    ft.CupertinoDialogAction("Cancel", key="link-cancel", on_click=stage.dismiss),
                    ft.CupertinoDialogAction("Open", key="link-open", default=True, on_click=go),
                ],
            )
        )

    def show_whole(self, seq: int) -> None:
        """One item on a page of its own."""
        screen = ItemScreen(
            self._core, self._worker_id, seq, self._phone, on_answer=self._on_answer, on_trace=self._on_trace
        )
        self._screen.stage.push(screen)

    def show_artifact(self, artifact_id: str) -> None:
        """What was too large for its event."""
        self._screen.stage.push(ArtifactScreen(self._core, self._worker_id, artifact_id, self._phone))

    def answer(self, approval_id: str) -> None:
        """A question that waits."""
        self._on_answer(approval_id)

    def trace(self, request_id: str) -> None:
        """Every hop of a request."""
        self._on_trace(request_id)

    def copy(self, text: str) -> None:
        """Onto the clipboard."""
        self._start(self._phone.copy(text))
        self._screen.stage.say(Label("Copied"))


class ItemScreen(Screen):
    """All that events hold of an item."""

    title = "All of it"

    def __init__(
        self,
        core: AppCore,
        worker_id: str,
        seq: int,
        phone: PhoneWays,
        *,
        on_answer: Callable[[str], None],
        on_trace: Callable[[str], None],
    ) -> None:
        """`seq`: the event that changed it last."""
        self.route = f"/workers/{worker_id}/items/{seq}"
        self._core = core
        self._worker_id = worker_id
        self._seq = seq
        self._tasks: asyncio.TaskGroup | None = None
        self._leads = Leads(self, core, worker_id, phone, start=self._start, on_answer=on_answer, on_trace=on_trace)
        self._body = ft.Container(expand=True)

    def build(self) -> ft.Control:
        """See Screen."""
        self._body.content = blocks.loading("Loading all of it…")
        return self._body

    async def run(self) -> None:
        """See Screen."""
        found = await around(self._core.client, self._worker_id, self._seq)
        now = self._core.client.clock.now()
        zone = now.astimezone().tzinfo
        look = Look(self._leads, self._core.names, caps=PHONE_WHOLE, zone=zone, is_whole=True)
        drawn = [draw(item, look, now) for item in found]
        gone = blocks.empty(ft.CupertinoIcons.DOC, "Nothing is here any more", "What this led to is not in the log.")
        self._body.content = (
            ft.SelectionArea(ft.ListView(drawn, expand=True, padding=16, spacing=12), expand=True) if drawn else gone
        )
        update(self._body)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        if self._tasks is None:
            work.close()
        else:
            self._tasks.create_task(work)


class ArtifactScreen(Screen):
    """An artifact, read a part at a time."""

    title = "Artifact"

    def __init__(self, core: AppCore, worker_id: str, artifact_id: str, phone: PhoneWays) -> None:
        self.route = f"/workers/{worker_id}/artifacts/{artifact_id}"
        self._core = core
        self._worker_id = worker_id
        self._artifact_id = artifact_id
        self._phone = phone
        self._read = 0
        self._held = b""
        """The beginning of a character whose rest is still to come."""
        self._is_reading = False
        self._list = ft.ListView(expand=True, padding=ft.Padding(12, 12, 12, 24))
        self._foot = ft.Container(padding=ft.Padding(12, 0, 12, 12))

    def build(self) -> ft.Control:
        """See Screen."""
        self._foot.content = blocks.loading("Loading…")
        area = ft.SelectionArea(self._list, expand=True)
        return ft.Column([ft.Container(area, expand=True, bgcolor=palette.CODE), self._foot], spacing=0, expand=True)

    async def run(self) -> None:
        """See Screen."""
        if not self._read:
            await self.more()

    async def more(self) -> None:
        """Read the next part."""
        if self._is_reading:
            return
        self._is_reading = True
        try:
            await self._more()
        except AutopilotError as error:
            is_end = error.reason_code == "out_of_range"
            self._foot.content = blocks.footnote("That is all.") if is_end else self._failed(error)
            update(self._foot)
        finally:
            self._is_reading = False

    async def _more(self) -> None:
        chunks = self._core.client.read_artifact(
            self._worker_id, self._artifact_id, first=self._read, last=self._read + PART_BYTES - 1
        )
        async with aclosing(chunks):
            part = b"".join([chunk async for chunk in chunks])
        self._read += len(part)
        text, self._held = _decoded(self._held + part, is_last=len(part) < PART_BYTES)
        lines = visible.code(text).split("\n")
        self._list.controls += [
            _text("\n".join(lines[at : at + BLOCK_LINES])) for at in range(0, len(lines), BLOCK_LINES)
        ]
        said = blocks.footnote(f"{times.size(self._read)} read")
        said.expand = True
        more = blocks.button("More", key="artifact-more", on_click=self.more)
        whole = blocks.footnote(f"All of it: {times.size(self._read)}")
        self._foot.content = whole if len(part) < PART_BYTES else ft.Row([said, more])
        update(self._list)
        update(self._foot)

    def _failed(self, error: AutopilotError) -> ft.Control:
        way = errors.trouble(error).way
        again = [blocks.button("Try again", key="artifact-again", on_click=self.more)] if way != "none" else []
        return blocks.column([trouble(error), *again])


def _text(text: str) -> ft.Text:
    return ft.Text(text, style=palette.mono(12, palette.CODE_TEXT))


def _decoded(data: bytes, *, is_last: bool) -> tuple[str, bytes]:
    """The text, and the beginning of a character at its end, where more is to come."""
    if is_last:
        return data.decode("utf-8", "replace"), b""
    for cut in range(4):
        try:
            return data[: len(data) - cut].decode("utf-8"), data[len(data) - cut :]
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace"), b""

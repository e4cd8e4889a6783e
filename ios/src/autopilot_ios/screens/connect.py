"""The handshake: asked, waited for with the seconds that are left, answered by which session, or why not."""

from __future__ import annotations

import asyncio

import flet as ft

from autopilot.client.acts import HandshakeAct
from autopilot.client.app_core import AppCore
from autopilot.client.presenters import connecting, standing
from autopilot.client.presenters.connecting import Connection
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.phones import PhoneWays, if_theirs

LOOK_SECONDS = 1.0
REASON = "Ask a companion for a sign of life"


class ConnectScreen(Screen):
    """One worker's."""

    title = "Connect"

    def __init__(self, core: AppCore, worker_id: str, phone: PhoneWays) -> None:
        self.route = f"/workers/{worker_id}/connect"
        self._core = core
        self._worker_id = worker_id
        self._phone = phone
        self._act: HandshakeAct | None = None
        self._in_the_way = connecting.NOT_RUNNING
        self._name = ""
        self._shown: Connection | None = None
        self._state = ft.Container()
        self._buttons = ft.Container()

    def build(self) -> ft.Control:
        """See Screen."""
        self._shown = None
        body = blocks.column([blocks.footnote(connecting.WHAT), self._state, self._buttons], gap=16)
        return ft.ListView([body], padding=16, expand=True)

    async def run(self) -> None:
        """See Screen."""
        detail = await self._core.open(self._worker_id)
        clock = self._core.client.clock
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow())
            while True:
                worker = detail.store.view.worker
                if worker is not None:
                    self._in_the_way, self._name = connecting.in_the_way(worker), standing.title(worker)
                self._draw()
                await clock.sleep(LOOK_SECONDS)

    async def _follow(self) -> None:
        felt: HandshakeAct | None = None
        async for _acts in self._core.acts.changes():
            self._draw()
            act = self._act
            if act is not None and act is not felt and (act.view.has_ended or act.view.phase == "refused"):
                felt = act
                await (self._phone.succeeded() if act.view.phase == "done" else self._phone.failed())

    async def _begin(self) -> None:
        if await if_theirs(self._core, self._phone, REASON, self.stage.say):
            self._act = self._core.acts.handshake(self._worker_id)
            self._draw()

    def _now(self) -> Connection:
        act = self._act
        if act is None:
            return connecting.idle(self._in_the_way)
        waited = None if act.asked_at is None else self._core.client.clock.monotonic() - act.asked_at
        return connecting.connection(act.view, self._core.names, seconds_waited=waited)

    def _draw(self) -> None:
        now = self._now()
        if now == self._shown:
            return
        self._shown = now
        facts = [
            blocks.row(name, key=f"fact-{number}", trailing=ft.Container(_value(value), width=220))
            for number, (name, value) in enumerate(now.facts)
        ]
        said: list[ft.Control] = [
            blocks.notice(now.label, key=f"connection-{now.state}", detail=now.detail or now.left or None)
        ]
        if now.is_running:
            said.insert(0, ft.Row([ft.CupertinoActivityIndicator(radius=12)], alignment=ft.MainAxisAlignment.CENTER))
        if facts:
            said.append(blocks.section("", facts))
        if self._act is not None and now.state in ("timed-out", "failed", "connected"):
            said.append(ft.Text(self._act.request_id, style=palette.mono(11, palette.MUTED)))
        self._state.content = blocks.column(said, gap=14)
        self._buttons.content = blocks.button(
            now.button,
            key="connect",
            kind="primary",
            on_click=self._begin,
            disabled=now.is_running or bool(self._in_the_way),
        )
        update(self._state)
        update(self._buttons)


def _value(value: str) -> ft.Text:
    return ft.Text(value, style=palette.mono(12, palette.MUTED), text_align=ft.TextAlign.END)

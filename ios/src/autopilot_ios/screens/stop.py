"""Stopping one worker: with a reason, by force where nobody answers, and what became of it."""

from __future__ import annotations

import flet as ft

from autopilot.client.acts import Act
from autopilot.client.app_core import AppCore
from autopilot.client.presenters import acts as said
from autopilot.client.presenters import standing, stops
from autopilot.client.presenters.labels import Label
from autopilot.contract import Receipt, StoppedWorker
from autopilot_ios.look import blocks
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, copies, if_theirs, is_theirs
from autopilot_ios.screens.receipts import receipt

REASON = "Stop a session of Codex"


class StopScreen(Screen):
    """One worker's."""

    title = "Stop"

    def __init__(self, core: AppCore, worker_id: str, phone: PhoneWays) -> None:
        self.route = f"/workers/{worker_id}/stop"
        self._core = core
        self._worker_id = worker_id
        self._phone = phone
        self._act: Act | None = None
        self._away = False
        self._name = ft.Container()
        self._warning = ft.Container()
        self._reason = blocks.field(stops.REASON, key="reason")
        self._reason.max_length = stops.REASON_CHARACTERS
        self._force = ft.CupertinoSwitch(key="force", value=False)
        self._form = ft.Container()
        self._result = ft.Container()
        self._shown: object = None

    def build(self) -> ft.Control:
        """See Screen."""
        self._shown = None
        force = ft.Column(
            [blocks.words("By force", size=16), blocks.footnote(stops.FORCE_ONE)], spacing=2, tight=True, expand=True
        )
        self._form.content = blocks.column(
            [
                blocks.words("Stop this worker?", size=20, strong=True),
                self._name,
                blocks.footnote(stops.MEANS_ONE),
                self._warning,
                self._reason,
                blocks.card(ft.Row([force, blocks.labelled(self._force, "By force")], spacing=12)),
                blocks.button("Stop it", key="stop", kind="danger", on_click=self._stop),
            ],
            gap=14,
        )
        return ft.ListView([blocks.column([self._form, self._result], gap=16)], padding=16, expand=True)

    async def run(self) -> None:
        """See Screen."""
        detail = await self._core.open(self._worker_id)
        felt: Act | None = None
        async for _view in self._core.acts.changes():
            worker = detail.store.view.worker
            if worker is not None:
                self._name.content = blocks.words(standing.title(worker))
                is_away = worker.health.machine.state == "down"
                self._warning.content = blocks.notice(Label(stops.AWAY_ONE, "warn")) if is_away else None
                update(self._form)
            self._draw()
            act = self._act
            if act is not None and act is not felt and act.view.phase not in ("idle", "sending"):
                felt = act
                went_well = act.view.phase in ("waiting", "done")
                await (self._phone.succeeded() if went_well else self._phone.failed())

    async def _stop(self) -> None:
        if not await is_theirs(self._core, self._phone, REASON):
            self.stage.say(NOT_OWNER)
            return
        reason = (self._reason.value or "").strip() or None
        self._act = self._core.acts.stop(self._worker_id, reason=reason, force=bool(self._force.value))
        self._draw()

    async def _send_again(self, act: Act) -> None:
        if await if_theirs(self._core, self._phone, REASON, self.stage.say):
            self._core.acts.begin(act)

    def _draw(self) -> None:
        act = self._act
        now = None if act is None else (act, act.view)
        if act is None or now == self._shown:
            return
        self._shown = now
        has_it = act.view.phase not in ("refused", "unknown")
        self._form.visible = not has_it
        parts: list[ft.Control] = []
        result = act.view.result
        if isinstance(result, StoppedWorker) or (isinstance(result, Receipt) and not act.view.has_ended):
            title, words = _on_its_way(result)
            parts += [blocks.words(title, size=20, strong=True), blocks.words(words)]
        elif isinstance(result, Receipt):
            parts.append(blocks.words(stops.ended(result).text, size=20, strong=True))
        elif has_it:
            parts.append(blocks.words(said.label(act.view).text, size=20, strong=True))
        parts.append(receipt(act, on_copy=copies(self._phone, self.stage.say), on_again=self._send_again))
        if has_it:
            parts.append(blocks.button("Close", key="close", kind="primary", on_click=self.stage.pop))
        self._result.content = blocks.column(parts, gap=14)
        update(self._form)
        update(self._result)


def _on_its_way(result: StoppedWorker | Receipt) -> tuple[str, str]:
    if isinstance(result, StoppedWorker):
        return stops.became_one(result)
    return stops.on_its_way(machine_unreachable=result.machine_unreachable is True)

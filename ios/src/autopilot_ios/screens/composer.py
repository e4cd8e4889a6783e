"""Where one writes to a worker: what is typed is kept until the server has it, and what was sent is shown as it moves.

Which buttons there are, and whether one may write at all, is said by `presenters.composing`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import flet as ft

from autopilot.client.acts import Act
from autopilot.client.app_core import AppCore
from autopilot.client.presenters import composing, errors
from autopilot.client.presenters.labels import Label
from autopilot.contract import WorkerSnapshot
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import update
from autopilot_ios.screens.phones import PhoneWays, copies, if_theirs
from autopilot_ios.screens.receipts import receipt

SHOWN = 2
"""Of what was sent: the last, and one that is still on its way; all of it is in the timeline."""
REASON = "Write to a session of Codex"


class Composer:
    """The foot of a worker's screen."""

    def __init__(
        self,
        core: AppCore,
        worker_id: str,
        phone: PhoneWays,
        *,
        start: Callable[[Coroutine[Any, Any, Any]], None],
        say: Callable[[Label], None],
    ) -> None:
        """`start`: runs something for as long as the screen is shown; `say`: tells something in passing."""
        self._core = core
        self._start = start
        self._worker_id = worker_id
        self._phone = phone
        self._say = say
        self._worker: WorkerSnapshot | None = None
        self._turn_id: str | None = None
        self._sent: Act | None = None
        """The message that is on its way: its words stay in the field until the server has them."""
        self._hidden: set[Act] = set()
        self._felt: set[Act] = set()
        self._shown: object = None
        self._field = blocks.field(
            composing.LABEL, key="say", most_lines=6, value=core.drafts.words(worker_id), on_change=self._typed
        )
        self._field.expand = True
        self._receipts = ft.Column(spacing=6, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
        self._beside, self._below = ft.Row(spacing=8, tight=True), _buttons_below()
        self._why_not = ft.Column(spacing=4, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
        # The field never changes its place: Flutter would make another of it, and forget what is being typed.
        self._line = ft.Row(
            [self._field, self._beside], spacing=8, vertical_alignment=ft.CrossAxisAlignment.END, visible=False
        )
        self._row = ft.Column(
            [self._line, self._below, self._why_not],
            spacing=4,
            tight=True,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
        )
        inside = ft.Column(
            [self._receipts, self._row], spacing=6, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH
        )
        self.control = ft.Container(
            inside,
            padding=ft.Padding(12, 8, 12, 8),
            bgcolor=palette.BACKGROUND,
            border=ft.Border(top=ft.BorderSide(0.5, palette.LINE)),
            visible=False,
        )
        """What is put on the screen; unseen until the worker is known."""

    def draw(self, worker: WorkerSnapshot | None, turn_id: str | None) -> bool:
        """The worker became this, and this turn runs; whether it looks different, and may be of another height."""
        self._worker, self._turn_id = worker, turn_id
        self._settle()
        mine = self._mine()
        may = composing.may(worker) if worker is not None else None
        shown = (may, turn_id, tuple((act, act.view) for act in mine), self._is_sending)
        if shown == self._shown:
            return False
        self._shown = shown
        self._place(may, turn_id)
        self._receipts.controls = [self._receipt(act) for act in mine]
        self.control.visible = may is not None
        update(self.control)
        return True

    # What is shown.

    @property
    def _is_sending(self) -> bool:
        return self._sent is not None and self._sent.view.phase in ("idle", "sending")

    def _mine(self) -> list[Act]:
        acts = [act for act in self._core.acts.of(self._worker_id) if act not in self._hidden]
        sent = [act for act in acts if act.deed.method != "handshake"]
        return [act for act in sent if act is sent[-1] or not act.view.has_ended][-SHOWN:]

    def _place(self, may: composing.May | None, turn_id: str | None) -> None:
        can_write = may is not None and may.can_write
        self._line.visible = can_write
        self._beside.controls = self._buttons(turn_id) if can_write and turn_id is None else []
        self._below.controls = self._buttons(turn_id) if can_write and turn_id is not None else []
        self._why_not.controls = [] if may is None or can_write else self._may_not(may)
        for part in (self._beside, self._below, self._why_not):
            part.visible = bool(part.controls)

    def _buttons(self, turn_id: str | None) -> list[ft.Control]:
        return [
            blocks.button(
                act.label,
                key=act.name,
                kind=act.weight,
                on_click=self._guarded(self._interrupt if act.name == "interrupt" else self._sender(act.name)),
                disabled=self._is_sending and act.name != "interrupt",
            )
            for act in composing.acts(turn_id)
        ]

    def _may_not(self, may: composing.May) -> list[ft.Control]:
        ways: dict[str, Callable[[], Any]] = {
            "reopen": self._reopen,
            "adopt": lambda: self._request("thread/resume"),
            "fork": lambda: self._request("thread/fork"),
        }
        buttons = [blocks.button(way.label, key=way.name, on_click=self._guarded(ways[way.name])) for way in may.ways]
        return [blocks.footnote(may.words), *([ft.Row(buttons, spacing=8, wrap=True)] if buttons else [])]

    def _receipt(self, act: Act) -> ft.Control:
        return receipt(
            act,
            on_copy=copies(self._phone, self._say),
            on_again=lambda act: self._guarded(lambda: self._again(act))(),
            on_edit=self._edit if _words(act) else None,
            may_edit=bool(self._line.visible),
            on_take_back=lambda act: self._guarded(lambda: self._take_back(act))(),
            on_dismiss=self._dismiss,
        )

    # What is done.

    def _typed(self) -> None:
        self._core.drafts.write(self._worker_id, self._field.value or "")

    def _guarded(self, do: Callable[[], Any]) -> blocks.Click:
        """Do it, once the phone knows its owner, where that is asked for."""

        async def guarded() -> None:
            if await if_theirs(self._core, self._phone, REASON, self._say):
                do()

        return guarded

    def _sender(self, name: str) -> Callable[[], None]:
        def send() -> None:
            text = self._field.value or ""
            before = self._sent
            if before is not None and before.view.phase == "unknown" and _words(before) == text:
                self._again(before)  # the same words once more are the same message: under its id
                return
            acts = self._core.acts
            try:
                match name:
                    case "steer":
                        self._sent = acts.steer(self._worker_id, text, self._turn_id)
                    case "queue":
                        self._sent = acts.queue(self._worker_id, text)
                    case _:
                        self._sent = acts.say(self._worker_id, text)
            except AutopilotError as error:
                self._say(Label(errors.words(error), "warn"))
            self.draw(self._worker, self._turn_id)

        return send

    def _settle(self) -> None:
        """What the server has of the words needs no place in the field any more; what it refused stays there."""
        act = self._sent
        if act is None or not (act.view.phase == "waiting" or act.view.has_ended):
            return
        self._sent = None
        if self._field.value == _words(act):
            self._field.value = ""
            self._core.drafts.write(self._worker_id, "")
            update(self._field)

    async def feel(self) -> None:
        """Let it be felt how something ended, once."""
        for act in self._mine():
            if act not in self._felt and (act.view.has_ended or act.view.phase == "refused"):
                self._felt.add(act)
                await (self._phone.succeeded() if act.view.phase == "done" else self._phone.failed())

    def _interrupt(self) -> None:
        try:
            self._core.acts.interrupt(self._worker_id, self._turn_id)
        except AutopilotError as error:
            self._say(Label(errors.words(error), "warn"))

    def _request(self, method: str) -> None:
        self._core.acts.request(self._worker_id, method, {})

    def _reopen(self) -> None:
        self._start(self._told(self._core.client.create_worker(self._worker_id)))

    def _take_back(self, act: Act) -> None:
        async def take_back() -> None:
            await self._core.client.cancel_request(self._worker_id, act.request_id)
            await act.look()

        self._start(self._told(take_back()))

    def _again(self, act: Act) -> None:
        self._core.acts.begin(act)

    async def _edit(self, act: Act) -> None:
        """Take up its words again, beside what was typed since."""
        typed, words = (self._field.value or "").rstrip(), _words(act)
        self._field.value = typed if words in typed else f"{typed}\n\n{words}".lstrip()
        self._typed()
        self._dismiss(act)
        update(self._field)
        await self._field.focus()

    def _dismiss(self, act: Act) -> None:
        self._hidden.add(act)
        self.draw(self._worker, self._turn_id)

    async def _told(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except AutopilotError as error:
            self._say(Label(errors.words(error), "bad"))


def _buttons_below() -> ft.Row:
    return ft.Row(spacing=8, alignment=ft.MainAxisAlignment.SPACE_BETWEEN, wrap=True, run_spacing=4)


def _words(act: Act) -> str:
    parts = act.deed.params.get("input")
    return str(parts[0].get("text", "")) if isinstance(parts, list) and parts else ""

"""Writing a request by hand: any method that a companion does, its params as JSON, looked through before it is sent."""

from __future__ import annotations

from collections.abc import Callable

import flet as ft

from autopilot.client.acts import Act
from autopilot.client.app_core import AppCore
from autopilot.client.methods import METHODS, Param
from autopilot.client.presenters import requesting, visible
from autopilot.contract import Receipt, RequestOutcome
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, copies, if_theirs, is_theirs
from autopilot_ios.screens.receipts import receipt

REASON = "Send a request to Codex"


class RequestScreen(Screen):
    """To one worker."""

    title = requesting.TITLE

    def __init__(self, core: AppCore, worker_id: str, phone: PhoneWays) -> None:
        self.route = f"/workers/{worker_id}/request"
        self._core = core
        self._worker_id = worker_id
        self._phone = phone
        self._method, written = core.drafts.written(worker_id) or (requesting.FIRST, "")
        self._sent: list[Act] = []
        self._shown: object = None
        self._chosen = ft.Container()
        self._help = ft.Container()
        self._params = blocks.field(
            "{ }",
            key="params",
            lines=8,
            most_lines=20,
            code=True,
            value=requesting.begun(self._method, written),
            on_change=self._typed,
        )
        self._problems = ft.Container()
        self._answers = ft.Column(spacing=8, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
        self._lately = ft.Container()

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw_method()
        self._draw_recent()
        send = blocks.button("Send", key="send-request", kind="primary", on_click=self._send)
        params = blocks.labelled(self._params, requesting.PARAMS)
        parts = [self._chosen, self._help, params, self._problems, send, self._answers, self._lately]
        return ft.ListView([blocks.column(parts, gap=14)], padding=16, expand=True)

    async def run(self) -> None:
        """See Screen."""
        async for _acts in self._core.acts.changes():
            self._draw_answers()

    # The method.

    def _choose(self) -> None:
        sections = [
            blocks.section(name, [self._choice(method) for method in methods]) for name, methods in requesting.groups()
        ]
        self.stage.sheet("Method", ft.ListView([blocks.column(sections, gap=16)], padding=16, expand=True))

    def _choice(self, method: str) -> ft.Control:
        def chosen() -> None:
            self.stage.dismiss()
            self._take(method, requesting.begun(method, self._params.value or ""))

        return blocks.row(
            method, key=f"method-{method}", subtitle=requesting.words(method), on_click=chosen, leads=False
        )

    def _take(self, method: str, params: str) -> None:
        self._method = method
        self._params.value = params
        self._draw_method()
        for part in (self._chosen, self._help, self._params):
            update(part)
        self._typed()

    def _draw_method(self) -> None:
        known = METHODS[self._method]
        self._chosen.content = blocks.section(
            "Method", [blocks.row(self._method, key="method", subtitle=known.words, on_click=self._choose)]
        )
        rows = [_param(param) for param in known.params]
        named = requesting.params_title(self._method)
        body = ft.Column(rows, spacing=10, tight=True, visible=False)

        def turn() -> None:
            body.visible = not body.visible
            update(self._help)

        head = blocks.button(named, key="help", kind="quiet", on_click=turn) if rows else blocks.footnote(named)
        self._help.content = blocks.column([ft.Row([head]), body], gap=6)

    # What is written.

    def _typed(self) -> None:
        written = self._params.value or ""
        kept = written if requesting.is_written(written) else ""
        self._core.drafts.write_request(self._worker_id, self._method, kept)
        self._check()

    def _check(self) -> None:
        draft = requesting.read(self._method, self._params.value or "")
        said: list[ft.Control] = [blocks.words(one, size=14, color=palette.RED) for one in draft.problems]
        said += [blocks.footnote(draft.note)] if draft.note else []
        self._problems.content = ft.Semantics(content=blocks.column(said, gap=4), live_region=True) if said else None
        update(self._problems)

    async def _send(self) -> None:
        written = self._params.value or ""
        draft = requesting.read(self._method, written)
        if not draft.can_send:
            self._check()
            await self._phone.failed()
            return
        if not await is_theirs(self._core, self._phone, REASON):
            self.stage.say(NOT_OWNER)
            return
        self._sent.insert(0, self._core.acts.request(self._worker_id, draft.method, draft.params))
        self._core.drafts.write_request(self._worker_id, draft.method, "")
        self._remember(draft.method, written)
        self._draw_answers()
        await self._phone.succeeded()

    async def _send_again(self, act: Act) -> None:
        if await if_theirs(self._core, self._phone, REASON, self.stage.say):
            self._core.acts.begin(act)

    # What came of it.

    def _draw_answers(self) -> None:
        now = tuple((act, act.view) for act in self._sent)
        if now == self._shown:
            return
        self._shown = now
        self._answers.controls = [part for act in self._sent for part in self._answered(act)]
        update(self._answers)

    def _answered(self, act: Act) -> list[ft.Control]:
        row = receipt(act, on_copy=copies(self._phone, self.stage.say), on_again=self._send_again)
        result = act.view.result
        if not isinstance(result, Receipt | RequestOutcome) or not act.view.has_ended:
            return [row]
        text = requesting.answer_text(result)
        if not text:
            return [row, blocks.footnote(requesting.NO_ANSWER)]
        shown = ft.Text(text, style=palette.mono(12, palette.CODE_TEXT))
        return [row, ft.Container(ft.SelectionArea(shown), padding=12, bgcolor=palette.CODE, border_radius=10)]

    # Lately.

    def _remember(self, method: str, written: str) -> None:
        self._core.drafts.sent(method, written)
        self._draw_recent()
        update(self._lately)

    def _draw_recent(self) -> None:
        rows = [
            blocks.row(
                method,
                key=f"recent-{number}",
                subtitle=visible.line(params, 120),
                on_click=self._again(method, params),
                leads=False,
            )
            for number, (method, params) in enumerate(self._core.drafts.requests)
        ]
        self._lately.content = blocks.section("Recent on this phone", rows) if rows else None

    def _again(self, method: str, params: str) -> Callable[[], None]:
        return lambda: self._take(method, params)


def _param(param: Param) -> ft.Control:
    name = ft.Text(param.name, style=palette.mono(13, palette.TEXT))
    return ft.Column([name, blocks.footnote(requesting.param_words(param))], spacing=1, tight=True)

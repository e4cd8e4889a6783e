"""One question of Codex: what to decide on, the answers there are, and what becomes of it, in place.

What is asked for is decided in `client.answering` and said by `presenters.approvals`. What was typed stays until the
server has taken it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import flet as ft

from autopilot.client import answering
from autopilot.client.answering import Answer
from autopilot.client.approval_store import ApprovalStore, ApprovalView
from autopilot.client.form_content import fields_of
from autopilot.client.presenters import approvals, inbox, times, visible
from autopilot.client.presenters.cuts import SHORT
from autopilot.client.presenters.evidence import evidence
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.timeline.view import Frame, View
from autopilot.contract import Approval, ApprovalOption
from autopilot_ios.look import blocks, palette
from autopilot_ios.look.forms import Form
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.hands import ActingCore
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, is_theirs, trouble
from autopilot_ios.timeline.evidence import evidence as drawn
from autopilot_ios.timeline.frame import Look, Place

AGES_SECONDS = 30.0
KINDS = {"primary": "primary", "danger": "danger", "plain": "plain"}
REASON = "Answer a question of Codex"


class ApprovalScreen(Screen):
    """One of them, also one that has ended."""

    title = "Question"

    def __init__(self, core: ActingCore, approval_id: str, hands: PhoneWays, on_worker: Callable[[str], None]) -> None:
        """`on_worker`: with the id of the worker whose session is to be opened."""
        self.route = f"/inbox/{approval_id}"
        self._core = core
        self._hands = hands
        self._on_worker = on_worker
        self._store = ApprovalStore(core.client, core.overview, approval_id, lambda: core.names)
        self._form: Form | None = None
        self._shown: Approval | None = None
        self._words = blocks.field(approvals.WORDS_LABEL, key="words", lines=2, most_lines=6)
        self._about = blocks.column([], gap=14)
        self._list = ft.ListView([self._about], expand=True, padding=16)
        self._body = ft.Container(expand=True)
        self._answering = blocks.column([], gap=10)
        self._foot = ft.Container()
        self._has_words = False
        self._is_unknown = False
        self._place = Place(Look(_Here(), names=core.names, is_whole=True), f"evidence-{approval_id}")

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw(self._store.view)
        return self._body

    def foot(self) -> ft.Control:
        """See Screen."""
        return self._foot

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store.run())
            tasks.create_task(self._age())
            async for view in self._store.changes():
                self._draw(view)
                update(self._body)
                update(self._foot)

    async def refresh(self) -> None:
        """See Screen."""
        self._core.overview.poke(reopen=True)
        await self._store.look()

    # What it is about.

    def _draw(self, view: ApprovalView) -> None:
        approval = view.approval
        if approval is None:
            self._body.content = (
                blocks.loading("Loading the question…")
                if view.missing is None
                else blocks.missing(view.missing, self._store.look)
            )
            self._foot.content = None
            return
        if self._shown != approval:
            self._shown = approval
            self._draw_about(approval)
        self._draw_foot(approval, view)

    def _draw_about(self, approval: Approval) -> None:
        if self._form is None:
            self._form = Form(fields_of(approval))
        can_answer = approvals.can_answer(approval, self._core.names)
        about = evidence(approval, SHORT)
        self._about.controls = [
            self._head(approval),
            *drawn(about, self._view(approval), self._place, self._open_page),
            *(self._form.controls if can_answer else []),
            blocks.section("", [blocks.row("Open the session", key="open-worker", on_click=self._open_worker)]),
        ]
        self._body.content = self._list

    def _view(self, approval: Approval) -> View:
        return View(frame=Frame(inbox.title(approval), approval.requested_at, 0))

    def _head(self, approval: Approval) -> ft.Control:
        where = inbox.where(approval, self._core.names, self._core.client.clock.now())
        return blocks.column(
            [
                ft.Row([blocks.pill(approvals.risk(approval.risk)), blocks.footnote(where)], spacing=8, wrap=True),
                blocks.words(inbox.headline(approval), size=20, strong=True),
                blocks.footnote(approvals.risk_means(approval.risk)),
            ],
            gap=8,
        )

    # The answers.

    def _draw_foot(self, approval: Approval, view: ApprovalView) -> None:
        parts: list[ft.Control] = []
        if view.said:
            parts.append(blocks.notice(Label(view.said, "warn"), key="said"))
        if not approvals.can_answer(approval, self._core.names):
            parts.append(self._outcome(approval))
        else:
            parts += self._answers(approval, view)
        self._answering.controls = parts
        self._foot.content = self._answering
        self._foot.padding = ft.Padding(16, 10, 16, 12)
        self._foot.bgcolor = palette.BACKGROUND

    def _outcome(self, approval: Approval) -> ft.Control:
        label = approvals.became(approvals.course(approval), self._core.names)
        message = approval.decision.message if approval.decision else None
        detail = "\n".join(part for part in (f"“{message}”" if message else "", times.exact(approval.ended_at)) if part)
        return blocks.notice(label, key="outcome", detail=detail or None)

    def _answers(self, approval: Approval, view: ApprovalView) -> list[ft.Control]:
        parts: list[ft.Control] = []
        if approval.machine_reachable is False:
            parts.append(blocks.notice(Label(approvals.MACHINE_AWAY, "warn"), key="away"))
        if view.faults:
            parts.append(
                blocks.notice(Label(answering.DOES_NOT_FIT, "bad"), key="faults", detail="\n".join(view.faults))
            )
        if view.error is not None:
            parts.append(trouble(view.error, key="not-taken"))
        elif self._is_unknown:
            parts.append(blocks.notice(NOT_OWNER, key="not-owner"))
        if self._has_words:
            parts.append(self._words)
        if approval.expires_at:
            left = times.left(approval.expires_at, self._core.client.clock.now())
            parts.append(blocks.footnote(f"{approvals.EXPIRES} in {left}"))
        return [*parts, *self._buttons(approval, is_sending=view.is_sending)]

    def _buttons(self, approval: Approval, *, is_sending: bool) -> list[ft.Control]:
        offered = approvals.answers(approval.options)
        if is_sending:
            wait = ft.Row([ft.CupertinoActivityIndicator(radius=12)], alignment=ft.MainAxisAlignment.CENTER)
            return [ft.Semantics(content=wait, label="Sending your answer", live_region=True)]
        first = [self._button(approval, option) for option in offered.first]
        quiet: list[ft.Control] = []
        if not self._has_words and any(option.takes_message for option in approval.options):
            quiet.append(
                blocks.button(approvals.DECLINE_WITH_WORDS, key="with-words", kind="quiet", on_click=self._show_words)
            )
        if offered.more:
            quiet.append(
                blocks.button(
                    approvals.MORE_ANSWERS,
                    key="more-answers",
                    kind="quiet",
                    on_click=lambda: self._show_more(approval, offered.more),
                )
            )
        beside = ft.Row(quiet, alignment=ft.MainAxisAlignment.SPACE_BETWEEN, wrap=True) if quiet else None
        return [ft.Row(first, spacing=10), *([beside] if beside else [])]

    def _button(self, approval: Approval, option: ApprovalOption) -> ft.Control:
        async def chosen() -> None:
            await self._chosen(approval, option)

        return blocks.button(
            option.label,
            key=f"answer-{option.option_id}",
            kind=KINDS[approvals.weight_of(option)],
            on_click=chosen,
            expand=True,
        )

    def _show_words(self) -> None:
        self._has_words = True
        self._draw(self._store.view)
        update(self._foot)

    def _show_more(self, approval: Approval, options: tuple[ApprovalOption, ...]) -> None:
        def chooses(option: ApprovalOption) -> Callable[[], object]:
            async def chosen() -> None:
                self.stage.dismiss()
                await self._chosen(approval, option)

            return chosen

        rows = [
            blocks.row(
                option.label,
                key=f"answer-{option.option_id}",
                subtitle=option.description,
                on_click=chooses(option),
                leads=False,
            )
            for option in options
        ]
        self.stage.sheet(approvals.MORE_ANSWERS, ft.ListView([blocks.section("", rows)], padding=16, expand=True))

    # Answering.

    async def _chosen(self, approval: Approval, option: ApprovalOption) -> None:
        given = self._form.given() if self._form else {}
        words = self._words.value if self._has_words else ""
        answer = Answer(option, given, words)
        ask = answering.first_ask(approval, answer)
        if ask is None:
            await self._send(answer)
            return

        async def sure() -> None:
            self.stage.dismiss()
            await self._send(answer)

        self.stage.ask(
            ft.CupertinoAlertDialog(
                title=ft.Text(visible.prose(ask.question)),
                content=ft.Text(visible.prose(ask.means)),
                actions=[
                    ft.CupertinoDialogAction(ft.Text(ask.no), key="not-sure", on_click=self.stage.dismiss),
                    ft.CupertinoDialogAction(
                        ft.Text(ask.yes), key="sure", destructive=True, default=True, on_click=sure
                    ),
                ],
            )
        )

    async def _send(self, answer: Answer) -> None:
        self._is_unknown = not await is_theirs(self._core, self._hands, REASON)
        if self._is_unknown:
            self._draw(self._store.view)
            update(self._foot)
            return
        told = await self._store.answer(answer)
        if told is None:
            return
        if told.is_taken:
            self._has_words = False
            self._words.value = ""
            await self._hands.succeeded()
        else:
            await self._hands.failed()

    # Elsewhere.

    async def _open_page(self) -> None:
        approval = self._store.view.approval
        if approval is not None and approval.url:
            await self._hands.open(approval.url)

    def _open_worker(self) -> None:
        approval = self._store.view.approval
        if approval is not None:
            self._on_worker(approval.worker_id)

    async def _age(self) -> None:
        while True:
            await self._core.client.clock.sleep(AGES_SECONDS)
            approval = self._store.view.approval
            if approval is not None and self._list.controls:
                self._list.controls[0] = self._head(approval)
                update(self._list)
                self._draw_foot(approval, self._store.view)
                update(self._foot)


class _Here:
    """Evidence leads nowhere: all that there is of it is on the screen."""

    def open_link(self, address: str) -> None:
        """Addresses are words here; a page to open has a button of its own."""

    def show_whole(self, seq: int) -> None:
        """It is whole."""

    def show_artifact(self, artifact_id: str) -> None:
        """There is none."""

    def answer(self, approval_id: str) -> None:
        """The buttons are below."""

    def trace(self, request_id: str) -> None:
        """There is none."""

    def copy(self, text: str) -> None:
        """Nothing here is copied."""

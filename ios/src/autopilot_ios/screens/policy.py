"""The policy that binds, in words, and a trial of it. It is changed elsewhere: this says where."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.policy_store import PolicyStore
from autopilot.client.presenters import errors, policy_lines
from autopilot.client.presenters.labels import Label
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, figures, palette
from autopilot_ios.screens.looking import LookingScreen

TRYING = "What would be said to a request. Nothing is asked of Codex."


class PolicyScreen(LookingScreen):
    """One's own, or that of a team."""

    title, route, what = "Policy", "/policy", "Reading the policy…"

    def __init__(self, core: AppCore, team_id: str = "") -> None:
        """`team_id`: whose is shown first; empty: one's own."""
        self._policy = PolicyStore(core.client, team_id)
        super().__init__(core, self._policy)
        self._method = blocks.field("turn/start", key="try-method", value="turn/start", code=True)
        self._folder = blocks.field("Folder", key="try-folder", code=True)
        self._model = blocks.field("Model", key="try-model", code=True)
        self._form = blocks.Fields((self._method, "Method"), (self._folder, "Folder"), (self._model, "Model"))
        self._trial = blocks.section("Try a request", [blocks.padded(self._form.control)], note=TRYING)

    async def refresh(self) -> None:
        """See Screen."""
        await self._policy.look()

    def error(self) -> AutopilotError | None:
        """See LookingScreen."""
        return self._policy.view.asked.error

    def as_of(self) -> datetime | None:
        """See LookingScreen."""
        return self._policy.view.asked.as_of

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        view = self._policy.view
        if view.asked.value is None:
            return None
        found, teams = view.asked.value
        whose = [("", "Yours"), *((team.team_id, team.name) for team in teams)]
        together = policy_lines.TOGETHER_IN_A_TEAM if view.team_id else policy_lines.TOGETHER
        parts = [blocks.section(part.title, [_line(one) for one in part.lines]) for part in policy_lines.parts(found)]
        self._draw_trial()
        return [
            *([figures.segments(whose, view.team_id, self._of, key="whose")] if teams else []),
            ft.Container(blocks.footnote(together), padding=ft.Padding(16, 0, 16, 0)),
            *parts,
            self._trial,
            blocks.section("Where it is changed", [blocks.padded(blocks.footnote(policy_lines.WHERE_CHANGED))]),
        ]

    def _of(self, team_id: str) -> None:
        self.begin(self._policy.look(team_id=team_id))

    def _draw_trial(self) -> None:
        view = self._policy.view
        said: list[ft.Control] = []
        if view.error is not None:
            told = errors.trouble(view.error)
            said = [blocks.notice(Label(told.sentence, "bad"), key="verdict", detail=told.hint)]
        elif view.verdict is not None:
            label, rule = policy_lines.verdict(view.tried, view.verdict)
            said = [blocks.notice(label, key="verdict", detail=rule)]
        self._form.draw(blocks.button("Try it", key="try", on_click=self._try, disabled=view.is_trying), *said)

    async def _try(self) -> None:
        await self._policy.try_it(self._method.value or "", folder=self._folder.value, model=self._model.value)


def _line(one: policy_lines.Line) -> ft.Control:
    return blocks.padded(
        blocks.column(
            [
                blocks.words(one.about, size=16),
                blocks.words(one.words, color=palette.TEXT, size=14),
                blocks.footnote(one.source),
            ],
            gap=3,
        )
    )

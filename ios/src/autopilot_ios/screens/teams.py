"""Teams: those one is in, making one, accepting an invitation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.presenters import teams as said
from autopilot.client.team_store import TeamsStore
from autopilot.contract import Team
from autopilot_ios.look import blocks
from autopilot_ios.screens.acting import ActingScreen
from autopilot_ios.screens.phones import PhoneWays


class TeamsScreen(ActingScreen):
    """The list of them."""

    title, route, what = "Teams", "/teams", "Loading your teams…"

    def __init__(self, core: AppCore, hands: PhoneWays, on_open: Callable[[str, str], None]) -> None:
        """`on_open`: with the id and the name of a team, empty where it is not known."""
        self._teams = TeamsStore(core.client)
        super().__init__(core, self._teams, hands)
        self._on_open = on_open
        self._name = blocks.field("Name", key="team-name")
        self._name.max_length = said.LONGEST_NAME
        self._invitation = blocks.field("Invitation", key="invitation", code=True)

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        found = self._teams.view.asked.value
        if found is None:
            return None
        none = blocks.padded(blocks.footnote(said.NONE_YET))
        return [
            *self.told(),
            blocks.section("", [self._row(one) for one in found] or [none]),
            self._form("New team", self._name, "Make it", "make", self._create),
            self._form("Invited?", self._invitation, "Join", "join", self._join, note=said.INVITED),
        ]

    def _row(self, team: Team) -> ft.Control:
        return blocks.row(
            team.name,
            key=f"team-{team.team_id}",
            subtitle=said.role_words(team.role),
            icon=ft.CupertinoIcons.PERSON_2,
            on_click=lambda: self._on_open(team.team_id, team.name),
        )

    def _form(
        self,
        title: str,
        field: ft.CupertinoTextField,
        button: str,
        key: str,
        on_click: Callable[[], Awaitable[None]],
        *,
        note: str | None = None,
    ) -> ft.Control:
        way = blocks.button(button, key=key, on_click=on_click, disabled=self.is_busy)
        form = blocks.column([blocks.labelled(field, field.placeholder_text or ""), way], gap=10)
        return blocks.section(title, [blocks.padded(form)], note=note)

    async def _create(self) -> None:
        name = self._name.value or ""
        if await self.do("Make a team", lambda: self._teams.create(name)):
            self._name.value = ""
            self._enter(name.strip())

    async def _join(self) -> None:
        if await self.do("Join a team", lambda: self._teams.join(self._invitation.value or "")):
            self._invitation.value = ""
            self._enter("")

    def _enter(self, name: str) -> None:
        if self._teams.entered is not None:
            self._on_open(self._teams.entered, name)

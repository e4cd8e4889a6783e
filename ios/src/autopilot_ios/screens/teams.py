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
        self._making = blocks.Fields((self._name, "Name"))
        self._joining = blocks.Fields((self._invitation, "Invitation"))
        self._forms = [
            blocks.section("New team", [blocks.padded(self._making.control)]),
            blocks.section("Invited?", [blocks.padded(self._joining.control)], note=said.INVITED),
        ]

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        found = self._teams.view.asked.value
        if found is None:
            return None
        none = blocks.padded(blocks.footnote(said.NONE_YET))
        self._making.draw(self._way("Make it", "make", self._create))
        self._joining.draw(self._way("Join", "join", self._join))
        return [
            *self.told(),
            blocks.section("", [self._row(one) for one in found] or [none]),
            *self._forms,
        ]

    def _row(self, team: Team) -> ft.Control:
        return blocks.row(
            team.name,
            key=f"team-{team.team_id}",
            subtitle=said.role_words(team.role),
            icon=ft.CupertinoIcons.PERSON_2,
            on_click=lambda: self._on_open(team.team_id, team.name),
        )

    def _way(self, text: str, key: str, on_click: Callable[[], Awaitable[None]]) -> ft.Control:
        return blocks.button(text, key=key, on_click=on_click, disabled=self.is_busy)

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

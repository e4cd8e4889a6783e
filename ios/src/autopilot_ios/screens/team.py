"""One team: who is in it, who is invited, which machines it shares; leaving and ending it.

Only an owner sees what changes it; the server refuses the rest whoever asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.presenters import machines, times
from autopilot.client.presenters import teams as said
from autopilot.client.team_store import TeamStore
from autopilot.contract import Invitation, Machine, Team, TeamMember
from autopilot_ios.look import blocks, figures, palette
from autopilot_ios.screen import SHEET_SECONDS
from autopilot_ios.screens.acting import ActingScreen
from autopilot_ios.screens.phones import PhoneWays
from autopilot_ios.screens.sure import sure


class Ways(Protocol):
    """Where one gets to from a team."""

    def machine(self, machine_id: str) -> None:
        """To one of its machines."""
        ...

    def policy(self, team_id: str) -> None:
        """To what binds on its machines."""
        ...

    def spend_of_teams(self) -> None:
        """To what was used for teams."""
        ...


class TeamScreen(ActingScreen):
    """See the module."""

    what = "Loading the team…"

    def __init__(self, core: AppCore, team_id: str, hands: PhoneWays, ways: Ways, *, name: str = "") -> None:
        self.title, self.route = name or core.names.teams.get(team_id) or "Team", f"/teams/{team_id}"
        self._team = TeamStore(core.client, team_id)
        super().__init__(core, self._team, hands)
        self._ways = ways
        self._email = blocks.field("E-mail", key="invite-email", keyboard=ft.KeyboardType.EMAIL)
        self._inviting = blocks.Fields((self._email, "E-mail"))
        self._invited_ones = blocks.column([], gap=0)
        self._invitations = blocks.section(
            "Invitations",
            [blocks.column([self._invited_ones, blocks.padded(self._inviting.control)], gap=0)],
            note=said.INVITING,
        )
        self._role = said.FIRST_ROLE

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run())
            tasks.create_task(self._follow_machines())

    async def _follow_machines(self) -> None:
        known = self.core.overview.view.overview.machines
        async for view in self.core.overview.changes():
            if view.overview.machines != known:
                known = view.overview.machines
                self.redraw()

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        team = self._team.view.asked.value
        if team is None:
            return None
        is_owner = team.role == said.OWNER
        members = [self._member(one, is_owner=is_owner) for one in team.members]
        shared = said.machines_of(team, self.core.overview.view.overview.machines)
        none = blocks.padded(blocks.footnote(said.NO_MACHINE))
        return [
            *self.told(),
            blocks.section("Members", members, note=said.own_role(team)),
            *([self._drawn_invitations(team)] if is_owner else []),
            blocks.section("Machines", [self._machine(one) for one in shared] or [none]),
            self._policy_and_spend(team),
            self._endings(team, is_owner=is_owner),
        ]

    # Who is in it.

    def _member(self, one: TeamMember, *, is_owner: bool) -> ft.Control:
        you = " (you)" if one.user_id == self.core.names.me else ""
        return blocks.row(
            said.member_name(one) + you,
            key=f"member-{one.user_id}",
            subtitle=f"{said.role_words(one.role)}, since {times.ago(one.since, self.now)}",
            trailing=self._busy(str(one.user_id)),
            on_click=(lambda: self._change(one)) if is_owner else None,
        )

    def _busy(self, about: str) -> ft.Control | None:
        return ft.CupertinoActivityIndicator(radius=8) if self._team.view.doing == about else None

    def _change(self, one: TeamMember) -> None:
        name = said.member_name(one)

        def gives(role: str) -> Callable[[], Awaitable[None]]:
            async def give() -> None:
                self.stage.dismiss()
                if role != one.role:
                    await self.do("Change a role", lambda: self._team.set_role(one, role))

            return give

        async def remove() -> None:
            await self.do("Remove a member", lambda: self._team.remove(one))

        async def ask_to_remove() -> None:
            self.stage.dismiss()
            await self.core.client.clock.sleep(SHEET_SECONDS)
            sure(self.stage, f"Remove {name}?", said.REMOVING, button="Remove", on_click=remove)

        roles = [
            blocks.row(
                words,
                key=f"role-{role}",
                subtitle=means,
                trailing=blocks.mark(is_chosen=role == one.role),
                on_click=gives(role),
                leads=False,
            )
            for role, (words, means) in said.ROLES.items()
        ]
        out = blocks.button("Remove from the team", key="remove", kind="danger", on_click=ask_to_remove)
        body = blocks.column([blocks.section("Role", roles), out], gap=20)
        self.stage.sheet(name, ft.ListView([body], padding=16, expand=True))

    # Who is invited.

    def _drawn_invitations(self, team: Team) -> ft.Control:
        roles = [(role, words) for role, (words, _) in said.ROLES.items()]
        self._inviting.draw(
            figures.segments(roles, self._role, self._choose_role, key="invite-as", in_card=True),
            blocks.button("Invite", key="invite", kind="primary", on_click=self._invite, disabled=self.is_busy),
        )
        rows = [self._invited(one) for one in team.invitations]
        self._invited_ones.controls = [part for row in rows for part in (row, blocks.divider())]
        return self._invitations

    def _choose_role(self, role: str) -> None:
        self._role = role
        self.redraw()

    async def _invite(self) -> None:
        email, role = self._email.value or "", self._role
        if await self.do("Invite somebody", lambda: self._team.invite(email, role)):
            self._email.value, self._role = "", said.FIRST_ROLE
            self.redraw()

    def _invited(self, one: Invitation) -> ft.Control:
        async def withdraw() -> None:
            await self.do("Withdraw an invitation", lambda: self._team.withdraw(one))

        def ask() -> None:
            title = f"Withdraw the invitation of {one.email}?"
            sure(self.stage, title, said.WITHDRAWING, button="Withdraw", on_click=withdraw)

        act = self._busy(one.invitation_id) or ft.Icon(ft.CupertinoIcons.MINUS_CIRCLE, size=22, color=palette.RED)
        return blocks.row(
            one.email,
            key=f"invitation-{one.invitation_id}",
            subtitle=f"As {said.role_words(one.role).lower()}, for {times.left(one.expires_at, self.now)} more",
            trailing=act,
            on_click=ask,
            leads=False,
            name=f"Withdraw the invitation of {one.email}",
        )

    # What it has, and its end.

    def _machine(self, one: Machine) -> ft.Control:
        return blocks.row(
            machines.name_of(one),
            key=f"machine-{one.machine_id}",
            subtitle=one.platform or None,
            icon=ft.CupertinoIcons.DEVICE_LAPTOP,
            on_click=lambda: self._ways.machine(one.machine_id),
        )

    def _policy_and_spend(self, team: Team) -> ft.Control:
        policy = blocks.row(
            "Policy",
            key="team-policy",
            subtitle="What binds on its machines",
            icon=ft.CupertinoIcons.DOC_CHECKMARK,
            on_click=lambda: self._ways.policy(team.team_id),
        )
        spend = blocks.row(
            "Spend",
            key="team-spend",
            subtitle="What was used for it",
            icon=ft.CupertinoIcons.CHART_BAR_ALT_FILL,
            on_click=self._ways.spend_of_teams,
        )
        return blocks.section("Policy and spend", [policy, spend])

    def _endings(self, team: Team, *, is_owner: bool) -> ft.Control:
        def leave() -> None:
            title = f"Leave {team.name}?"
            sure(self.stage, title, said.LEAVING, button="Leave", on_click=lambda: self._end(self._team.leave))

        def delete() -> None:
            title = f"Delete {team.name}?"
            sure(self.stage, title, said.DELETING, button="Delete", on_click=lambda: self._end(self._team.delete))

        rows = [_ending("Leave this team", "leave", leave)]
        if is_owner:
            rows.append(_ending("Delete this team", "delete", delete))
        return blocks.section("", rows)

    async def _end(self, work: Callable[[], Awaitable[bool]]) -> None:
        if await self.do("Leave or end a team", work):
            self.core.overview.poke()
            self.stage.pop()


def _ending(text: str, key: str, on_click: Callable[[], None]) -> ft.Control:
    return blocks.row(blocks.words(text, size=16, color=palette.RED), key=key, on_click=on_click, leads=False)

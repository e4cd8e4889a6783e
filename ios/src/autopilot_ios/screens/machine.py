"""One machine: what is known of it, what runs there, with whom it is shared, and its sign-out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import flet as ft

from autopilot.client.machine_store import MachineStore, MachineView
from autopilot.client.overview import Overview
from autopilot.client.presenters import machines as words
from autopilot.client.presenters import rights, standing, times, visible
from autopilot.client.presenters.labels import Label
from autopilot.contract import Machine, WorkerSummary
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.hands import ActingCore
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, is_theirs, trouble

AGES_SECONDS = 15.0
REASON = "Change who reaches a machine"
SHARING_MEANS = "Members of the team see all sessions of this machine, now and later; operators and owners steer them."
NO_TEAM = "In no team. Make one under Teams to share this machine."
UNSHARING = (
    "Take it out of the team?",
    "Members lose sight of its sessions within two seconds; what they asked for and nobody began ends.",
)
SIGNING_OUT = (
    "Sign this machine out?",
    "Its companion can do nothing more here until it is paired again. What Codex does there goes on, unseen.",
)


@dataclass(frozen=True, slots=True)
class Ways:
    """Where one goes from a machine."""

    worker: Callable[[str], None]
    """With a worker's id."""
    new_session: Callable[[str], None]
    """With the machine's id."""
    threads: Callable[[str], None]
    """With the machine's id."""


class MachineScreen(Screen):
    """One of them."""

    def __init__(self, core: ActingCore, machine_id: str, hands: PhoneWays, ways: Ways) -> None:
        self.route = f"/machines/{machine_id}"
        self._core = core
        self._machine_id = machine_id
        self._hands = hands
        self._ways = ways
        self._store = MachineStore(core.client, machine_id)
        machine = core.overview.view.overview.machine(machine_id)
        self.title = words.name_of(machine) if machine else "Machine"
        self._list = ft.ListView(expand=True, padding=16, spacing=16)
        self._body = ft.Container(expand=True)
        self._is_unknown = False

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw()
        return self._body

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store.look())
            tasks.create_task(self._age())
            tasks.create_task(self._follow())
            async for _view in self._store.changes():
                self._redraw()

    async def refresh(self) -> None:
        """See Screen."""
        self._core.overview.poke(reopen=True)
        await self._store.look()

    async def _follow(self) -> None:
        async for _view in self._core.overview.changes():
            self._redraw()

    async def _age(self) -> None:
        while True:
            await self._core.client.clock.sleep(AGES_SECONDS)
            self._redraw()

    def _redraw(self) -> None:
        self._draw()
        update(self._body)

    def _draw(self) -> None:
        overview, view = self._core.overview.view.overview, self._store.view
        machine = overview.machine(self._machine_id)
        if machine is None:
            self._body.content = (
                blocks.failed("There is no such machine, or it is not shared with you any more.", None)
                if overview.is_known
                else blocks.loading("Loading the machine…")
            )
            return
        now = self._core.client.clock.now()
        self._list.controls = [
            self._head(machine, now),
            *self._said(view),
            self._sessions(machine, overview),
            self._facts(machine, now),
            *self._told(machine, now),
            *(self._sharing(machine, view) if words.is_mine(machine, self._core.names) else []),
        ]
        self._body.content = self._list

    # What is known.

    def _head(self, machine: Machine, now: datetime) -> ft.Control:
        warnings = [
            blocks.notice(
                Label(fact.label, "warn"), detail=f"Since {times.ago(fact.moment, now)}" if fact.moment else None
            )
            for fact in words.warnings(machine)
        ]
        state = ft.Row([blocks.pill(words.presence(machine, now)), blocks.footnote(words.codex(machine))], wrap=True)
        return blocks.column([state, *warnings], gap=8)

    def _said(self, view: MachineView) -> list[ft.Control]:
        if view.error is not None:
            return [trouble(view.error, key="not-done")]
        if self._is_unknown:
            return [blocks.notice(NOT_OWNER, key="not-owner")]
        return [blocks.notice(Label(view.done, "good"), key="done")] if view.done else []

    def _sessions(self, machine: Machine, overview: Overview) -> ft.Control:
        rows = [self._session(worker) for worker in words.sessions_of(machine, overview.workers)]
        if not rights.may_operate(machine):
            return blocks.section("Sessions", rows, note=rights.WATCH_MACHINE)
        machine_id = machine.machine_id
        rows.append(
            blocks.row(
                "New session",
                key="new-session",
                icon=ft.CupertinoIcons.PLUS_CIRCLE,
                on_click=lambda: self._ways.new_session(machine_id),
            )
        )
        rows.append(
            blocks.row(
                "Older threads",
                key="older-threads",
                icon=ft.CupertinoIcons.CLOCK,
                on_click=lambda: self._ways.threads(machine_id),
            )
        )
        return blocks.section("Sessions", rows)

    def _session(self, worker: WorkerSummary) -> ft.Control:
        return blocks.row(
            standing.title(worker),
            key=f"worker-{worker.worker_id}",
            subtitle=standing.last_words(worker) or None,
            trailing=blocks.pill(standing.activity(worker)[1]),
            on_click=lambda: self._ways.worker(worker.worker_id),
        )

    def _facts(self, machine: Machine, now: datetime) -> ft.Control:
        return blocks.section("About it", [_fact(fact, now) for fact in words.facts(machine, self._core.names)])

    def _told(self, machine: Machine, now: datetime) -> list[ft.Control]:
        told = words.told(machine)
        if not told:
            return []
        rows = [
            blocks.row(name, key=f"told-{number}", subtitle=f"{said} · {times.ago(moment, now)}")
            for number, (name, said, moment) in enumerate(told)
        ]
        return [blocks.section("What its Codex said", rows)]

    # Sharing it, and signing it out.

    def _sharing(self, machine: Machine, view: MachineView) -> list[ft.Control]:
        team_id = machine.owner.team_id if machine.owner else None
        leave = _act("Sign this machine out", "sign-out", lambda: self._ask(SIGNING_OUT, self._store.sign_out))
        if team_id is not None:
            name = self._core.names.teams.get(team_id) or "a team"
            note = f"Shared with {name}: its members see what runs here, and operators ask for things."
            out = _act("Take it out of the team", "unshare", lambda: self._ask(UNSHARING, self._store.unshare))
            return [blocks.section("Team", [out], note=note), blocks.section("", [leave])]
        if not view.teams:
            return [blocks.section("Team", [], note=NO_TEAM), blocks.section("", [leave])]
        rows: list[ft.Control] = [
            blocks.row(f"Share with {team.name}", key=f"share-{team.team_id}", on_click=self._share(team.team_id))
            for team in view.teams
        ]
        return [blocks.section("Team", rows, note=SHARING_MEANS), blocks.section("", [leave])]

    def _share(self, team_id: str) -> Callable[[], Awaitable[None]]:
        async def share() -> None:
            await self._do(lambda: self._store.share(team_id))

        return share

    def _ask(self, asked: tuple[str, str], act: Callable[[], Awaitable[bool]]) -> None:
        async def sure() -> None:
            self.stage.dismiss()
            await self._do(act)

        question, means = asked
        self.stage.ask(
            ft.CupertinoAlertDialog(
                title=ft.Text(question),
                content=ft.Text(means),
                actions=[
                    ft.CupertinoDialogAction(ft.Text("Cancel"), key="not-sure", on_click=self.stage.dismiss),
                    ft.CupertinoDialogAction(ft.Text("Yes, do it"), key="sure", destructive=True, on_click=sure),
                ],
            )
        )

    async def _do(self, act: Callable[[], Awaitable[bool]]) -> None:
        self._is_unknown = not await is_theirs(self._core, self._hands, REASON)
        if self._is_unknown:
            self._redraw()
        elif await act():
            self._core.overview.poke()
            await self._hands.succeeded()
        else:
            await self._hands.failed()


def _act(text: str, key: str, on_click: Callable[[], None]) -> ft.Control:
    return blocks.row(blocks.words(text, size=16, color=palette.RED), key=key, on_click=on_click, leads=False)


def _fact(fact: words.Fact, now: datetime) -> ft.Control:
    if fact.is_code:
        value = ft.Text(visible.code(fact.value), style=palette.mono(13, palette.MUTED))
        inside: ft.Control = blocks.column([blocks.words(fact.label), value], gap=2)
    else:
        said = blocks.words(times.ago(fact.moment, now) if fact.moment else fact.value, color=palette.MUTED)
        said.text_align, said.expand = ft.TextAlign.END, True
        inside = ft.Row([blocks.words(fact.label), said], spacing=16)
    return ft.Container(inside, padding=ft.Padding(16, 11, 16, 11))

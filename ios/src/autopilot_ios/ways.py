"""Where one gets from where: makes each screen with what it needs, and puts it on the stage. Decides nothing else.

A screen's module is loaded when somebody first goes there: the first picture waits for the one that it shows.
"""

from __future__ import annotations

from collections.abc import Sequence

import flet as ft

from autopilot.client.alerts import Alert
from autopilot.client.app_core import AppCore
from autopilot.client.presenters import recoveries
from autopilot.client.presenters.labels import Label
from autopilot_ios.device.device import Device
from autopilot_ios.screen import Screen
from autopilot_ios.screens.more import MoreScreen, Place
from autopilot_ios.screens.workers import WorkersScreen
from autopilot_ios.shell import Shell, Tab, Warned

WORKERS, INBOX, NEW, MORE = "Workers", "Inbox", "New", "More"


class Ways:
    """The ways of one signed-in person on one phone."""

    def __init__(self, core: AppCore, device: Device, server: str) -> None:
        self._core = core
        self._device = device
        self._server = server
        self.shell: Shell

    def tabs(self) -> list[Tab]:
        """The places at the bottom."""
        return [
            Tab(WORKERS, ft.CupertinoIcons.DESKTOPCOMPUTER, self._workers),
            Tab(INBOX, ft.CupertinoIcons.TRAY, self._inbox),
            Tab(NEW, ft.CupertinoIcons.ADD, self._new),
            Tab(MORE, ft.CupertinoIcons.ELLIPSIS, self._more),
        ]

    # Ways.

    def worker(self, worker_id: str) -> None:
        """To a worker, from the list of them."""
        from autopilot_ios.screens.worker import WorkerScreen

        self.shell.go(WORKERS)

        def trace(request_id: str) -> None:
            self.trace(request_id, screen.route)

        screen = WorkerScreen(self._core, worker_id, self._device, on_answer=self.question, on_trace=trace)
        self.shell.push(screen)

    def question(self, approval_id: str) -> None:
        """To a question of Codex, in the inbox."""
        from autopilot_ios.screens.approval import ApprovalScreen

        self.shell.go(INBOX)
        self.shell.push(ApprovalScreen(self._core, approval_id, self._device, self.worker))

    def new(self) -> None:
        """To a new session."""
        self.shell.go(NEW)

    def team(self, team_id: str, name: str) -> None:
        """To a team; `name`: what it is called, empty where that is not known."""
        from autopilot_ios.screens.team import TeamScreen

        self.shell.push(TeamScreen(self._core, team_id, self._device, self, name=name))

    def policy(self, team_id: str) -> None:
        """To what binds on the machines of a team."""
        from autopilot_ios.screens.policy import PolicyScreen

        self.shell.push(PolicyScreen(self._core, team_id))

    def spend_of_teams(self) -> None:
        """To what was used for teams."""
        from autopilot_ios.screens.spend import SpendScreen

        self.shell.push(SpendScreen(self._core, self.worker, by="team"))

    def machine(self, machine_id: str) -> None:
        """To a machine."""
        from autopilot_ios.screens.machine import MachineScreen
        from autopilot_ios.screens.machine import Ways as MachineWays

        ways = MachineWays(worker=self.worker, new_session=self._new_on, threads=self._threads)
        self.shell.push(MachineScreen(self._core, machine_id, self._device, ways))

    def recovery(self, refusing: str | None = None) -> None:
        """To who is held; `refusing`: the device that is to be refused."""
        from autopilot_ios.screens.recovery import RecoveryScreen

        self.shell.push(RecoveryScreen(self._core, self._device, self.devices, refusing=refusing))

    def devices(self) -> None:
        """To where one is signed in."""
        from autopilot_ios.screens.devices import DevicesScreen

        self.shell.push(DevicesScreen(self._core, self._device, self))

    def guests(self) -> None:
        """To who looks on."""
        from autopilot_ios.screens.guests import GuestsScreen

        self.shell.push(GuestsScreen(self._core, self._device))

    def let_in(self) -> None:
        """To letting a device in."""
        from autopilot_ios.screens.letting_in import LettingInScreen

        self.shell.push(LettingInScreen(self._core, self._device))

    def held(self) -> Warned | None:
        """What stands on every screen while somebody is held who came in without a passkey."""
        told = self._core.view.overview.overview.recoveries
        holds = recoveries.of_frames(told, self._core.names.device)
        shown = recoveries.banner(holds)
        if shown is None:
            return None
        from autopilot_ios.screens.recovery import ROUTE, banner

        return Warned(shown, lambda: banner(shown, on_more=self.recovery, on_refuse=self.recovery), ROUTE)

    async def emergency(self) -> None:
        """To the emergency stop: two taps from anywhere."""
        from autopilot_ios.screens.emergency import EmergencyScreen

        self.shell.push(EmergencyScreen(self._core, self._device))

    def alert(self, alert: Alert) -> None:
        """Tell of something, with the way to it."""
        words = f"{alert.title}: {alert.body}" if alert.body else alert.title
        tone = "warn" if alert.kind in ("approval", "failure", "recovery") else "quiet"

        async def open_it() -> None:
            if alert.approval_id is not None:
                self.question(alert.approval_id)
            elif alert.worker_id is not None:
                self.worker(alert.worker_id)
            elif alert.kind == "recovery":
                self.recovery()

        leads = alert.approval_id or alert.worker_id or alert.kind == "recovery"
        self.shell.say(Label(words, tone), button="Open" if leads else None, on_click=open_it if leads else None)

    # Roots.

    def _workers(self) -> WorkersScreen:
        return WorkersScreen(self._core, self.worker, self.new)

    def _inbox(self) -> Screen:
        from autopilot_ios.screens.inbox import InboxScreen

        return InboxScreen(self._core, self.question)

    def _new(self) -> Screen:
        from autopilot_ios.screens.new_session import NewSessionScreen

        return NewSessionScreen(self._core, self._device, self.worker)

    def _more(self) -> MoreScreen:
        return MoreScreen(self._core.session.state, self._server, self._places())

    def _places(self) -> Sequence[Sequence[Place]]:
        from autopilot_ios.screens.places import places

        machines = Place(
            "Machines", "Where Codex runs, and who shares it", ft.CupertinoIcons.DEVICE_LAPTOP, self._machines
        )
        return [[machines], *places(self._core, self._device, self)]

    # Places.

    def _machines(self) -> Screen:
        from autopilot_ios.screens.machines import MachinesScreen

        return MachinesScreen(self._core, self.machine)

    def _new_on(self, machine_id: str) -> None:
        self._core.new_session.choose(machine_id)
        self.new()

    def _threads(self, machine_id: str) -> None:
        from autopilot_ios.screens.threads import ThreadsScreen

        self.shell.push(ThreadsScreen(self._core, machine_id, self._device, self.worker))

    def trace(self, request_id: str, under: str = "") -> None:
        """To every hop of a request; `under`: the route of the screen that leads there."""
        from autopilot_ios.screens.trace import TraceScreen

        self.shell.push(TraceScreen(self._core, request_id, self.worker, under=under))

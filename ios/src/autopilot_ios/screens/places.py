"""What lies behind More: the places that have no tab of their own."""

from __future__ import annotations

from typing import Protocol

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot_ios.device.device import Device
from autopilot_ios.screens.audit import AuditScreen
from autopilot_ios.screens.devices import DevicesScreen
from autopilot_ios.screens.diagnostics import DiagnosticsScreen
from autopilot_ios.screens.more import Place
from autopilot_ios.screens.policy import PolicyScreen
from autopilot_ios.screens.settings import SettingsScreen
from autopilot_ios.screens.spend import SpendScreen
from autopilot_ios.screens.teams import TeamsScreen


class Ways(Protocol):
    """Where one gets to from places: autopilot_ios.ways.Ways."""

    def trace(self, request_id: str, under: str) -> None:
        """To every hop of a request; `under`: the route of the screen that leads there."""
        ...

    def worker(self, worker_id: str) -> None:
        """To a worker."""
        ...

    def team(self, team_id: str, name: str) -> None:
        """To a team; `name`: what it is called, empty where that is not known."""
        ...

    def recovery(self) -> None:
        """To who is held."""
        ...

    def guests(self) -> None:
        """To who looks on."""
        ...

    def let_in(self) -> None:
        """To letting a device in."""
        ...


def places(core: AppCore, device: Device, ways: Ways) -> list[list[Place]]:
    """In groups."""
    icons = ft.CupertinoIcons
    return [
        [
            Place(
                "Spend",
                "What was used, and what is left",
                icons.CHART_BAR_ALT_FILL,
                lambda: SpendScreen(core, ways.worker),
            ),
            Place(
                "Policy",
                "What may be asked, and what is decided by rule",
                icons.DOC_CHECKMARK,
                lambda: PolicyScreen(core),
            ),
            Place(
                "Audit and trace",
                "Who did what, and every hop of a request",
                icons.LIST_BULLET,
                lambda: AuditScreen(core, lambda request_id: ways.trace(request_id, AuditScreen.route)),
            ),
        ],
        [
            Place(
                "Teams",
                "Who shares machines with you",
                icons.PERSON_2,
                lambda: TeamsScreen(core, device, ways.team),
            ),
            Place(
                "Devices",
                "Where you are signed in",
                icons.DEVICE_PHONE_PORTRAIT,
                lambda: DevicesScreen(core, device, ways),
            ),
            Place("Settings", "Face ID, notifications, this app", icons.GEAR, lambda: SettingsScreen(core, device)),
            Place(
                "Diagnostics",
                "Connections, what failed, a log to send on",
                icons.WAVEFORM_PATH_ECG,
                lambda: DiagnosticsScreen(
                    core, device, lambda request_id: ways.trace(request_id, DiagnosticsScreen.route)
                ),
            ),
        ],
    ]

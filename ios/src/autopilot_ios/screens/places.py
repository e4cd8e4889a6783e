"""What lies behind More: the places that have no tab of their own."""

from __future__ import annotations

from collections.abc import Callable

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


def places(
    core: AppCore, device: Device, on_trace: Callable[[str, str], None], on_open: Callable[[str], None]
) -> list[list[Place]]:
    """In groups.

    `on_trace`: with the id of a request to be followed and the route of the screen that leads there,
    `on_open`: with the id of a worker that was touched.
    """
    icons = ft.CupertinoIcons
    return [
        [
            Place(
                "Spend", "What was used, and what is left", icons.CHART_BAR_ALT_FILL, lambda: SpendScreen(core, on_open)
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
                lambda: AuditScreen(core, lambda request_id: on_trace(request_id, AuditScreen.route)),
            ),
        ],
        [
            Place(
                "Devices", "Where you are signed in", icons.DEVICE_PHONE_PORTRAIT, lambda: DevicesScreen(core, device)
            ),
            Place("Settings", "Face ID, notifications, this app", icons.GEAR, lambda: SettingsScreen(core, device)),
            Place(
                "Diagnostics",
                "Connections, what failed, a log to send on",
                icons.WAVEFORM_PATH_ECG,
                lambda: DiagnosticsScreen(
                    core, device, lambda request_id: on_trace(request_id, DiagnosticsScreen.route)
                ),
            ),
        ],
    ]

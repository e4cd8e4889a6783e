"""Who came in without a passkey and is held: each with its way out; and the banner of it, on every screen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.presenters import recoveries
from autopilot.client.presenters.recoveries import Banner, Hold
from autopilot.client.recovery_store import RecoveryStore
from autopilot_ios.look import blocks, figures, palette
from autopilot_ios.screens.acting import ActingScreen
from autopilot_ios.screens.phones import PhoneWays
from autopilot_ios.screens.sure import sure

ROUTE = "/recovery"


def banner(shown: Banner, *, on_more: Callable[[], None], on_refuse: Callable[[str], None]) -> ft.Control:
    """What stands on every screen; `on_refuse`: with the device."""
    refusable = shown.refusable
    icon = ft.Icon(ft.CupertinoIcons.EXCLAMATIONMARK_SHIELD_FILL, size=22, color=palette.RED)
    said = blocks.column(
        [blocks.words(shown.title, strong=True), blocks.footnote(f"{shown.detail} {shown.more}".strip(), lines=3)],
        gap=2,
    )
    said.expand = True
    ways = [blocks.button("More", key="held-more", on_click=on_more, expand=True)]
    if refusable is not None:
        ways = [
            blocks.button(
                "Refuse it", key="held-refuse", kind="alarm", on_click=lambda: on_refuse(refusable), expand=True
            ),
            *ways,
        ]
    head = ft.Row([icon, said], spacing=10, vertical_alignment=ft.CrossAxisAlignment.START)
    inside = blocks.column([head, ft.Row(ways, spacing=10)], gap=10)
    card = ft.Container(
        inside,
        key="held",
        padding=12,
        margin=ft.Margin(16, 6, 16, 6),
        border_radius=blocks.RADIUS,
        bgcolor=palette.tinted(palette.RED, 0.1),
    )
    return ft.Semantics(content=card, live_region=True)


class RecoveryScreen(ActingScreen):
    """See the module."""

    title, route, what = "Recovery", ROUTE, "Asking who is held…"

    def __init__(
        self, core: AppCore, hands: PhoneWays, on_devices: Callable[[], None], *, refusing: str | None = None
    ) -> None:
        """`refusing`: the device that somebody has just said to refuse; they are asked whether they mean it."""
        self._recovery = RecoveryStore(core.client)
        super().__init__(core, self._recovery, hands)
        self._on_devices = on_devices
        self._refusing = refusing

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(super().run())
            tasks.create_task(self._follow())

    async def refresh(self) -> None:
        """See Screen."""
        await super().refresh()
        refusing, self._refusing = self._refusing, None
        for hold in self._recovery.view.asked.value or ():
            if hold.device_id == refusing:
                self._ask_to_refuse(hold)

    async def _follow(self) -> None:
        """Look again when the stream tells that somebody came in, or is held no longer."""
        known = self.core.overview.view.overview.recoveries
        async for view in self.core.overview.changes():
            if view.overview.recoveries != known:
                known = view.overview.recoveries
                self.begin(self._recovery.look())

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        holds = self._recovery.view.asked.value
        if holds is None:
            return None
        nobody = blocks.section(
            "", [blocks.row(recoveries.NOBODY, key="nobody", icon=ft.CupertinoIcons.CHECKMARK_SHIELD, leads=False)]
        )
        devices = blocks.row(
            "Devices",
            key="devices",
            subtitle="Everything that is signed in",
            icon=ft.CupertinoIcons.DEVICE_PHONE_PORTRAIT,
            on_click=self._on_devices,
        )
        held = [self._held(hold) for hold in holds]
        return [*self.told(), *(held or [nobody]), blocks.section("", [devices])]

    def _held(self, hold: Hold) -> ft.Control:
        facts = [figures.fact(name, value) for name, value in recoveries.facts(hold, self.now)]
        is_doing = self._recovery.view.doing == hold.device_id
        return blocks.column(
            [
                blocks.words(hold.title, size=20, strong=True),
                blocks.section("", facts),
                blocks.words(f"{recoveries.COULD} {hold.advice}"),
                *([ft.CupertinoActivityIndicator(radius=10)] if is_doing else self._ways(hold)),
            ]
        )

    def _ways(self, hold: Hold) -> list[ft.Control]:
        if hold.is_here:
            return []
        return [
            blocks.button(
                "Refuse it",
                key=f"refuse-{hold.device_id}",
                kind="alarm",
                on_click=lambda: self._ask_to_refuse(hold),
                disabled=self.is_busy,
            ),
            blocks.button(
                "It is mine",
                key=f"confirm-{hold.device_id}",
                on_click=lambda: self._ask_to_confirm(hold),
                disabled=self.is_busy,
            ),
        ]

    def _ask_to_refuse(self, hold: Hold) -> None:
        async def go() -> None:
            await self.do("Refuse a device", lambda: self._recovery.refuse(hold))

        sure(self.stage, f"Refuse {hold.name}?", recoveries.REFUSING, button="Refuse it", on_click=go)

    def _ask_to_confirm(self, hold: Hold) -> None:
        async def go() -> None:
            await self.do("Confirm a device", lambda: self._recovery.confirm(hold))

        title = f"Is {hold.name} yours?"
        sure(self.stage, title, recoveries.CONFIRMING, button="It is mine", on_click=go, danger=False)

"""Where one is signed in: this phone, all others; renaming, confirming, signing out one of them or all others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.device_store import DeviceStore
from autopilot.client.presenters import devices as said
from autopilot.contract import Device
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import SHEET_SECONDS
from autopilot_ios.screens.looking import LookingScreen
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, is_theirs, trouble
from autopilot_ios.screens.sure import sure


class DevicesScreen(LookingScreen):
    """One's own."""

    title, route, what = "Devices", "/devices", "Loading your devices…"

    def __init__(self, core: AppCore, hands: PhoneWays) -> None:
        self._devices = DeviceStore(core.client)
        super().__init__(core, self._devices)
        self._hands = hands

    async def refresh(self) -> None:
        """See Screen."""
        await self._devices.look()

    def error(self) -> AutopilotError | None:
        """See LookingScreen."""
        return self._devices.view.asked.error

    def as_of(self) -> datetime | None:
        """See LookingScreen."""
        return self._devices.view.asked.as_of

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        view = self._devices.view
        if view.asked.value is None:
            return None
        told: list[ft.Control] = []
        if view.error is not None:
            told = [trouble(view.error, key="trouble")]
        elif view.said is not None:
            told = [blocks.notice(view.said, key="done")]
        others = [self._row(one) for one in view.others]
        nowhere = [ft.Container(blocks.footnote(said.NOWHERE_ELSE), padding=ft.Padding(16, 12, 16, 12))]
        all_others = blocks.button(
            "Sign out all others",
            key="revoke-others",
            kind="danger",
            on_click=self._sure_of_others,
            disabled=self._is_busy,
        )
        return [
            *told,
            blocks.section("This device", [self._row(one) for one in view.here]),
            blocks.section("Other devices", others or nowhere),
            *([all_others] if others else []),
        ]

    @property
    def _is_busy(self) -> bool:
        return self._devices.view.doing is not None

    def _row(self, device: Device) -> ft.Control:
        held = said.held(device)
        name = ft.Row(
            [
                ft.Container(blocks.words(self._name(device), size=16), expand=True),
                *([ft.CupertinoActivityIndicator(radius=8)] if self._devices.view.doing == device.device_id else []),
            ]
        )
        body = blocks.column(
            [
                name,
                blocks.footnote(said.about(device)),
                blocks.footnote(said.seen(device, self.now)),
                *([blocks.footnote(held, color=palette.ORANGE)] if held else []),
            ],
            gap=3,
        )
        return blocks.tappable(body, key=f"device-{device.device_id}", on_click=lambda: self._choose(device))

    def _name(self, device: Device) -> str:
        return said.name(device, self.core.names.machines)

    # What is done about one.

    def _choose(self, device: Device) -> None:
        name = blocks.field("Name", key="device-name", value=self._name(device))
        name.max_length = said.LONGEST_NAME

        async def rename() -> None:
            self.stage.dismiss()
            await self._do("Rename a device", lambda: self._devices.rename(device, name.value or ""))

        async def confirm() -> None:
            self.stage.dismiss()
            await self._do("Confirm a device", lambda: self._devices.confirm(device))

        async def leave() -> None:
            await self._sure_of(device)

        rows: list[ft.Control] = [
            blocks.labelled(name, "Name"),
            blocks.button("Rename", key="rename", kind="primary", on_click=rename),
        ]
        if device.held_until and not device.current:
            rows += [blocks.button("It is mine", key="confirm", on_click=confirm)]
        if not device.current:
            rows += [
                blocks.button("Sign out", key="revoke", kind="danger", on_click=leave),
                blocks.footnote(said.leaving(device)),
            ]
        self.stage.sheet(self._name(device), ft.ListView([blocks.column(rows)], padding=16, expand=True))

    async def _sure_of(self, device: Device) -> None:
        self.stage.dismiss()
        await self.core.client.clock.sleep(SHEET_SECONDS)

        async def go() -> None:
            await self._do("Sign a device out", lambda: self._devices.revoke(device))

        title = f"Sign out {self._name(device)}?"
        sure(self.stage, title, said.leaving(device), button="Sign out", on_click=go)

    def _sure_of_others(self) -> None:
        async def go() -> None:
            await self._do("Sign all other devices out", self._devices.revoke_others)

        sure(self.stage, "Sign out all others?", said.SIGN_OUT_OTHERS, button="Sign out", on_click=go)

    async def _do(self, reason: str, work: Callable[[], Awaitable[bool]]) -> None:
        if not await is_theirs(self.core, self._hands, reason):
            self.stage.say(NOT_OWNER)
            return
        await (self._hands.succeeded() if await work() else self._hands.failed())

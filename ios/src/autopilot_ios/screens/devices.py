"""Where one is signed in: this phone, all others; renaming, confirming, signing out one of them or all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.device_store import DeviceStore
from autopilot.client.presenters import devices as said
from autopilot.contract import Device
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import SHEET_SECONDS
from autopilot_ios.screens.acting import ActingScreen
from autopilot_ios.screens.phones import PhoneWays
from autopilot_ios.screens.sure import sure


class Ways(Protocol):
    """Where one gets to from there."""

    def recovery(self) -> None:
        """To who is held."""
        ...

    def guests(self) -> None:
        """To who looks on."""
        ...

    def let_in(self) -> None:
        """To letting a device in."""
        ...


class DevicesScreen(ActingScreen):
    """One's own."""

    title, route, what = "Devices", "/devices", "Loading your devices…"

    def __init__(self, core: AppCore, hands: PhoneWays, ways: Ways) -> None:
        self._devices = DeviceStore(core.client)
        super().__init__(core, self._devices, hands)
        self._ways = ways

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        view = self._devices.view
        if view.asked.value is None:
            return None
        others = [self._row(one) for one in self._devices.others]
        nowhere = [blocks.padded(blocks.footnote(said.NOWHERE_ELSE))]
        letting_in = blocks.row(
            "Let a device in",
            key="let-in",
            subtitle="A phone, a browser or a machine, by having it before you",
            icon=ft.CupertinoIcons.LINK,
            on_click=self._ways.let_in,
        )
        guests = blocks.row(
            "Guests",
            key="guests",
            subtitle="Show single sessions to somebody without an account",
            icon=ft.CupertinoIcons.EYE,
            on_click=self._ways.guests,
        )
        all_others = blocks.button(
            "Sign out all others",
            key="revoke-others",
            kind="danger",
            on_click=self._sure_of_others,
            disabled=self.is_busy,
        )
        return [
            *self.told(),
            *self._held(view.asked.value),
            blocks.section("This device", [self._row(one) for one in self._devices.here]),
            blocks.section("Other devices", others or nowhere),
            *([all_others] if others else []),
            blocks.section("", [letting_in, guests]),
        ]

    def _held(self, devices: Sequence[Device]) -> list[ft.Control]:
        if not any(one.held_until for one in devices):
            return []
        way = blocks.row(
            said.HELD_ONE,
            key="recovery",
            icon=ft.CupertinoIcons.EXCLAMATIONMARK_SHIELD,
            icon_color=palette.ORANGE,
            on_click=self._ways.recovery,
        )
        return [blocks.section("", [way])]

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
            await self.do("Rename a device", lambda: self._devices.rename(device, name.value or ""))

        async def confirm() -> None:
            self.stage.dismiss()
            await self.do("Confirm a device", lambda: self._devices.confirm(device))

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
            await self.do("Sign a device out", lambda: self._devices.revoke(device))

        title = f"Sign out {self._name(device)}?"
        sure(self.stage, title, said.leaving(device), button="Sign out", on_click=go)

    def _sure_of_others(self) -> None:
        async def go() -> None:
            await self.do("Sign all other devices out", self._devices.revoke_others)

        sure(self.stage, "Sign out all others?", said.SIGN_OUT_OTHERS, button="Sign out", on_click=go)

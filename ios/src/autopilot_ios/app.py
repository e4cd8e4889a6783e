"""Composition: the phone, the client core and the shell meet here, and nowhere else.

One page is one phone. Somebody who is not signed in sees the way in; then the core runs for as long as they are, and
the shell draws it. The app going to the background and coming back, the network changing, a link that opens the app:
all of that is passed on from here. Decides nothing.
"""

from __future__ import annotations

import asyncio

import flet as ft

from autopilot.client.keychain import Keychain, KeychainTokenStore
from autopilot.client.signing_in import SigningIn
from autopilot_ios.device.device import Device
from autopilot_ios.look import palette
from autopilot_ios.screens.welcome import Welcome

MARKER = "installed"
"""A file that goes with the app, as the Keychain does not."""


async def main(page: ft.Page) -> None:
    """What Flet calls for each page."""
    await App(page, Device.of(page)).run()


class App:
    """The app on one phone."""

    def __init__(self, page: ft.Page, device: Device) -> None:
        self._page = page
        self._device = device

    async def run(self) -> None:
        """Until the page is closed."""
        palette.paint(self._page)
        keychain = await Keychain.opened(self._device.keychain, marker=self._device.storage / MARKER)
        while True:
            if KeychainTokenStore(keychain).load() is None:
                await self._come_in(keychain)
            await asyncio.Event().wait()

    async def _come_in(self, keychain: Keychain) -> None:
        """Until somebody is signed in."""
        signing_in = SigningIn(keychain, device_name=await self._device.name(), platform=self._device.platform)
        done = asyncio.Event()
        end = signing_in.subscribe(lambda view: done.set() if view.step == "done" else None)
        stop_drawing = Welcome(self._page, signing_in).show()
        try:
            await done.wait()
        finally:
            stop_drawing()
            end()

"""The phone: one object with everything that the app asks of it.

A browser, where the app is tested, lacks some of it (Face ID, haptics do nothing there): what is lacking is said by
`None` or does nothing, never an error on a screen.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import flet as ft
import flet_local_auth as fla

from autopilot.client import log
from autopilot.client.presenters.visible import whole
from autopilot_ios.device.keychain import Keychain

STORAGE_VARIABLE = "FLET_APP_STORAGE_DATA"
"""Where Flet says that an app's own files are to be; on an iPhone it is not shared and leaves with the app."""


class Device:
    """What this phone is and can."""

    def __init__(self, page: ft.Page, *, keychain: Keychain, storage: Path) -> None:
        self._page = page
        self.keychain = keychain
        self.storage = storage
        self._haptics = ft.HapticFeedback()
        self._clipboard = ft.Clipboard()
        self._share = ft.Share()
        self._links = ft.UrlLauncher()
        self._network = ft.Connectivity()
        self._face = None if page.web or page.platform is ft.PagePlatform.LINUX else fla.LocalAuthentication()

    @classmethod
    def of(cls, page: ft.Page) -> Device:
        """This one."""
        return cls(page, keychain=Keychain(), storage=Path(os.environ[STORAGE_VARIABLE]))

    @property
    def platform(self) -> str:
        """As the server lists it."""
        return "ios" if self._page.platform is ft.PagePlatform.IOS else "other"

    @property
    def is_phone(self) -> bool:
        """Whether this is an iPhone or iPad, with fonts, a Keychain and an engine for haptics of its own."""
        return self._page.platform is ft.PagePlatform.IOS and not self._page.web

    async def name(self) -> str:
        """What its owner calls it, as far as the system tells."""
        try:
            info = await self._page.get_device_info()
        except (ft.FletException, RuntimeError, TimeoutError) as error:
            log.record("device.unnamed", error=type(error).__name__)
            return "iPhone"
        return getattr(info, "name", None) or "iPhone"

    # Haptics: something went well, something did not.

    async def succeeded(self) -> None:
        """A light tap."""
        if self.is_phone:
            await self._haptics.light_impact()

    async def failed(self) -> None:
        """A heavy one."""
        if self.is_phone:
            await self._haptics.heavy_impact()

    # The network.

    def on_network(self, changed: Callable[[bool], None]) -> None:
        """Call `changed` with whether there is a network, whenever the system says that it is another."""

        def told(event: ft.ConnectivityChangeEvent) -> None:
            changed(any(kind is not ft.ConnectivityType.NONE for kind in event.connectivity))

        self._network.on_change = told
        self._network.update()

    # Face ID.

    async def has_face(self) -> bool:
        """Whether somebody can be asked to look at it, or for the passcode."""
        return self._face is not None and await self._face.is_device_supported()

    async def is_owner(self, reason: str) -> bool:
        """Whether the owner is there, as the phone finds out; True where it can't find out."""
        if self._face is None:
            return True
        try:
            return await self._face.authenticate(reason)
        except fla.LocalAuthException as error:
            log.record("device.not_the_owner", code=str(error))
            return False

    # Elsewhere.

    async def copy(self, text: str) -> None:
        """Put it on the clipboard."""
        await self._clipboard.set(whole(text))

    async def share(self, text: str, *, title: str) -> None:
        """Offer it to other apps."""
        await self._share.share_text(whole(text), title=title)

    async def open(self, url: str) -> None:
        """Open a web page in the browser; anything else stays closed."""
        if url.startswith(("https://", "http://")):
            await self._links.launch_url(url)

"""The whole app on a phone of the tests, as Flet would run it. Loads nothing of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.ios.phone import Phone

from autopilot_ios.app import App
from autopilot_ios.device.device import Device
from autopilot_ios.device.keychain import Keychain


class Secrets:
    """A phone's Keychain, as a dict."""

    def __init__(self, held: dict[str, str]) -> None:
        self._held = held

    async def get(self, key: str) -> str | None:
        return self._held.get(key)

    async def set(self, key: str, value: str) -> None:
        self._held[key] = value

    async def remove(self, key: str) -> None:
        self._held.pop(key, None)


@asynccontextmanager
async def running(held: Phone, storage: Path) -> AsyncIterator[Phone]:
    """The app is opened on this phone; at the end its process is gone."""
    app = App(held.page, Device(held.page, keychain=Keychain(), storage=storage))
    task = asyncio.ensure_future(app.run())  # noqa: TID251 - as Flet runs a main function
    try:
        yield held
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

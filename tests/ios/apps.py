"""The whole app on a phone of the tests, as Flet would run it, over a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.api.contract.world import World
from tests.ios.phone import Phone

from autopilot.client import Session
from autopilot.client.keychain import Kept, KeychainTokenStore
from autopilot_ios.app import MARKER, App
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


async def signed_in(world: World, email: str, storage: Path, url: str | None = None) -> dict[str, str]:
    """What the Keychain of a phone holds on which this person signed in; `url`: by which way it reaches the server."""
    held: dict[str, str] = {}
    store = await KeychainTokenStore.opened(Secrets(held))
    async with Session(url or world.api.url, store, surface="ios") as session:
        code = await world.api.code_for(email)
        await session.verify(code, email=email, device_name="Phone", device_platform="ios", with_key=True)
    await store.keychain.put(Kept.SERVER, url or world.api.url)
    _mark(storage)
    return held


def _mark(storage: Path) -> None:
    """The app was opened before: what the Keychain holds is its own."""
    storage.mkdir(parents=True, exist_ok=True)
    (storage / MARKER).touch()


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

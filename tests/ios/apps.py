"""Phones of the tests on which somebody is signed in, at a real server."""

from __future__ import annotations

from pathlib import Path

from tests.api.contract.world import World
from tests.ios.opening import Secrets, running

from autopilot.client import Session
from autopilot.client.keychain import Kept, KeychainTokenStore
from autopilot_ios.app import MARKER

__all__ = ["running", "signed_in"]


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

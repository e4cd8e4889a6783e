"""Letting a device in, as a finger does it: its code typed, the words of both screens compared, a yes, and its name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests.api.contract.conftest import opened
from tests.api.contract.world import World, person
from tests.ios.apps import signed_in
from tests.phone.glass import Glass, glass, served
from tests.phone.test_places_behind_glass import Inside, app, place
from tests.waiting import until

from autopilot.client import MemoryTokenStore
from autopilot.client.http import Http
from autopilot.client.pairing import Joiner
from autopilot.client.pairing_words import words_of
from autopilot.contract import PairingDevice
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e
LAPTOP = "Laptop of the attic"


@asynccontextmanager
async def joining(world: World) -> AsyncIterator[Joiner]:
    """The other side: a browser that wants to come in."""
    http = Http(world.api.url, tokens=None, surface="web")
    yield Joiner(http, PairingDevice(device_name=LAPTOP, device_platform="Firefox on Debian"))
    await http.aclose()


async def compared(held: Glass, joiner: Joiner) -> None:
    """Until the glass shows the four words that the other side shows, each by itself."""

    async def words() -> tuple[str, ...] | None:
        return words_of(await joiner.step())

    for word in await until(words, between_seconds=0.5):
        await held.sees(word)
    await held.sees(f"{LAPTOP} wants to come in")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_what_shows_its_code_is_let_in_by_its_words_and_listed_by_its_name(
    launched: Browser, cluster: TestCluster, tmp_path: Path, theme: str
):
    inside = Inside()
    async with opened("one process", cluster) as world, joining(world) as joiner:
        ada = await person(world, "ada")
        secrets = await signed_in(world, ada.email, tmp_path / "app")
        started = await joiner.request("device")
        async with (
            served(app(world, secrets, tmp_path, inside), tmp_path) as url,
            glass(launched, "phone", theme) as held,
        ):
            await held.switch_on(url)
            await place(held, inside, "Devices", "This device")
            await held.button("Let a device in").first.click()
            await held.sees("Enter its code")
            await held.type("Code", started.code)
            await held.button("Go on").click()
            await compared(held, joiner)
            await held.picture("let-in-words")
            await held.button("Yes, let it in").click()
            await held.sees("You said yes. It comes in…")
            await joiner.step()
            await joiner.collect(MemoryTokenStore())
            await held.sees("It is in.")
            await held.button("Back").first.click()
            await held.sees("Let a device in")
            await held.sees(LAPTOP)
            await held.picture("let-in-listed")
            assert held.complaints == []

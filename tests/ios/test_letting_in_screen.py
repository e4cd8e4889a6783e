"""Letting a device in from the phone, over a real server, with the other side there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.api.contract.world import Person, World
from tests.ios.phone import Phone
from tests.ios.test_places import at, to
from tests.ios.test_proof_asked_for import held as long_signed_in
from tests.waiting import until

from autopilot.client import MemoryTokenStore
from autopilot.client.http import Http
from autopilot.client.pairing import Joiner
from autopilot.client.pairing_words import words_of
from autopilot.contract import PairingDevice

pytestmark = pytest.mark.slow


@pytest.fixture
async def joiner(world: World) -> AsyncIterator[Joiner]:
    http = Http(world.api.url, tokens=None, surface="cli")
    yield Joiner(http, PairingDevice(device_name="Laptop", device_platform="Debian"))
    await http.aclose()


async def opened(held: Phone) -> None:
    await until(lambda: held.has("let-in"), within_seconds=30)
    await held.tap("let-in")
    await until(lambda: held.has("find"), within_seconds=30)


async def compared(held: Phone, joiner: Joiner) -> None:
    """Until the phone asks, with the words that the other side shows."""

    async def asks() -> bool:
        words = words_of(await joiner.step())
        return held.has("accept") and words is not None and all(held.shows(word) for word in words)

    await until(asks, within_seconds=30)


async def test_what_shows_its_code_is_let_in(world: World, ada: Person, joiner: Joiner, tmp_path: Path):
    async with at("devices", world, ada, tmp_path) as held:
        await opened(held)
        await held.type("pair-code", "0000-0000")
        await held.tap("find")
        await until(lambda: held.has("trouble"), within_seconds=30)
        started = await joiner.request("device")
        await held.type("pair-code", started.code)
        await held.tap("find")
        await compared(held, joiner)
        assert held.shows("Laptop wants to come in")
        await held.tap("accept")
        await held.waits_for("You said yes.")
        await joiner.step()
        await joiner.collect(MemoryTokenStore())
        await held.waits_for("It is in.")


async def test_a_code_is_shown_and_words_that_differ_let_nothing_in(
    world: World, ada: Person, joiner: Joiner, tmp_path: Path
):
    async with at("devices", world, ada, tmp_path) as held:
        await opened(held)
        await held.tap("offer")
        await until(lambda: held.has("code"), within_seconds=30)
        await joiner.claim(held.find("code").value)
        await compared(held, joiner)
        await held.tap("decline")
        await held.waits_for("It was not let in.")
        assert (await joiner.step()).state == "declined"
        await held.tap("anew")
        await until(lambda: held.has("find"))


@asynccontextmanager
async def compared_by_one_long_signed_in(
    world: World, ada: Person, joiner: Joiner, storage: Path
) -> AsyncIterator[object]:
    async with long_signed_in(world, ada, storage) as owner:
        await to(owner.phone, "devices")
        await opened(owner.phone)
        await owner.phone.tap("offer")
        await until(lambda: owner.phone.has("code"), within_seconds=30)
        await joiner.claim(owner.phone.find("code").value)
        await compared(owner.phone, joiner)
        yield owner


async def test_the_yes_takes_a_proof_and_without_it_nothing_came_in(
    world: World, ada: Person, joiner: Joiner, tmp_path: Path
):
    async with compared_by_one_long_signed_in(world, ada, joiner, tmp_path) as owner:
        owner.taps("accept")
        await owner.phone.waits_for("Is it you?")
        await owner.phone.tap("step-up-cancel")
        await owner.is_over()
        await until(lambda: owner.phone.has("trouble"), within_seconds=30)
        assert (await joiner.step()).state == "compared", "nobody has let it in"
        owner.taps("accept")
        await owner.proves()
        await owner.phone.waits_for("You said yes.")

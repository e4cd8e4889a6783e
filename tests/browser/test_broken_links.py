"""What a screen says, and keeps, while the network does what networks do: nothing lost, nothing twice, no lie."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Route, expect
from tests.api.contract.world import World
from tests.browser.served import Desk, desk
from tests.waiting import until

from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy

pytestmark = pytest.mark.slow
HELLO_BYTES = 700
"""About what a stream brings before it stalls: its head, and the first frames."""


@pytest.fixture
async def proxy(world: World) -> AsyncIterator[FaultProxy]:
    at = urlsplit(world.api.url)
    async with FaultProxy(str(at.hostname), int(at.port or 0)) as between:
        yield between


@pytest.fixture
async def ada(world: World, launched: Browser, proxy: FaultProxy) -> AsyncIterator[Desk]:
    async with desk(world, launched, proxy.url) as made:
        await made.say("#0", 0)
        await made.visit.page.clock.install()
        await made.visit.open(f"/w/{made.person.worker_id}")
        yield made


def state(ada: Desk, name: str) -> object:
    return expect(ada.visit.page.locator("#state")).to_have_attribute("data-state", name)


async def all_there(ada: Desk, count: int) -> None:
    """Every message is on the screen, once, in order."""
    await expect(ada.visit.page.get_by_text(f"#{count - 1} ", exact=False).last).to_be_visible(timeout=30_000)
    assert await ada.numbers() == list(range(count))


async def test_a_page_connects_first_and_only_then_connects_again(world: World, proxy: FaultProxy, launched: Browser):
    asked, let_in = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await let_in.wait()
        await route.continue_()

    async with desk(world, launched, proxy.url) as ada:
        line = ada.visit.page.locator("#state")
        await ada.visit.page.route("**/live*", late)
        await ada.visit.open("/", live=False)
        await asked.wait()
        await expect(line).to_have_text(re.compile("^Connecting… · since"))
        let_in.set()
        await expect(line).to_have_text("Live")
        proxy.plan = lambda _number: Fault("refuse")
        proxy.cut_all()
        await expect(line).to_have_text(re.compile("^Reconnecting… · since"))


async def test_after_cuts_everything_is_there_once(ada: Desk, proxy: FaultProxy):
    for round_ in range(5):
        await ada.say(f"#{2 * round_ + 1} before the cut", 2 * round_ + 1)
        proxy.cut_all()
        await ada.say(f"#{2 * round_ + 2} during the cut", 2 * round_ + 2)
        await ada.visit.page.clock.run_for(3000)
        await state(ada, "live")
    await all_there(ada, 11)


@pytest.mark.parametrize("kind", ["stall", "half_open"])
async def test_a_stall_is_told_within_ten_seconds_and_mended(ada: Desk, proxy: FaultProxy, kind: str):
    proxy.silenced.clear()
    proxy.plan = lambda _number: Fault(kind, HELLO_BYTES)
    proxy.cut_all()
    await ada.visit.page.clock.run_for(1500)
    await proxy.silenced.wait()
    await ada.say("#1 nobody hears this yet", 1)
    await ada.visit.page.clock.run_for(9900)
    assert await ada.visit.page.locator("#state").get_attribute("data-state") != "live"
    assert await ada.numbers() == [0]  # what was known stays on the screen
    proxy.plan = lambda _number: HEALTHY
    await ada.visit.page.clock.run_for(12_000)
    await state(ada, "live")
    await all_there(ada, 2)


async def test_a_server_that_is_away_is_told_and_found_again(ada: Desk, proxy: FaultProxy):
    proxy.plan = lambda _number: Fault("refuse")
    proxy.cut_all()
    await until(lambda: proxy.connections == 0)
    await ada.visit.page.clock.run_for(19_000)
    await state(ada, "offline")
    assert await ada.numbers() == [0]
    await ada.say("#1 meanwhile", 1)
    proxy.plan = lambda _number: HEALTHY
    await ada.visit.page.clock.run_for(12_000)
    await state(ada, "live")
    await all_there(ada, 2)


async def test_resync_loads_the_screen_anew_whatever_was_wrong_with_it(ada: Desk):
    await ada.say("#1 said", 1)
    await expect(ada.visit.page.get_by_text("#1 said")).to_be_visible()
    await ada.visit.page.evaluate("document.querySelectorAll('#timeline article').forEach((one) => one.remove())")
    await ada.visit.page.get_by_role("button", name="Resync").click()
    await all_there(ada, 2)
    await ada.say("#2 and goes on", 2)
    await all_there(ada, 3)

"""410, 429 and 503 in Chromium: each its own plain sentence and a way out, and what was typed is still there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from tests.api.contract.conftest import KEY, SETTINGS
from tests.api.contract.world import World
from tests.api.served import serving
from tests.browser.served import Desk, desk
from tests.waiting import until

from autopilot.api.forward import SignedHttpPort
from autopilot.api.settings import ApiSettings, Limits
from autopilot.ops.clock import SystemClock
from autopilot.ops.serve import Server
from autopilot.runtime import app as runtime_app
from autopilot.runtime.http import app as runtime_http
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.slow
WORDS = "Mend the clock, and say how."
BURST, SECONDS_EACH = 150, 300
"""Calls that a session may make at once, and how long it then waits for the next: nobody waits that long."""
RATE_LIMITED = 429
SPARING = ApiSettings(
    sign_ins_per_minute=1e6, client_per_second=1 / SECONDS_EACH, executor_per_second=1e6, sign_up="open"
)


@dataclass
class Between:
    """A server whose runtime is another process's, and what is between them."""

    world: World
    wire: FaultProxy


@pytest.fixture(scope="module")
async def between(cluster: TestCluster) -> AsyncIterator[Between]:
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(cluster.database())
        runtime = await stack.enter_async_context(await runtime_app.build(SETTINGS, dsn=dsn))
        stopping = asyncio.Event()
        app = runtime_http.build(runtime, keys={KEY.key_id: KEY.secret}, clock=SystemClock(), stopping=stopping)
        at = urlsplit((await stack.enter_async_context(Server(app, stopping=stopping).running())).url)
        wire = await stack.enter_async_context(FaultProxy(str(at.hostname), int(at.port or 0)))
        port = SignedHttpPort(wire.url, KEY, SystemClock())
        stack.push_async_callback(port.aclose)
        limits = Limits(burst_seconds=BURST * SECONDS_EACH, sessions_per_user=100.0)
        api = await stack.enter_async_context(serving(dsn, port, settings=SPARING, limits=limits, with_web=True))
        yield Between(World(api, runtime), wire)


@pytest.fixture
async def ada(between: Between, launched: Browser) -> AsyncIterator[Desk]:
    """Somebody who has written a message, and not sent it."""
    async with desk(between.world, launched) as made:
        await made.say("#1 said", 1)
        page = await made.visit.open(f"/w/{made.person.worker_id}")
        await page.locator("#say").fill(WORDS)
        yield made


def notice(page: Page) -> Locator:
    return page.locator("#notices .notice")


async def looked_at(ada: Desk, name: str) -> list[str]:
    """What is wrong with this screen, by day and by night; its pictures."""
    problems: list[str] = []
    for theme in ("light", "dark"):
        await ada.visit.page.emulate_media(color_scheme=theme)
        ada.visit.theme = theme
        problems += await ada.visit.problems(name)
    return problems


async def test_410_a_log_that_was_taken_back_is_said_and_read_anew(ada: Desk):
    page = ada.visit.page
    await page.evaluate("document.getElementById('timeline').dataset.seq = 999")  # as far as it was before
    await page.evaluate("document.querySelector('#timeline article').dataset.before = 'yes'")
    await page.evaluate("dispatchEvent(new Event('online'))")  # it connects again
    await expect(notice(page)).to_have_count(1)
    await expect(notice(page)).to_contain_text("The server's log was taken back, by a restored backup.")
    await expect(notice(page)).to_contain_text("It is read anew.")
    await expect(page.locator("#timeline article:not([data-before])").first).to_be_visible()
    await expect(page.locator("#timeline article[data-before]")).to_have_count(0)
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")
    await ada.say("#2 and on it goes", 2)
    await expect(page.get_by_text("#2 and on it goes")).to_be_visible()
    await expect(page.locator("#say")).to_have_value(WORDS)
    assert await looked_at(ada, "refused-410") == []
    await page.get_by_role("button", name="Dismiss").click()
    await expect(notice(page)).to_have_count(0)


async def spent(ada: Desk) -> None:
    """The session has asked for all that it may."""
    asking, refused = ada.visit.context.request, False
    while not refused:
        answers = await asyncio.gather(*(asking.get(f"{ada.visit.url}/rows") for _ in range(20)))
        refused = any(answer.status == RATE_LIMITED for answer in answers)


async def test_429_says_how_long_to_wait_and_keeps_what_was_typed(ada: Desk):
    page = ada.visit.page
    await spent(ada)
    request_id = await page.locator("#say-id").input_value()
    await page.get_by_role("button", name="Send").click()
    await expect(notice(page)).to_contain_text("This device asks too much at once.")
    await expect(notice(page)).to_contain_text("Try again in ")
    await expect(page.locator("#say")).to_have_value(WORDS)
    await expect(page.locator("#say-id")).to_have_value(request_id)  # it may have arrived: sent again it is no second
    assert await looked_at(ada, "refused-429") == []
    await page.goto(f"{ada.visit.url}/spend")
    await expect(page.get_by_role("heading", name="This device asks too much at once")).to_be_visible()
    await expect(page.get_by_role("link", name="Try again")).to_have_attribute("href", "/spend")
    assert await looked_at(ada, "refused-429-page") == []


async def test_503_says_what_is_away_and_the_same_is_sent_once_it_is_back(ada: Desk, between: Between):
    page = ada.visit.page
    between.wire.plan = lambda _number: Fault("refuse")
    between.wire.cut_all()
    await until(lambda: between.wire.connections == 0)
    await page.get_by_role("button", name="Send").click()
    await expect(notice(page)).to_contain_text("The ledger can't be reached.")
    await expect(page.get_by_role("alert").filter(has_text="Not sent")).to_be_visible()
    await expect(page.locator("#say")).to_have_value(WORDS)
    assert await looked_at(ada, "refused-503") == []
    between.wire.plan = lambda _number: HEALTHY
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("list", name="What you sent").get_by_role("listitem")).to_have_count(1)
    await expect(page.locator("#say")).to_have_value("")
    await expect(page.get_by_role("alert").filter(has_text="Not sent")).to_be_hidden()

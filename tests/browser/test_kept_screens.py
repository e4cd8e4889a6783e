"""The installed app without a network: what it kept, in the looks of now, for nobody after the sign-out."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect
from tests.api.contract.world import World
from tests.browser.screens import PATIENCE_MS
from tests.browser.served import Desk, desk

pytestmark = pytest.mark.slow
expect.set_options(timeout=PATIENCE_MS)
DARK = "rgb(0, 0, 0)"
KEPT = "async () => [...Object.keys(localStorage), ...(await caches.keys()).filter((one) => one.startsWith('pages-'))]"


@pytest.fixture
async def ada(world: World, launched: Browser) -> AsyncIterator[Desk]:
    """Somebody whose service worker has hold of the page."""
    async with desk(world, launched) as made:
        page = await made.visit.open("/")
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        await made.visit.open("/")
        yield made


async def background(page: Page) -> str:
    return await page.evaluate("getComputedStyle(document.body).backgroundColor")


async def test_what_was_kept_is_shown_in_the_looks_that_were_chosen_since(ada: Desk):
    page = await ada.visit.open("/settings")
    await page.get_by_role("radio", name="Dark").check()
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")
    await ada.visit.context.set_offline(True)
    await page.goto(f"{ada.visit.url}/spend")  # never looked at
    await expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    assert await background(page) == DARK
    await page.goto(f"{ada.visit.url}/")  # kept by day
    await expect(page.get_by_role("list", name="Workers").get_by_role("listitem")).to_have_count(1)
    assert await background(page) == DARK
    await expect(page.locator("#state")).to_contain_text("Offline")


async def test_who_signs_out_leaves_no_screen_and_no_draft_behind(ada: Desk):
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    await page.get_by_role("textbox", name="Message").fill("Half a thought")
    left = await page.evaluate(KEPT)
    assert [one for one in left if one.startswith("pages-")]
    assert len(left) > 1
    await ada.visit.open("/more")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Autopilot")).to_be_visible()
    assert await page.evaluate(KEPT) == []


async def test_a_newer_version_is_gone_to_at_the_next_step(ada: Desk):
    page = await ada.visit.open("/")
    await page.evaluate("document.body.dataset.version = 'older'")  # as if the server had been replaced since
    await page.get_by_role("button", name="Resync").click()
    await expect(page.locator("body[data-newer]")).to_be_visible()
    await page.get_by_role("navigation", name="Main").get_by_role("link", name=re.compile("^Inbox")).click()
    await page.wait_for_url("**/inbox")
    await expect(page.locator("body:not([data-version=older])")).to_be_visible()  # a whole page, no piece in an old one

"""A browser whose session ends: by its own sign-out, or from elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, Request, Route, expect
from tests.browser.screens import PATIENCE_MS
from tests.browser.served import Desk
from tests.waiting import until

pytestmark = pytest.mark.e2e
expect.set_options(timeout=PATIENCE_MS)

KEPT = "async () => (await caches.keys()).filter((name) => name.startsWith('pages-'))"
SHOWN = """(is) => {
    Object.defineProperty(document, "hidden", { value: !is, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
"""As if the tab went behind others, and came back."""
CONTROLLED = "() => navigator.serviceWorker.controller !== null"


async def kept_page(ada: Desk) -> Page:
    """The list of devices, kept for the time without network."""
    page = await ada.visit.open("/devices")
    await page.wait_for_function(CONTROLLED)
    await ada.visit.open("/devices")
    await until(lambda: page.evaluate(KEPT))
    return page


@asynccontextmanager
async def answered_late(page: Page, path: str) -> AsyncIterator[None]:
    """What is posted there is answered when the stream has ended."""
    over = asyncio.Event()
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")

    def ended(request: Request) -> None:
        if request.url.endswith("/live"):
            over.set()

    async def answer_late(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        await over.wait()
        await route.fulfill(response=answer)

    page.on("requestfinished", ended)
    page.on("requestfailed", ended)
    await page.route(f"**{path}", answer_late)
    yield


async def test_the_answer_to_a_sign_out_arrives_though_the_stream_tells_of_its_end_first(ada: Desk):
    page = await kept_page(ada)
    async with answered_late(page, "/sign-out"):
        await page.get_by_role("button", name="Sign out", exact=True).first.click()
        await page.wait_for_url(f"{ada.visit.url}/sign-in")

    await until(lambda: nothing_kept(page))
    assert await ada.visit.context.cookies() == []


async def test_a_browser_signed_out_from_elsewhere_keeps_no_screen_and_every_draft(ada: Desk):
    page = await kept_page(ada)
    await ada.visit.open(f"/w/{ada.person.worker_id}")
    await page.locator("#say").fill("not sent yet")
    assert (await ada.person.post("/api/devices/revoke-others")).status_code == 200

    await page.wait_for_url(f"{ada.visit.url}/sign-in?next=*")
    await until(lambda: nothing_kept(page))
    drafts = await page.evaluate("() => Object.entries(localStorage).filter(([key]) => key.startsWith('draft.'))")
    assert [words for _, words in drafts] == ["not sent yet"]


async def nothing_kept(page: Page) -> bool:
    return await page.evaluate(KEPT) == []


async def test_the_answer_to_an_accounts_deletion_arrives_though_the_stream_tells_of_its_end_first(ada: Desk):
    page = await kept_page(ada)
    await page.evaluate("() => localStorage.setItem('draft.somebody.w', 'not sent yet')")
    await ada.visit.open("/devices/delete")
    await page.get_by_role("textbox").fill("delete")
    async with answered_late(page, "/devices/delete"):
        await page.get_by_role("button", name="Delete").click()
        await page.wait_for_url(f"{ada.visit.url}/sign-in")

    assert await ada.visit.context.cookies() == []
    assert await page.evaluate("() => Object.keys(localStorage)") == []


async def test_a_tab_that_slept_while_another_signed_out_wakes_at_the_sign_in(ada: Desk):
    page = await ada.visit.open("/machines")
    await page.evaluate(SHOWN, False)
    await ada.visit.context.clear_cookies()
    await page.evaluate(SHOWN, True)
    await page.wait_for_url(f"{ada.visit.url}/sign-in?next=%2Fmachines")

"""One screen after another in a tab, one person after another in a browser: nothing of the first is in the second."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Route, expect
from tests.api.contract.world import World, person
from tests.browser.screens import sign_in
from tests.browser.served import Desk, desk

pytestmark = pytest.mark.slow
OVERHEARD = """() => {
    const Source = EventSource, parse = DOMParser.prototype.parseFromString;
    window.parsings = 0;
    DOMParser.prototype.parseFromString = function (...given) {
        window.parsings += 1;
        return parse.apply(this, given);
    };
    window.EventSource = class extends Source { constructor(...given) { super(...given); window.stream = this; } };
    Object.defineProperty(document, "hidden", { get: () => Boolean(window.isHidden), configurable: true });
}"""
"""For tests to reach: the page's stream, how often a page was parsed, whether anybody looks at the tab."""
WITHOUT_WORKER = "Object.defineProperty(Navigator.prototype, 'serviceWorker', { get: () => undefined })"
"""What a service worker asks for passes the routes of a page by."""
SHOWN = "(is) => { window.isHidden = !is; document.dispatchEvent(new Event('visibilitychange')); }"
OTHER_WORKER = """() => {
    document.getElementById("timeline").dataset.worker = "another";
    window.told = new Promise((resolve) => window.stream.addEventListener("seq", resolve, { once: true }));
}"""
"""As if another worker's screen had just come, whose own stream is not open yet."""


@pytest.fixture
async def ada(world: World, launched: Browser) -> AsyncIterator[Desk]:
    async with desk(world, launched) as made:
        await made.visit.page.add_init_script(f"({OVERHEARD})()")
        yield made


async def test_what_one_worker_says_is_never_put_among_the_words_of_another(ada: Desk):
    await ada.say("Said #1", 1)
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    seq = await page.locator("#timeline").get_attribute("data-seq")
    await page.evaluate(OTHER_WORKER)
    await ada.say("Said #2", 2)
    await page.evaluate("window.told.then(() => null)")
    assert await ada.numbers() == [1]
    assert await page.locator("#timeline").get_attribute("data-seq") == seq


async def test_who_goes_elsewhere_while_a_screen_is_loaded_anew_stays_there(ada: Desk):
    page, went = await ada.visit.open(f"/w/{ada.person.worker_id}"), asyncio.Event()

    async def late(route: Route) -> None:
        if "x-resync" in route.request.headers:
            await went.wait()
        await route.continue_()

    await page.route("**/w/*", late)
    await page.get_by_role("button", name="Resync").click()
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Spend").click()
    await expect(page.locator("#screen[data-screen=spend]")).to_be_visible()
    before = await page.evaluate("window.parsings")
    went.set()
    await page.wait_for_function("(before) => window.parsings > before", arg=before)
    await expect(page.locator("#screen[data-screen=spend]")).to_be_visible()
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")


async def test_who_goes_back_twice_at_once_is_where_the_address_says(ada: Desk):
    await ada.visit.page.add_init_script(WITHOUT_WORKER)
    page, went = await ada.visit.open("/inbox"), asyncio.Event()
    tabs = page.get_by_role("navigation", name="Main")
    for name, screen in (("Spend", "spend"), ("More", "more")):
        await tabs.get_by_role("link", name=name).click()
        await expect(page.locator(f"#screen[data-screen={screen}]")).to_be_visible()
    asked = asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await went.wait()
        await route.continue_()

    await page.route("**/spend", late)
    await page.evaluate("history.back()")
    async with asyncio.timeout(30):
        await asked.wait()
    await page.evaluate("history.back()")
    await page.wait_for_url("**/inbox")
    went.set()
    await expect(page.locator("#screen[data-screen=inbox]")).to_be_visible()


async def test_a_tab_that_nobody_has_looked_at_keeps_no_connection(ada: Desk):
    page = ada.visit.page
    await page.add_init_script("window.isHidden = true")
    await page.goto(f"{ada.visit.url}/inbox")
    assert await page.evaluate("window.stream === undefined")
    await page.evaluate(SHOWN, True)
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")


async def test_a_tab_of_one_person_becomes_the_tab_of_who_signed_in_after_them(ada: Desk, world: World):
    page = await ada.visit.open("/")
    before = await page.locator("body").get_attribute("data-user")
    await page.evaluate(SHOWN, False)
    eve = await person(world, "eve")
    await sign_in(ada.visit, eve.email, await world.api.code_for(eve.email))
    await page.evaluate(SHOWN, True)
    await expect(page.locator("body")).not_to_have_attribute("data-user", before or "")
    await expect(page.locator(f"[id='row-{eve.worker_id}']")).to_be_attached()
    await expect(page.locator(f"[id='row-{ada.person.worker_id}']")).not_to_be_attached()


async def test_a_stream_that_is_refused_says_so_for_as_long_as_it_is(ada: Desk):
    page = ada.visit.page
    over = 'event: over\ndata: {"why":"forbidden","message":"Not shared with you","request_id":"req_7"}\n\n'
    await page.route("**/live*", lambda route: route.fulfill(content_type="text/event-stream", body=over))
    await page.goto(f"{ada.visit.url}/inbox")
    await expect(page.locator("#state[data-state=refused]")).to_contain_text("Not shared with you (request req_7)")


async def test_a_screen_that_was_kept_is_loaded_anew_once_the_server_is_there_again(ada: Desk):
    page = await ada.visit.open("/machines")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await ada.visit.open("/machines")
    await ada.visit.context.set_offline(True)
    await page.goto(f"{ada.visit.url}/machines")
    await expect(page.locator("#screen[data-kept-at]")).to_be_visible()
    await ada.visit.context.set_offline(False)
    await expect(page.locator("#screen:not([data-kept-at])")).to_be_visible()
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")

"""The one documented way to https, as a browser sees it: Caddy before the server, and all that takes a secure page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from playwright.async_api import Page, expect
from tests.api.contract.world import Person, person
from tests.browser.screens import Visit, visiting
from tests.browser.test_places import AUTHENTICATOR
from tests.browser.trusted import URL, Trusted, trusted

from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e
TABS = 8
"""More than a browser keeps connections open to one place, where a connection carries one answer at a time."""
PROMISED_MS = 1000


@pytest.fixture(scope="module")
async def public(cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Trusted]:
    async with trusted(cluster, tmp_path_factory.mktemp("caddy")) as made:
        yield made


@pytest.fixture
async def ada(public: Trusted) -> Person:
    return await person(public.world, "ada")


@pytest.fixture
async def visit(public: Trusted, ada: Person) -> AsyncIterator[Visit]:
    """Ada's browser."""
    async with visiting(public.launched, URL) as made:
        await sign_in(made, public, ada)
        yield made


async def sign_in(visit: Visit, public: Trusted, ada: Person) -> None:
    """By the form."""
    page = await visit.open("/sign-in", live=False)
    await page.get_by_label("E-mail").fill(ada.email)
    await page.get_by_role("button", name="Send me a code").click()
    await expect(page.get_by_label("Code")).to_be_focused()
    await public.world.api.app.state.api.postman.delivered()
    await page.get_by_label("Code").fill(public.world.api.post.mails[-1].code)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")


async def say(ada: Person, number: int) -> None:
    item = {"type": "agentMessage", "id": f"m{number}", "text": f"Said #{number}"}
    await ada.append(ada.worker_id, method="item/completed", params={"threadId": "t", "turnId": "u", "item": item})


async def test_the_cookie_is_of_this_host_alone_and_a_passkey_signs_in(visit: Visit):
    page = await visit.open("/devices")
    (cookie,) = await visit.context.cookies()
    assert (cookie["name"], cookie["domain"], cookie["path"]) == ("__Host-autopilot", "autopilot.example.com", "/")
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
    session = await visit.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    await session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator("#passkeys li")).to_have_count(1)

    await visit.open("/more")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("button", name="Send me a code")).to_be_visible()
    assert await visit.context.cookies() == []
    await page.get_by_role("button", name="Use a passkey").click()
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")
    visit.assert_quiet()


async def test_what_was_looked_at_is_there_without_a_network(visit: Visit, ada: Person):
    await say(ada, 1)
    page = await visit.open(f"/w/{ada.worker_id}")
    assert await page.evaluate("isSecureContext")
    await page.evaluate("navigator.serviceWorker.ready.then((one) => one.active.scriptURL)")
    await visit.open(f"/w/{ada.worker_id}")  # this time through it
    await expect(page.get_by_text("Said #1")).to_be_visible()
    await visit.context.set_offline(True)
    await page.reload()
    await expect(page.get_by_text("Said #1")).to_be_visible()
    await expect(page.locator("#state")).to_contain_text("Offline")


async def test_a_browser_offers_to_install_it(visit: Visit):
    page = await visit.open("/")
    await page.evaluate("navigator.serviceWorker.ready.then((one) => one.active.scriptURL)")
    session = await visit.context.new_cdp_session(page)
    manifest = await session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"] == f"{URL}/manifest.webmanifest"
    found = (await session.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert [one["errorId"] for one in found if one["errorId"] != "in-incognito"] == []  # as every page of a test's is


async def test_more_tabs_than_connections_all_hear_an_event_at_once(visit: Visit, ada: Person):
    async with AsyncExitStack() as stack:
        tabs: list[Page] = []
        heard: list[dict[str, Any]] = []
        for _ in range(TABS):
            tab = await visit.context.new_page()
            stack.push_async_callback(tab.close)
            session = await visit.context.new_cdp_session(tab)
            session.on("Network.responseReceived", lambda one: heard.append(one))  # noqa: PLW0108 - Playwright marks it
            await session.send("Network.enable")
            await tab.goto(f"{URL}/w/{ada.worker_id}")
            await expect(tab.locator("#state")).to_have_attribute("data-state", "live")
            tabs.append(tab)
        streams = [one["response"] for one in heard if "/live?" in one["response"]["url"]]
        assert [one["protocol"] for one in streams] == ["h2"] * TABS
        for tab in tabs:
            await tab.evaluate(WATCHED)
        asked_at = await tabs[0].evaluate("Date.now()")
        await say(ada, 7)
        seen_at = [await tab.evaluate("window.seen") for tab in tabs]

    assert max(seen_at) - asked_at < PROMISED_MS, [moment - asked_at for moment in seen_at]


WATCHED = """() => {
    window.seen = new Promise((found) => {
        const timeline = document.querySelector('#timeline');
        const look = () => { if (timeline.textContent.includes('Said #7')) found(Date.now()); };
        new MutationObserver(look).observe(timeline, {subtree: true, childList: true, characterData: true});
        look();
    });
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_on_plain_http_it_says_what_is_missing_and_lets_nobody_in(public: Trusted, ada: Person, theme: str):
    async with visiting(public.launched, public.plain_url, "phone", theme) as visit:
        page = await visit.open("/sign-in", live=False)
        assert not await page.evaluate("isSecureContext")
        await expect(page.get_by_role("alert")).to_contain_text("plain HTTP")
        await expect(page.get_by_role("button", name="Use a passkey")).to_be_hidden()
        assert await visit.problems("sign-in-plain-http") == []
        assert await visit.context.cookies() == []

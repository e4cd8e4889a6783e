"""The secret of an invitation's link outlives signing in, and no server ever sees it in an address."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from tests.api.contract.world import person
from tests.browser.screens import visiting
from tests.browser.served import server

from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e
SECRET = "s3cret-of-the-link"


async def test_who_signs_in_first_joins_without_opening_the_link_again(cluster: TestCluster, launched: Browser):
    async with server(cluster) as world, visiting(launched, world.api.url) as visit:
        ada = await person(world, "ada")
        page, asked = visit.page, list[str]()
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{world.api.url}/teams/join#{SECRET}")
        await expect(page.get_by_text("then you can join")).to_be_visible()
        await page.get_by_role("link", name="Sign in").click()
        await page.get_by_label("E-mail").fill(ada.email)
        await page.get_by_role("button", name="Send me a code").click()
        await expect(page.get_by_label("Code")).to_be_visible()
        await world.api.app.state.api.postman.delivered()
        await page.get_by_label("Code").fill(world.api.post.mails[-1].code)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url("**/teams/join")
        await expect(page.locator("[name=credential]")).to_have_value(SECRET)
        assert SECRET not in await page.evaluate("JSON.stringify(sessionStorage)")
        assert not [url for url in asked if SECRET in url.partition("#")[0]]
        assert page.url.endswith("/teams/join")

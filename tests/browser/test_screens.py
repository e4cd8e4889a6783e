"""Every screen, on a phone and at a desk, by day and by night: live, quiet, accessible, and with a picture."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.async_api import expect
from tests.browser.conftest import Installed
from tests.browser.screens import Visit

pytestmark = pytest.mark.e2e


SCREENS = {
    "workers": "/",
    "worker": "/w/{worker}",
    "worker-details": "/w/{worker}/details",
    "worker-request": "/w/{worker}/request",
    "inbox": "/inbox",
    "new": "/new",
    "machines": "/machines",
    "machine": "/machines/{machine}",
    "threads": "/machines/{machine}/threads",
    "spend": "/spend",
    "audit": "/audit",
    "trace": "/trace",
    "policy": "/policy",
    "teams": "/teams",
    "devices": "/devices",
    "pair": "/devices/pair",
    "guests": "/devices/guests",
    "delete-account": "/devices/delete",
    "step-up": "/step-up/page",
    "more": "/more",
    "settings": "/settings",
}
BARE = {"sign-in": "/sign-in", "pair-here": "/pair", "guest": "/guest", "offline": "/offline"}


async def test_every_screen(visit: Visit, installed: Installed):
    ids = {"worker": quote(installed.worker_id, safe=""), "machine": quote(installed.machine_id, safe="")}
    problems: list[str] = []
    for name, path in SCREENS.items():
        await visit.open(path.format(**ids))
        problems += await visit.problems(name)
    for name, path in BARE.items():
        await visit.open(path, live=False)
        problems += await visit.problems(name)
    assert not problems, "\n".join(problems)


async def test_the_worker_opens_from_the_list_and_back(phone: Visit, installed: Installed):
    page = await phone.open("/")
    await page.locator("#rows a").first.click()
    await expect(page.get_by_role("feed", name="Timeline")).to_be_visible()
    await expect(page.locator("#timeline article").first).to_be_visible()
    await page.get_by_role("link", name="Back").click()
    await expect(page.get_by_role("region", name="Workers")).to_be_visible()
    phone.assert_quiet()

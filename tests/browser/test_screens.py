"""Every screen, on a phone and at a desk, by day and by night: live, quiet, accessible, and with a picture."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from tests.browser.conftest import Installed
from tests.browser.screens import Visit

pytestmark = pytest.mark.e2e


async def test_every_screen(visit: Visit, installed: Installed):
    paths = {"workers": "/", "worker": f"/w/{installed.worker_id}"}
    for name, path in paths.items():
        await visit.open(path)
        await visit.check(name)


async def test_the_worker_opens_from_the_list_and_back(phone: Visit, installed: Installed):
    page = await phone.open("/")
    await page.locator("#rows a").first.click()
    await expect(page.get_by_role("feed", name="Timeline")).to_be_visible()
    await expect(page.locator("#timeline article").first).to_be_visible()
    await page.get_by_role("link", name="Back").click()
    await expect(page.get_by_role("region", name="Workers")).to_be_visible()
    phone.assert_quiet()

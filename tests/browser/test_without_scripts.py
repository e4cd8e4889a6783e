"""Where a browser runs no scripts, one can still write to a worker."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect
from tests.api.contract.world import person
from tests.browser.screens import LOOKS, sign_in, visiting
from tests.browser.served import server

from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(("look", "theme"), LOOKS[:1], ids="-".join)
async def test_a_message_is_sent_and_its_receipt_comes_back(
    cluster: TestCluster, launched: Browser, look: str, theme: str
):
    async with (
        server(cluster) as world,
        visiting(launched, world.api.url, look, theme, java_script_enabled=False) as visit,
    ):
        ada = await person(world, "ada")
        await sign_in(visit, ada.email, await world.api.code_for(ada.email))
        page = visit.page
        await page.goto(f"{world.api.url}/w/{ada.worker_id}")
        await page.get_by_label("Message").fill("Mend the clock.")
        await page.get_by_role("button", name="Send", exact=True).click()
        receipts = page.get_by_role("list", name="What you sent")
        await expect(receipts).to_contain_text("New turn")
        await expect(receipts).to_contain_text("Mend the clock.")
        await expect(page.get_by_label("Message")).to_have_value("")

"""A screen that is open while somebody comes in without a passkey says so by itself, and refuses them in one tap."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect
from tests.api.contract.world import Person, World
from tests.browser.screens import LOOKS
from tests.browser.served import Desk, desk
from tests.web.test_recovery_page import comes, guarded

pytestmark = pytest.mark.slow


@pytest.fixture(params=LOOKS, ids="-".join)
async def ada(request: pytest.FixtureRequest, world: World, launched: Browser) -> AsyncIterator[Desk]:
    async with desk(world, launched, look=request.param) as made:
        await guarded(world, made.person)
        yield made


async def test_who_comes_in_is_told_on_an_open_screen_and_refused_there(ada: Desk):
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    told = page.get_by_role("alert").filter(has_text="without a passkey")
    await expect(told).to_have_count(0)
    came = await comes(ada.world, ada.person.email, "A laptop in another town")
    await expect(told).to_contain_text("Somebody recovered access to this account without a passkey")
    await expect(told).to_contain_text("A laptop in another town")
    await expect(told.get_by_role("time").first).to_be_visible()
    assert await ada.visit.problems("recovery-banner") == []

    await told.get_by_role("link", name="More").click()
    await expect(page.get_by_role("heading", name="Recovery")).to_be_visible()
    await expect(page.get_by_text("It sees and steers your sessions until then")).to_be_visible()
    assert await ada.visit.problems("recovery") == []
    await page.go_back()
    await expect(page.get_by_role("feed", name="Timeline")).to_be_visible()

    await told.get_by_role("button", name="Refuse it").click()
    await expect(page.get_by_text("It is refused and signed out.")).to_be_visible()
    await expect(told).to_have_count(0)
    await expect(page).to_have_url(re.compile(r"/recovery$"))
    assert await signed_in(ada.person, came["token"]) == 401
    await page.reload()
    await expect(page.get_by_text("Nobody is held who came in without a passkey.")).to_be_visible()
    assert await ada.visit.problems("recovery-none") == []


async def signed_in(person: Person, token: str) -> int:
    answer = await person.world.api.client.get("/api/me", headers={"authorization": f"Bearer {token}"})
    return answer.status_code

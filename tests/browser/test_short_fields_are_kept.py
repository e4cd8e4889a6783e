"""What is begun in a short field (a name, an address) is there again until it was sent, and stands nowhere else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, expect
from tests.browser.served import Desk
from tests.waiting import until

pytestmark = pytest.mark.slow

REFUSED = f"{'g' * 250}@example.org"
"""Longer than an address may be: no browser says so, the server does."""
DRAFTS = "Object.keys(sessionStorage).filter((one) => one.startsWith('draft.'))"


async def team_of(ada: Desk, name: str = "crew") -> str:
    """The screen of a team of hers."""
    answer = await ada.person.post("/api/teams", {"name": name})
    assert answer.status_code in {200, 201}, answer.text
    return f"/teams/{answer.json()['data']['team_id']}"


async def devices_of(ada: Desk) -> list[dict[str, Any]]:
    return (await ada.person.get("/api/devices")).json()["data"]


def renaming(page: Page, device: dict[str, Any]) -> Locator:
    """The field for a device's other name, in its fold."""
    return page.locator(f"[id='name-{device['device_id']}']")


async def elsewhere(page: Page) -> None:
    """To another screen, by a link."""
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Spend").click()
    await expect(page.get_by_role("heading", name="Spend")).to_be_visible()
    await page.wait_for_url("**/spend")


@pytest.mark.parametrize("place", ["a team's name", "an invitation", "a guest's label", "a device's name"])
async def test_what_is_begun_in_a_short_field_is_back_after_another_screen_and_a_reload(ada: Desk, place: str):
    path, label, words = {
        "a team's name": ("/teams", "Name", "Night crew"),
        "an invitation": (await team_of(ada), "E-mail", "grace@example.org"),
        "a guest's label": ("/devices/guests", "Who is it for?", "Grace, for the demo"),
        "a device's name": ("/devices", "Name", "Ada's old phone"),
    }[place]
    page = await ada.visit.open(path)
    field = page.get_by_label(label, exact=True).first
    if place == "a device's name":
        await page.locator("summary", has_text="Rename").first.click()
    await field.fill(words)
    await elsewhere(page)
    await page.go_back()
    await expect(field).to_have_value(words)
    await ada.visit.open(path)
    await expect(field).to_be_visible()  # the fold is open where something stands in it
    await expect(field).to_have_value(words)
    assert await ada.visit.problems(f"kept-{label.split()[0].strip('?').lower()}-{path.split('/')[1]}") == []


async def test_a_name_that_was_begun_for_one_device_stands_at_no_other(ada: Desk):
    first, second = await devices_of(ada)
    page = await ada.visit.open("/devices")
    await page.locator("summary", has_text="Rename").first.click()
    begun, other = (first, second) if await renaming(page, first).is_visible() else (second, first)
    await renaming(page, begun).fill("Only this one")
    await ada.visit.open("/devices")
    await expect(renaming(page, begun)).to_have_value("Only this one")
    await expect(renaming(page, other)).to_have_value(other["name"] or "")
    await expect(renaming(page, other)).to_be_hidden()


async def test_a_name_that_was_sent_is_no_draft_though_its_screen_was_left_before_the_answer(ada: Desk):
    page, left = await ada.visit.open("/teams"), asyncio.Event()

    async def late(route: Route) -> None:
        await left.wait()
        await route.continue_()

    await page.route("**/teams", lambda route: late(route) if route.request.method == "POST" else route.continue_())
    name = page.get_by_label("Name", exact=True)
    await name.fill("Night crew")
    async with page.expect_response(lambda answer: answer.request.method == "POST"):
        await page.get_by_role("button", name="Make it").click()
        await elsewhere(page)
        left.set()
    await until(lambda: page.evaluate(f"{DRAFTS}.length === 0"))
    await ada.visit.open("/teams")
    await expect(name).to_have_value("")
    await expect(page.get_by_role("link", name="Night crew")).to_be_visible()


async def test_an_address_that_was_refused_is_still_there(ada: Desk):
    page = await ada.visit.open(await team_of(ada))
    address = page.get_by_label("E-mail", exact=True)
    await address.fill(REFUSED)
    await page.get_by_role("button", name="Invite", exact=True).click()
    await expect(page.locator("#notices .problem")).to_be_visible()
    await page.reload()  # of the very screen: the address is not the form's
    await expect(address).to_have_value(REFUSED)


@pytest.mark.parametrize("path", ["/teams", "/devices/pair"])
async def test_a_code_that_lets_somebody_in_is_kept_nowhere(ada: Desk, path: str):
    page = await ada.visit.open(path)
    await page.locator("input[name=credential]").fill("ABCD-EFGH-1234")
    kept = await page.evaluate("JSON.stringify({...sessionStorage}) + JSON.stringify({...localStorage})")
    assert "ABCD" not in kept

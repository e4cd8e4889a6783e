"""A worker's screens in Chromium, over real Codex: found by role and name, used by keys, and nothing typed is lost."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, expect
from tests.browser.conftest import Installed
from tests.browser.screens import Visit

pytestmark = pytest.mark.e2e
DONE = re.compile("Done")


def message(page: Page):
    return page.get_by_role("textbox", name="Message")


async def test_every_page_of_a_worker(visit: Visit, installed: Installed):
    base = f"/w/{installed.worker_id}"
    for name, path in {"details": f"{base}/details", "request": f"{base}/request"}.items():
        await visit.open(path)
        assert await visit.problems(name) == []
    page = await visit.open(base)
    await page.get_by_role("button", name="More about this worker").click()
    await page.get_by_role("button", name="Stop…").click()
    await expect(page.get_by_role("dialog", name="Stop this worker?")).to_be_visible()
    assert await visit.problems("stop") == []


async def test_what_is_written_survives_a_reload_and_goes_into_the_turn_that_runs(phone: Visit, installed: Installed):
    page = await phone.open(f"/w/{installed.worker_id}")
    await message(page).fill("Only the first file, please.")
    await page.reload()
    await expect(message(page)).to_have_value("Only the first file, please.")
    await expect(page.get_by_role("button", name="Send", exact=True)).to_be_hidden()
    await message(page).press("Control+Enter")
    receipt = page.get_by_role("list", name="What you sent").get_by_role("listitem").first
    await expect(receipt).to_contain_text("Steer the turn")
    await expect(receipt).to_contain_text("went into the running turn")
    await expect(message(page)).to_have_value("")
    await page.reload()
    await expect(message(page)).to_have_value("")
    phone.assert_quiet()


async def test_what_can_not_be_sent_is_kept_and_is_sent_once_in_the_end(phone: Visit, installed: Installed):
    page = await phone.open(f"/w/{installed.worker_id}")
    await message(page).fill("Then look at the tests.")
    await phone.context.set_offline(True)
    await page.get_by_role("button", name="Queue").click()
    await expect(page.get_by_role("alert").filter(has_text="Not sent")).to_be_visible()
    await expect(message(page)).to_have_value("Then look at the tests.")
    await phone.context.set_offline(False)
    await page.get_by_role("button", name="Queue").click()
    receipts = page.get_by_role("list", name="What you sent").get_by_role("listitem")
    await expect(receipts.first).to_contain_text("in the queue, for when the turn ends")
    await expect(receipts).to_have_count(1)
    await expect(page.get_by_role("alert").filter(has_text="Not sent")).to_be_hidden()
    assert [said for said in phone.complaints if not said.startswith("htmx:")] == []  # it logs what could not be sent


async def test_the_companion_is_reached_and_says_its_session(phone: Visit, installed: Installed):
    page = await phone.open(f"/w/{installed.worker_id}")
    await page.get_by_role("button", name="More about this worker").click()
    await page.get_by_role("button", name="Connect").click()
    dialog = page.get_by_role("dialog", name="Connect")
    await expect(dialog.get_by_role("status")).to_contain_text("Not asked yet.")
    await dialog.get_by_role("button", name="Connect").click()
    await expect(dialog.get_by_role("status")).to_contain_text("Connected.")
    await expect(dialog.get_by_role("status")).to_contain_text("session-")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    phone.assert_quiet()


async def test_a_request_is_written_looked_through_sent_and_at_hand_again(phone: Visit, installed: Installed):
    page = await phone.open(f"/w/{installed.worker_id}/request?method=model/list")
    params = page.get_by_label("Params (JSON)")
    await params.fill('{"limit": "many"}')
    await expect(page.get_by_text("limit has to be a whole number.")).to_be_visible()
    await params.fill('{"limit": 3}')
    await expect(page.get_by_text("limit has to be a whole number.")).to_be_hidden()
    await page.get_by_role("button", name="Send", exact=True).click()
    answers = page.get_by_role("region", name="Answers")
    await expect(answers.get_by_role("listitem").first).to_contain_text(DONE)
    await expect(answers.locator("pre[aria-label=Response]")).to_contain_text('"data"')
    await page.get_by_label("Method").select_option("thread/name/set")
    await expect(page.get_by_text("Renames the session.")).to_be_visible()
    await page.get_by_role("button", name="model/list").click()
    await expect(params).to_have_value('{"limit": 3}')
    await expect(page.get_by_label("Method")).to_have_value("model/list")

    await params.fill('{"limit": 3')  # not sent: it stays, whatever else is chosen, and over a reload
    await page.get_by_label("Method").select_option("thread/list")
    await expect(page.get_by_text("This is not JSON")).to_be_visible()
    await page.reload()
    await expect(params).to_have_value('{"limit": 3')
    await expect(page.get_by_label("Method")).to_have_value("thread/list")
    await params.fill("")
    await page.get_by_label("Method").select_option("thread/name/set")
    await expect(params).to_have_value(re.compile(r'"name": ""'))
    phone.assert_quiet()


async def test_the_list_is_searched_and_walked_by_keys(visit: Visit, installed: Installed):
    page = await visit.open("/")
    rows = page.get_by_role("list", name="Workers").get_by_role("listitem")
    await expect(rows).to_have_count(1)
    await page.keyboard.press("/")
    await page.keyboard.type("no such words")
    await expect(page.get_by_text("No worker fits.")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(rows).to_have_count(1)
    await page.keyboard.press("?")
    shortcuts = page.get_by_role("dialog", name="Keyboard shortcuts")
    await expect(shortcuts).to_be_visible()
    assert await visit.problems("shortcuts") == []
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("feed", name="Timeline")).to_be_visible()
    visit.assert_quiet()

"""What is written and not sent is there again, after another screen, a reload, a sign-in; and gone once it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Route, expect
from tests.api.contract.world import World
from tests.browser.test_places import QUESTION, Desk, desk
from tests.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
async def ada(world: World, launched: Browser) -> AsyncIterator[Desk]:
    async with desk(world, launched) as made:
        yield made


async def test_words_for_a_new_session_outlive_another_screen_and_the_end_of_the_session(ada: Desk):
    page = await ada.visit.open("/new")
    prompt = page.get_by_label("What shall it do?")
    await prompt.fill("Mend the clock, and say how.")
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="Spend").click()
    await expect(page.get_by_role("heading", name="Spend")).to_be_visible()
    await page.get_by_role("navigation", name="Main").get_by_role("link", name="New").click()
    await expect(prompt).to_have_value("Mend the clock, and say how.")

    await page.get_by_role("combobox", name="Folder").fill("/home/ada/clock")
    await page.route("**/live*", lambda route: route.abort())  # the form is who hears of it
    await ada.visit.context.clear_cookies()
    await page.get_by_role("button", name="Start").click()
    await page.wait_for_url("**/sign-in?next=%2Fnew")
    await page.get_by_label("E-mail").fill(ada.person.email)
    await page.get_by_role("button", name="Send me a code").click()
    await page.get_by_label("Code").fill(await ada.world.api.code_for(ada.person.email))
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/new")
    await expect(prompt).to_have_value("Mend the clock, and say how.")


async def test_words_of_an_answer_are_back_after_a_reload_and_gone_once_they_were_sent(ada: Desk):
    asked = await ada.ask(1, **QUESTION)
    page = await ada.visit.open("/inbox")
    card = page.locator(f"[id='ap-{asked}']")
    words = card.get_by_label("What Codex should do instead")
    await card.get_by_text("Decline with words").click()
    await words.fill("Not on a Friday.")
    await ada.visit.open("/inbox")
    await expect(words).to_be_visible()  # the fold is open where something stands in it
    await expect(words).to_have_value("Not on a Friday.")
    await card.get_by_role("button", name="No", exact=True).click()
    await expect(card).to_contain_text("Not on a Friday.")
    assert await page.evaluate("Object.keys(sessionStorage).filter((one) => one.startsWith('draft.'))") == []


async def test_the_reason_of_a_stop_is_there_when_its_dialog_comes_back(ada: Desk):
    page = await ada.visit.open("/")
    await page.get_by_role("button", name="Emergency stop").click()
    await page.get_by_role("dialog").get_by_role("textbox").fill("Too much at once")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Emergency stop").click()
    await expect(page.get_by_role("dialog").get_by_role("textbox")).to_have_value("Too much at once")


async def test_a_policy_that_was_not_put_in_force_says_that_it_is_back_and_can_be_begun_anew(ada: Desk):
    page = await ada.visit.open("/policy")
    text = page.get_by_label("Text", exact=True)
    await text.fill('[sandbox]\nallow = ["read-only"]\n')
    await page.get_by_role("button", name="Check", exact=True).click()
    await expect(page.get_by_text("It can be put in force.")).to_be_visible()
    await ada.visit.open("/policy")
    await expect(text).to_have_value('[sandbox]\nallow = ["read-only"]\n')
    assert await ada.visit.problems("policy-draft") == []
    await page.get_by_role("button", name="Start over").click()
    await expect(text).to_have_value("")
    await ada.visit.open("/policy")
    await expect(text).to_have_value("")


async def test_words_for_one_of_two_questions_stay_with_it_when_the_screen_comes_anew(ada: Desk):
    asked = [await ada.ask(number, **QUESTION) for number in (1, 2)]
    page = await ada.visit.open("/inbox")
    first, second = (page.locator(f"[id='ap-{one}']") for one in asked)
    await second.get_by_text("Decline with words").click()
    await second.get_by_label("What Codex should do instead").fill("Not the second one.")
    await page.evaluate("document.getElementById('screen').dataset.before = 'yes'")
    await page.get_by_role("button", name="Resync").click()
    await expect(page.locator("#screen:not([data-before])")).to_be_visible()
    await expect(second.locator("textarea")).to_have_value("Not the second one.")
    await expect(first.locator("textarea")).to_have_value("")


async def test_a_message_whose_screen_was_left_before_it_was_answered_is_no_draft_any_more(ada: Desk):
    page, left = await ada.visit.open(f"/w/{ada.person.worker_id}"), asyncio.Event()

    async def late(route: Route) -> None:
        await left.wait()
        await route.continue_()

    await page.route("**/say", late)
    await page.locator("#say").fill("Mend the clock.")
    async with page.expect_response("**/say"):
        await page.locator("#message button.primary:visible").click()
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Spend").click()
        await expect(page.get_by_role("heading", name="Spend")).to_be_visible()
        left.set()
    await until(lambda: page.evaluate("Object.keys(localStorage).every((one) => !one.startsWith('draft.'))"))
    await ada.visit.open(f"/w/{ada.person.worker_id}")
    await expect(page.locator("#say")).to_have_value("")


async def test_what_reached_no_server_says_so_and_stays_written(ada: Desk):
    asked = await ada.ask(1, **QUESTION)
    page = await ada.visit.open("/inbox")
    card = page.locator(f"[id='ap-{asked}']")
    await card.get_by_text("Decline with words").click()
    await card.get_by_label("What Codex should do instead").fill("Not on a Friday.")
    await page.route("**/inbox/**", lambda route: route.abort())
    await card.get_by_role("button", name="No", exact=True).click()
    await expect(page.locator("#notices")).to_contain_text("The server can't be reached.")
    await page.unroute("**/inbox/**")
    await card.get_by_role("button", name="No", exact=True).click()
    await expect(card).to_contain_text("Not on a Friday.")


async def test_who_marks_words_in_a_dialog_and_lets_go_beside_it_stays_in_it(ada: Desk):
    page = await ada.visit.open("/")
    await page.get_by_role("button", name="Emergency stop").click()
    words = page.get_by_role("dialog").get_by_role("textbox")
    await words.fill("Too much at once")
    box = await words.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + 20, box["y"] + 10)
    await page.mouse.down()
    await page.mouse.move(5, 5)
    await page.mouse.up()
    await expect(words).to_have_value("Too much at once")
    await page.mouse.click(5, 5)
    await expect(words).to_be_hidden()

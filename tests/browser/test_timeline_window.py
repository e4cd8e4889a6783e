"""A long timeline in Chromium: a window of it, older pages on the way up, nobody led away from what they read."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect
from tests.browser.served import Desk, desk, server
from tests.waiting import until

from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.slow
MANY, MOST = 420, 300
PARAGRAPH = "\n\nA paragraph that says a little more about what was done, so that no two are of one height."
STEP, STEPS = 130, 40
"""Of a hand that scrolls up in steps: far enough that older pages come meanwhile."""


@pytest.fixture(scope="module")
async def ada(cluster: TestCluster, launched: Browser) -> AsyncIterator[Desk]:
    async with server(cluster) as world, desk(world, launched) as made:
        for number in range(1, MANY + 1):
            await made.say(f"Said #{number} of a long session{PARAGRAPH * (number % 7)}", number)
        yield made


AT_END = """() => {
    const one = document.getElementById("timeline");
    return one.scrollHeight - one.scrollTop - one.clientHeight < 80;
}"""
UP_BY = """async (by) => {
    const one = document.getElementById("timeline");
    const told = new Promise((resolve) => one.addEventListener("scroll", resolve, {once: true}));
    one.scrollTop -= by;
    await told;
}"""
UP_IN_STEPS = """async ({step, steps}) => {
    const one = document.getElementById("timeline"), off = [], frame = () => new Promise(requestAnimationFrame);
    const middle = () => [...one.children].find((item) => item.getBoundingClientRect().bottom > innerHeight / 2);
    const oldest = () => one.firstElementChild.id, first = oldest();
    one.scrollTop = 3000;
    await frame();
    for (let at = 0; at < steps; at += 1) {
        const read = middle(), before = read.getBoundingClientRect().top;
        one.scrollTop -= step;
        await frame();
        await frame();
        while (one.hasAttribute("aria-busy")) await frame();
        off.push(Math.round(read.getBoundingClientRect().top - before - step));
    }
    return {off: off.filter(Boolean), more: oldest() !== first};
}"""
"""By how much what was read moved otherwise than one scrolled, where it did; and whether older pages came."""
READ = """() => {
    const one = document.getElementById("timeline"), edge = one.getBoundingClientRect().top;
    const read = [...one.children].findIndex((item) => item.getBoundingClientRect().bottom > edge);
    return {above: one.children[read - 3].textContent, top: one.children[read].getBoundingClientRect().top};
}"""
"""What stands a little above what is read, and where that is."""
UP = "() => { document.getElementById('timeline').scrollTop = 0; }"


async def test_who_goes_up_gets_all_of_it_in_a_window_and_comes_back_to_the_end_without_a_gap(ada: Desk):
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    await expect(page.get_by_text(f"Said #{MANY} of")).to_be_visible()
    assert await page.evaluate(AT_END)
    shown = await ada.numbers()
    assert shown == list(range(shown[0], MANY + 1))
    assert len(shown) <= MOST

    async def first() -> bool:
        await page.evaluate(UP)
        now = await ada.numbers()
        assert now == list(range(now[0], now[-1] + 1))
        assert len(now) <= MOST
        return now[0] == 1

    await until(first)
    pill = page.get_by_role("button", name="New events")
    await expect(pill).to_be_visible()
    await ada.say(f"Said #{MANY + 1} of a long session", MANY + 1)
    assert MANY + 1 not in await ada.numbers()  # nobody is led away from what they read
    await pill.click()
    await expect(page.get_by_text(f"Said #{MANY + 1} of")).to_be_visible()
    await expect(pill).to_be_hidden()
    shown = await ada.numbers()
    assert shown == list(range(shown[0], MANY + 2))


async def test_what_comes_is_followed_by_who_is_at_the_end_and_told_to_who_is_not(ada: Desk):
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    await ada.say("Said #1001 and seen", 1001)
    await expect(page.get_by_text("Said #1001 and seen")).to_be_in_viewport()
    await page.evaluate(UP_BY, 4000)
    await ada.say("Said #1002 below", 1002)
    await expect(page.get_by_role("button", name="New events")).to_be_visible()
    await expect(page.get_by_text("Said #1002 below")).not_to_be_in_viewport()


async def test_what_is_read_moves_as_far_as_one_scrolls_also_while_older_pages_come(ada: Desk):
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    moved = await page.evaluate(UP_IN_STEPS, {"step": STEP, "steps": STEPS})
    assert moved == {"off": [], "more": True}


async def test_a_small_way_up_is_enough_to_be_left_there_by_what_comes(ada: Desk):
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    await page.evaluate(UP_BY, 200)
    at = await page.locator("#timeline").evaluate("(one) => one.scrollTop")
    await ada.say("Said #1003 below", 1003)
    await expect(page.get_by_role("button", name="New events")).to_be_visible()
    assert await page.locator("#timeline").evaluate("(one) => one.scrollTop") == at
    await expect(page.get_by_text("Said #1003 below")).not_to_be_in_viewport()


async def test_what_becomes_longer_above_moves_nothing_of_what_is_read(ada: Desk):
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    await page.evaluate(UP_BY, 4000)
    before = await page.evaluate(READ)
    number = int(before["above"].split("#")[1].split()[0])
    await ada.say(f"Said #{number} of a long session, and then{PARAGRAPH * 9}", number)
    await expect(page.get_by_text(f"Said #{number} of a long session, and then")).to_be_attached()
    assert (await page.evaluate(READ))["top"] == pytest.approx(before["top"], abs=1)


FROM_THE_END = """() => {
    const one = document.getElementById("timeline");
    return Math.round(one.scrollHeight - one.scrollTop - one.clientHeight);
}"""
FRAMES = """(count) => new Promise((resolve) => {
    const next = () => { count -= 1; if (count) requestAnimationFrame(next); else resolve(); };
    requestAnimationFrame(next);
})"""
"""So many frames are drawn."""


async def test_a_session_is_opened_at_its_very_end_however_high_its_items_turn_out_to_be(ada: Desk):
    for number in range(2001, 2041):
        await ada.say(f"Said #{number}.\n\n" + "One more paragraph of it.\n\n" * (number % 7 * 3), number)
    for size in ((390, 844), (390, 320), (1280, 800)):
        await ada.visit.page.set_viewport_size({"width": size[0], "height": size[1]})
        page = await ada.visit.open(f"/w/{ada.person.worker_id}")
        await expect(page.get_by_text("Said #2040.")).to_be_visible()
        await page.evaluate(FRAMES, 30)
        assert await page.evaluate(FROM_THE_END) <= 1


async def test_what_is_folded_open_at_the_end_stays_where_it_is_and_grows_downwards(ada: Desk):
    page = await ada.visit.open(f"/w/{ada.person.worker_id}")
    item = {"type": "reasoning", "id": "thought", "summary": ["One more thought of many.\n\n" * 60], "content": []}
    await ada.person.append(
        ada.person.worker_id, method="item/completed", params={"threadId": "t", "turnId": "turn", "item": item}
    )
    fold = page.locator("#timeline article:last-child summary").first
    await expect(fold).to_be_in_viewport()
    await page.evaluate(FRAMES, 10)
    before = await fold.bounding_box()
    await fold.click()
    await expect(page.locator("#timeline article:last-child details[open]")).to_be_visible()
    await page.evaluate(FRAMES, 10)
    assert await fold.bounding_box() == before
    await fold.click()
    await page.evaluate(FRAMES, 10)
    await ada.say("Said #3001 after that", 3001)
    await expect(page.get_by_text("Said #3001 after that")).to_be_in_viewport()

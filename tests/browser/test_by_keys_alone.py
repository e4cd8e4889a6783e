"""A walk by Tab alone over real Codex: focus is always seen, goes in the page's order, and is taken by nobody."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from tests.browser.screens import Visit, visiting
from tests.browser.with_codex import CodexDesk, codex_desk
from tests.companion.asking import asking_thread, ended, pending
from tests.companion.installation import method
from tests.companion.launching import pinned, schema_of

from autopilot.testing.model import script
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e
EMAIL = "owner@example.org"
MOST = 60
"""Steps to anything that can be reached."""
WHY = "That was all."
SEEN = """() => {
    const one = document.activeElement, box = one.getBoundingClientRect(), problems = [], before = window.walked;
    if (one === document.body) return {name: "body", problems};
    const near = [one, one.parentElement, one.nextElementSibling, one.closest("form")].filter(Boolean);
    const looks = near.map((each) => getComputedStyle(each)).filter((each) => each.outlineStyle !== "none");
    if (!looks.some((each) => parseFloat(each.outlineWidth) >= 2)) problems.push("no outline");
    const x = box.left + box.width / 2, y = (Math.max(0, box.top) + Math.min(innerHeight, box.bottom)) / 2;
    const top = document.elementFromPoint(x, y);
    if (!box.width || !box.height || !top) problems.push("out of sight");
    else if (!one.contains(top) && !top.contains(one)) problems.push(`behind ${top.outerHTML.slice(0, 80)}`);
    window.walked = one;
    const isBack = before?.isConnected && before.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING;
    if (isBack && !before.contains(one)) problems.push("backwards");
    return {name: one.outerHTML.slice(0, 120), problems};
}"""
"""What has the focus, and what is wrong with that: it can't be seen, or comes before what had it."""
HELD = "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"
"""In the dialog, or between its end and its beginning, where a browser has its own things."""


@dataclass
class Walk:
    """Somebody who has no mouse."""

    page: Page
    problems: list[str] = field(default_factory=list)

    async def tab(self) -> None:
        """One step on; what is wrong with where it led is noted."""
        await self.page.keyboard.press("Tab")
        seen: dict[str, Any] = await self.page.evaluate(SEEN)
        self.problems += [f"{seen['name']}: {one}" for one in seen["problems"]]

    async def to(self, wanted: Locator) -> None:
        """On to there, step by step."""
        await expect(wanted).to_be_visible()
        await self.again()
        for _ in range(MOST):
            if await is_focused(wanted):
                return
            await self.tab()
            if await self.page.evaluate("document.activeElement === document.body"):
                await self.again()
        raise AssertionError(f"Tab does not lead to {wanted}")

    async def again(self) -> None:
        """Past the end, and from the top: what comes next is before what was."""
        await self.page.evaluate("window.walked = null")

    async def press(self, wanted: Locator) -> None:
        """Go there, and use it."""
        await self.to(wanted)
        await self.page.keyboard.press("Enter")

    async def write(self, wanted: Locator, words: str) -> None:
        await self.to(wanted)
        await self.page.keyboard.insert_text(words)


async def is_focused(wanted: Locator) -> bool:
    return await wanted.evaluate("(one) => one === document.activeElement")


@pytest.fixture
async def desk(cluster: TestCluster, tmp_path: Path, launched: Browser) -> AsyncIterator[CodexDesk]:
    codex = await pinned()
    schema = await schema_of(codex, tmp_path / "schema")
    async with codex_desk(cluster, tmp_path, codex, schema, launched) as made:
        await made.installation.served.pool.execute(
            "update user_account set email = $1, email_key = $1 where is_owner", EMAIL
        )
        yield made


@pytest.fixture
async def visit(desk: CodexDesk, launched: Browser) -> AsyncIterator[Visit]:
    """A browser that nobody is signed in with."""
    async with visiting(launched, desk.installation.served.url, "wide") as made:
        yield made


async def signed_in(walk: Walk, desk: CodexDesk, url: str) -> None:
    page, served = walk.page, desk.installation.served
    await page.goto(url)
    await walk.write(page.get_by_label("E-mail"), EMAIL)
    await walk.press(page.get_by_role("button", name="Send me a code"))
    await expect(page.get_by_label("Code")).to_be_focused()
    await served.app.state.api.postman.delivered()
    await page.keyboard.insert_text(served.post.mails[-1].code)
    await walk.press(page.get_by_role("button", name="Sign in"))
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")


async def test_who_has_no_mouse_signs_in_writes_answers_and_stops_and_always_sees_where_they_are(
    desk: CodexDesk, visit: Visit
):
    here, page, walk = desk.installation, visit.page, Walk(visit.page)
    async with here.companion():
        worker = await asking_thread(here)
        await signed_in(walk, desk, visit.url)
        row = page.get_by_role("list", name="Workers").get_by_role("link").first
        await walk.to(row)
        await here.turn(worker, {"say": "Here I am."})
        await expect(row).to_contain_text("Here I am.")
        await expect(row).to_be_focused()  # though it is another element by now
        await page.keyboard.press("Enter")

        words = page.get_by_role("textbox", name="Message")
        await walk.write(words, script({"shell": "echo yes > made.txt"}, {"say": "It is made."}))
        await visit.picture("keys-message")
        await walk.press(page.get_by_role("button", name="Send", exact=True))
        (asked,) = await pending(here)
        question = page.locator(".asks .approval")
        await expect(question).to_be_visible()
        await expect(words).to_be_focused()  # what sent it is gone while the turn runs
        await page.keyboard.insert_text("And then?")
        await walk.press(question.get_by_role("button", name=re.compile("^Yes")).first)
        await answered(walk, question)
        await expect(question).to_be_focused()
        await here.log_until(worker, method("turn/completed"))
        await expect(page.get_by_role("feed", name="Timeline")).to_contain_text("It is made.")
        await expect(words).to_have_value("And then?")

        await walk.to(page.get_by_role("feed", name="Timeline"))
        await visit.picture("keys-timeline")
        await stopped(walk)
        await here.log_until(worker, lambda event: event.eventType == "worker.stopped")
    assert (await ended(here, asked)).outcome == "accepted"
    assert WHY in str([event.payload for event in await here.whole_log(worker)])
    assert walk.problems == [], "\n".join(walk.problems)
    visit.assert_quiet()


async def answered(walk: Walk, question: Locator) -> None:
    """The second tap, where one is asked for."""
    sure, done = question.get_by_role("button", name=re.compile("I am sure")), question.locator(".outcome")
    await expect(sure.or_(done).first).to_be_visible()
    if await sure.count():
        await walk.press(sure)
    await expect(done).to_be_visible()


async def stopped(walk: Walk) -> None:
    """By the menu, at the second time; the dialog keeps who is in it, and brings them back to where they were."""
    page = walk.page
    more, stop = page.get_by_role("button", name="More about this worker"), page.get_by_role("button", name="Stop…")
    dialog = page.get_by_role("dialog", name="Stop this worker?")
    reason = dialog.get_by_role("textbox")
    await walk.press(more)
    await walk.press(stop)
    await expect(reason).to_be_focused()
    for _ in range(6):
        await walk.tab()
        assert await page.evaluate(HELD)
        await walk.again()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(more).to_be_focused()
    await walk.press(more)
    await walk.press(stop)
    await expect(reason).to_be_focused()
    await page.keyboard.insert_text(WHY)
    await walk.press(dialog.get_by_role("button", name="Stop it"))
    await walk.press(page.get_by_role("dialog").get_by_role("button", name="Close"))
    await expect(more).to_be_focused()

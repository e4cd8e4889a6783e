"""The list in Chromium with more workers than its page holds: what is typed is found wherever it is, and stays."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, expect
from tests.api.contract.world import World, lease
from tests.browser.served import Desk, desk

from autopilot.contract.port import Claims
from autopilot.testing.runtime import insert_worker

pytestmark = pytest.mark.slow
MANY = 130
"""More than the first page (50) and the next (100) hold together with what the stream brings (60)."""


@pytest.fixture
async def ada(world: World, launched: Browser) -> AsyncIterator[Desk]:
    """Somebody with many workers, of which the oldest is called something."""
    async with desk(world, launched) as made:
        await title(made, made.person.worker_id, "Rework the parser")
        await title(made, await made.person.open_worker(), "Another parser")
        await more(made, MANY)
        yield made


async def more(at: Desk, number: int) -> None:
    """So many workers, newer than the others."""
    claims = Claims(user_id=at.person.user_id)
    for _ in range(number):
        await insert_worker(at.world.runtime, f"worker-{uuid.uuid4()}", claims)


async def title(at: Desk, worker_id: str, words: str) -> None:
    await at.person.append(worker_id, method="thread/name/updated", params={"threadId": "t", "threadName": words})


def rows(at: Desk) -> Locator:
    """Those that are shown."""
    return at.visit.page.get_by_role("list", name="Workers").get_by_role("listitem")


def search(at: Desk) -> Locator:
    return at.visit.page.get_by_role("searchbox", name="Search workers")


async def test_what_is_typed_is_found_among_all_workers_and_stays_through_reload_a_worker_and_back(ada: Desk):
    page = await ada.visit.open("/")
    await search(ada).press_sequentially("PARSER rew")
    await expect(rows(ada)).to_have_count(1)
    await expect(rows(ada)).to_contain_text("Rework the parser")
    await expect(page).to_have_url(re.compile(r"/\?q=PARSER\+rew$"))
    await expect(page.get_by_text("1 found", exact=True)).to_be_attached()

    await page.reload()
    await expect(search(ada)).to_have_value("PARSER rew")
    await expect(rows(ada)).to_have_count(1)

    await rows(ada).get_by_role("link").click()
    await expect(page.get_by_role("feed", name="Timeline")).to_be_visible()
    await page.go_back()
    await expect(page).to_have_url(re.compile(r"/\?q=PARSER\+rew$"))
    await expect(page.get_by_role("feed", name="Timeline")).to_have_count(0)
    await expect(search(ada)).to_have_value("PARSER rew")
    await expect(rows(ada)).to_have_count(1)
    await page.go_forward()
    await expect(page.get_by_role("feed", name="Timeline")).to_be_visible()
    await page.go_back()

    await search(ada).press("Escape")
    await expect(search(ada)).to_have_value("")
    await expect(page).to_have_url(re.compile(r"/$"))
    await expect(rows(ada).nth(20)).to_be_visible()
    ada.visit.assert_quiet()


async def test_rows_that_the_stream_brings_obey_what_is_looked_for(ada: Desk):
    page = await ada.visit.open("/?q=parser")
    await expect(search(ada)).to_have_value("parser")
    await expect(rows(ada)).to_have_count(2)
    fresh = await ada.person.open_worker()
    await expect(page.locator(f"[id='row-{fresh}']")).to_be_attached()
    await expect(rows(ada)).to_have_count(2)
    await title(ada, fresh, "A third Parser")
    await expect(rows(ada)).to_have_count(3)
    await expect(rows(ada).first).to_contain_text("A third Parser")
    await title(ada, ada.person.worker_id, "Something else")
    await expect(rows(ada)).to_have_count(2)
    ada.visit.assert_quiet()


async def test_a_status_is_filtered_by_among_all_and_none_is_said_when_there_is_none(ada: Desk):
    assert (await ada.person.post(f"/workers/{ada.person.worker_id}/stop", {})).status_code == 202
    await more(ada, 60)  # the stopped one leaves the first page again
    page = await ada.visit.open("/")
    await page.get_by_label("Filters").click()
    await page.get_by_label("Status").select_option("stopped")
    await expect(rows(ada)).to_have_count(1)
    await page.get_by_label("Status").select_option("failed")
    await expect(page.get_by_text("No worker fits.")).to_be_visible()
    await expect(page.get_by_text("No workers yet")).to_be_hidden()
    assert await ada.visit.problems("list-none") == []
    await page.get_by_role("button", name="Show all workers").click()
    await expect(rows(ada).nth(20)).to_be_visible()
    ada.visit.assert_quiet()


async def test_a_search_that_the_server_did_not_hear_says_so_and_is_made_again(ada: Desk):
    page = await ada.visit.open("/")
    await page.route("**/rows?*", lambda route: route.abort())
    await search(ada).fill("rework")
    await expect(page.get_by_text("Not all workers could be searched.")).to_be_visible()
    await expect(page.get_by_text("No worker fits.")).to_be_hidden()
    await page.unroute("**/rows?*")
    await page.get_by_role("button", name="Search again").click()
    await expect(rows(ada)).to_have_count(1)
    await expect(page.get_by_text("Not all workers could be searched.")).to_be_hidden()


async def test_without_a_network_what_was_typed_is_looked_for_in_what_is_known(ada: Desk):
    page = await ada.visit.open("/")
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()  # this time through the service worker, which keeps it
    await expect(page.locator("#state")).to_have_attribute("data-state", "live")
    await title(ada, await ada.person.open_worker(), "The latest parser")
    await expect(rows(ada).first).to_contain_text("The latest parser")
    await page.reload()
    await search(ada).fill("latest")
    await expect(page).to_have_url(re.compile(r"/\?q=latest$"))
    await ada.visit.context.set_offline(True)
    await page.reload()
    await expect(search(ada)).to_have_value("latest")
    await expect(rows(ada)).to_have_count(1)
    await expect(page.get_by_text("Not all workers could be searched.")).to_be_visible()
    await ada.visit.context.set_offline(False)
    await expect(page.get_by_text("Not all workers could be searched.")).to_be_hidden()


async def on_a_machine(at: Desk, words: str) -> tuple[str, str]:
    """A worker of this title that a machine of its own holds; both ids."""
    machine = await at.person.machine()
    worker_id = await at.person.open_worker()
    await lease(machine, worker_id)
    await title(at, worker_id, words)
    return worker_id, machine.worker_id


async def test_machine_backend_status_and_words_narrow_the_list_together_and_are_gone_back_to(ada: Desk):
    _, first = await on_a_machine(ada, "Mend the clock")
    _, second = await on_a_machine(ada, "Mend the door")
    await title(ada, await ada.person.open_worker(), "Mend the roof")  # it is nowhere
    page = await ada.visit.open("/")
    await page.get_by_label("Filters").click()
    machine, backend, status = (page.get_by_label(name, exact=True) for name in ("Machine", "Backend", "Status"))
    await machine.select_option(first)
    await expect(rows(ada)).to_have_count(1)
    await expect(rows(ada)).to_contain_text("Mend the clock")
    await expect(page).to_have_url(re.compile(rf"/\?machine={first}$"))
    await backend.select_option("desktop")
    await expect(page.get_by_label("Filters, 2 set")).to_be_visible()
    await machine.select_option("")
    await expect(rows(ada)).to_have_count(2)
    await search(ada).fill("mend door")
    await expect(rows(ada)).to_have_count(1)
    await status.select_option("unknown")
    await expect(page).to_have_url(re.compile(r"/\?q=mend\+door&state=unknown&backend=desktop$"))
    await expect(rows(ada)).to_contain_text("Mend the door")

    await rows(ada).get_by_role("link").click()
    await expect(page.get_by_role("feed", name="Timeline")).to_be_visible()
    await page.go_back()
    await expect(page).to_have_url(re.compile(r"/\?q=mend\+door&state=unknown&backend=desktop$"))
    await expect(rows(ada)).to_have_count(1)
    await page.reload()
    await expect(rows(ada)).to_have_count(1)
    await expect(search(ada)).to_have_value("mend door")
    await expect(status).to_have_value("unknown")
    await expect(backend).to_have_value("desktop")
    await page.get_by_label("Filters, 2 set").click()
    await machine.select_option(second)
    await expect(rows(ada)).to_have_count(1)
    await machine.select_option(first)
    await expect(page.get_by_text("No worker fits.")).to_be_visible()
    await backend.select_option("local_sandbox")
    await expect(page.get_by_text("No worker fits.")).to_be_visible()
    await page.get_by_role("button", name="Show all workers").click()
    await expect(rows(ada).nth(20)).to_be_visible()
    await expect(page).to_have_url(re.compile(r"/$"))
    ada.visit.assert_quiet()


async def test_what_the_stream_brings_obeys_the_filters(ada: Desk):
    clock, first = await on_a_machine(ada, "Mend the clock")
    page = await ada.visit.open(f"/?machine={first}&state=unknown")
    await expect(rows(ada)).to_have_count(1)
    other, _ = await on_a_machine(ada, "Mend the door")
    await expect(page.locator(f"[id='row-{other}']")).to_be_attached()
    await expect(rows(ada)).to_have_count(1)
    assert (await ada.person.post(f"/workers/{clock}/stop", {})).status_code == 202
    await expect(page.get_by_text("No worker fits.")).to_be_visible()  # it stops: it is not open any more
    await page.get_by_label("Filters, 2 set").click()
    await page.get_by_label("Status").select_option("stopping")
    await expect(rows(ada)).to_have_count(1)
    await page.get_by_label("Status").select_option("")
    await expect(page).to_have_url(re.compile(rf"/\?machine={first}$"))
    await expect(rows(ada)).to_contain_text("Mend the clock")
    ada.visit.assert_quiet()

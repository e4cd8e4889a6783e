"""Notifications in Chromium, on a desktop that shows them: what our server sent, by our service worker, and each tap.

Only the road between is another: Chromium subscribes at a service of its maker's, which no test can reach. So the page
is handed a subscription of the test's own push service, and what arrived and was decrypted there is delivered to the
service worker by the browser's own debugger, as if it had come by the maker's.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import BrowserContext, CDPSession, expect
from tests.api.contract.world import Person, ask
from tests.api.push import PushWorld, ends_turn, executing, pushing
from tests.browser.desktop import Desktop, desktop
from tests.browser.screens import Visit, sign_in, visiting_from
from tests.waiting import until

from autopilot.api.push_keys import urlsafe
from autopilot.testing.postgres import TestCluster
from autopilot.testing.push_service import Browser, PushService

pytestmark = pytest.mark.e2e

SUBSCRIBES = """(() => {
    const letters = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
    const as = (said) => said && { endpoint: said.endpoint, toJSON: () => said, unsubscribe: () => testUnsubscribe() };
    PushManager.prototype.subscribe = async (wanted) => as(await testSubscribe(letters(wanted.applicationServerKey)));
    PushManager.prototype.getSubscription = async () => as(await testSubscription());
})()"""
SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications()).map((one) => ({
    title: one.title, body: one.body, tag: one.tag, silent: one.silent,
    actions: one.actions.map((action) => [action.action, action.title]),
}))"""
UNSUBSCRIBES = """() => {
    const unsubscribe = async () => { self.unsubscribed = true; };
    PushManager.prototype.getSubscription = async () => ({ unsubscribe });
}"""
KEPT = "async () => (await caches.keys()).filter((name) => name.startsWith('pages-'))"


@dataclass
class Subscribed:
    """What the page's browser has subscribed at the test's push service."""

    service: PushService
    browser: Browser | None = None

    async def attach(self, context: BrowserContext) -> None:
        """Have the pages of this browser subscribe there."""
        await context.expose_function("testSubscribe", self.subscribe)
        await context.expose_function("testSubscription", self.held)
        await context.expose_function("testUnsubscribe", self.unsubscribe)
        await context.add_init_script(SUBSCRIBES)

    def subscribe(self, key: str) -> dict[str, Any]:
        self.browser = self.service.subscribe(urlsafe(base64.b64decode(key)))
        return self.browser.subscription()

    def held(self) -> dict[str, Any] | None:
        return self.browser and self.browser.subscription()

    def unsubscribe(self) -> bool:
        assert self.browser is not None
        self.service.forget(self.browser)
        self.browser = None
        return True


@dataclass
class Told:
    """Somebody whose browser is told, at a desktop; and their machine, whose Codex asks."""

    at: PushWorld
    ada: Person
    machine: Person
    visit: Visit
    desktop: Desktop
    subscribed: Subscribed
    debugger: CDPSession
    registration: str

    async def question(self, number: int = 0, **said: Any) -> str:
        """Codex asks something harmless; and what the server sends of it arrives."""
        approval_id = await ask(self.machine, self.ada.worker_id, number, risk="low", **said)
        await self.arrives()
        return approval_id

    async def arrives(self) -> int:
        """Have the server send what is due, and the browser receive it; how many that were."""
        before = len(self.at.service.received)
        await self.at.turn()
        for message in self.at.service.received[before:]:
            params = {"origin": self.visit.url, "registrationId": self.registration, "data": message.text}
            await self.debugger.send("ServiceWorker.deliverPushMessage", params)
        return len(self.at.service.received) - before

    async def shown(self) -> list[dict[str, Any]]:
        """What the browser itself says is shown. Not before the desktop has it: until then Chromium would forget it."""
        return await self.visit.page.evaluate(SHOWN)

    async def events(self, event_type: str) -> list[dict[str, Any]]:
        """Those of this type in the log."""
        answer = await self.ada.get(f"/workers/{self.ada.worker_id}/events?after=0&limit=500")
        return [one for one in answer.json()["data"] if one["eventType"] == event_type]

    async def looks(self) -> bool:
        """Whether the server knows that somebody looks at the worker."""
        return bool(await self.at.world.api.pool.fetchval("select count(*) from api.push_looking"))

    async def looks_away(self) -> bool:
        return not await self.looks()

    async def approval(self, approval_id: str) -> dict[str, Any]:
        """The question, as the ledger has it."""
        answer = await self.ada.get(f"/approvals/{approval_id}")
        return answer.json()["data"]


@pytest.fixture
async def told(cluster: TestCluster) -> AsyncIterator[Told]:
    async with pushing(cluster, with_web=True) as at, desktop() as screen:
        ada, subscribed = await at.person("ada"), Subscribed(at.service)
        async with visiting_from(screen.environ, at.world.api.url) as visit:
            await subscribed.attach(visit.context)
            await sign_in(visit, ada.email, await at.world.api.code_for(ada.email))
            page = await visit.open("/settings")
            debugger = await visit.context.new_cdp_session(page)
            registration = await registered(debugger)
            await page.get_by_role("button", name="Turn on in this browser").click()
            await expect(page.get_by_text("This browser is told.")).to_be_visible()
            yield Told(at, ada, await executing(ada), visit, screen, subscribed, debugger, registration)
            visit.assert_quiet()


async def registered(debugger: CDPSession) -> str:
    """The number of our service worker, once it is active."""
    found: list[str] = []

    def updated(said: dict[str, Any]) -> None:
        found.extend(one["registrationId"] for one in said["versions"] if one["status"] == "activated")

    debugger.on("ServiceWorker.workerVersionUpdated", updated)
    await debugger.send("ServiceWorker.enable")
    await until(lambda: found)
    return found[0]


async def test_a_question_is_shown_with_its_answers_and_its_end_takes_its_place(told: Told):
    approval_id = await told.question(title="Run touch hello.txt?")

    first = await told.desktop.until(1)
    (shown,) = await told.shown()
    assert first.title.startswith("Codex asks: ")
    assert first.body.endswith("\n\nRun touch hello.txt?")
    assert list(first.buttons) == ["Yes", "No"]
    assert shown == {
        "title": first.title,
        "body": "Run touch hello.txt?",
        "tag": f"approval:{approval_id}",
        "silent": False,
        "actions": [["accept", "Yes"], ["decline", "No"]],
    }
    await told.ada.post(f"/approvals/{approval_id}/decision", {"option_id": "accept"})
    assert await told.arrives() == 1
    second = await told.desktop.until(2)
    (shown,) = await told.shown()
    assert second.replaces == first.number
    assert (shown["title"], shown["tag"], shown["silent"]) == ("Answered", f"approval:{approval_id}", True)
    assert (second.buttons, shown["actions"]) == ({}, [])


async def test_a_tap_leads_the_window_that_is_open_to_the_very_question(told: Told):
    approval_id = await told.question()
    shown, page = await told.desktop.until(1), told.visit.page
    await told.desktop.tap(shown)
    await page.wait_for_url(f"{told.visit.url}/inbox/{approval_id}")
    await expect(page.locator(f"[id='ap-{approval_id}']").get_by_role("button", name="Yes", exact=True)).to_be_visible()
    await until(lambda: shown.number in told.desktop.closed)


async def test_a_tap_opens_the_very_question_where_no_window_is_open(told: Told):
    approval_id = await told.question()
    shown = await told.desktop.until(1)
    await told.visit.page.close()
    async with told.visit.context.expect_page() as opening:
        await told.desktop.tap(shown)
    page = await opening.value
    await page.wait_for_url(f"{told.visit.url}/inbox/{approval_id}")
    await expect(page.locator(f"[id='ap-{approval_id}']").get_by_role("button", name="Yes", exact=True)).to_be_visible()


async def test_a_tap_opens_a_window_where_the_one_that_is_open_can_not_be_moved(told: Told):
    await told.debugger.send("Page.reload", {"ignoreCache": True})  # past the service worker: it has no hold on it
    await expect(told.visit.page.get_by_text("This browser is told.")).to_be_visible()
    assert await told.visit.page.evaluate("navigator.serviceWorker.controller") is None
    approval_id = await told.question()
    shown = await told.desktop.until(1)
    async with told.visit.context.expect_page() as opening:
        await told.desktop.tap(shown)
    await (await opening.value).wait_for_url(f"{told.visit.url}/inbox/{approval_id}")
    assert told.visit.page.url == f"{told.visit.url}/settings"


async def test_a_tap_leads_nobody_away_from_what_they_write(told: Told):
    page = await told.visit.open("/devices/guests")
    await page.get_by_label("Who is it for?").fill("Bob")
    approval_id = await told.question()
    shown = await told.desktop.until(1)
    async with told.visit.context.expect_page() as opening:
        await told.desktop.tap(shown)
    await (await opening.value).wait_for_url(f"{told.visit.url}/inbox/{approval_id}")
    await expect(page.get_by_label("Who is it for?")).to_have_value("Bob")


@pytest.mark.parametrize(("label", "option_id"), [("Yes", "accept"), ("No", "decline")])
async def test_an_answer_on_the_notification_is_the_answer(told: Told, label: str, option_id: str):
    approval_id = await told.question()
    await told.desktop.tap(await told.desktop.until(1), label)

    done = await told.desktop.until(2)

    assert (done.body.rpartition("\n")[2], done.buttons) == (f"Sent: {label}", {})
    decided = (await told.events("worker.approval.decided"))[0]
    approval = await told.approval(approval_id)
    assert (approval["state"], approval["decision"]["option_id"]) == ("decided", option_id)
    assert (decided["payload"]["approval_id"], decided["actor"]["surface"]) == (approval_id, "web")
    assert decided["actor"]["user_id"] == told.ada.user_id
    assert await told.arrives() == 0  # this device knows
    assert told.visit.page.url == f"{told.visit.url}/settings"


async def test_without_a_session_an_answer_is_none_and_leads_to_the_sign_in(told: Told):
    approval_id = await told.question()
    shown = await told.desktop.until(1)
    await told.visit.context.clear_cookies()

    await told.desktop.tap(shown, "Yes")

    await told.visit.page.wait_for_url(f"{told.visit.url}/sign-in?next=%2Finbox%2F{approval_id}")
    assert (await told.approval(approval_id))["state"] == "pending"
    assert await told.events("worker.approval.decided") == []


async def test_a_finished_turn_is_shown_and_leads_to_its_worker_and_nothing_is_while_one_looks(told: Told):
    await ends_turn(told.machine, told.ada.worker_id, "All tests pass.")
    assert await told.arrives() == 1
    shown = await told.desktop.until(1)
    assert shown.title.startswith("Done: ")
    assert (shown.body.rpartition("\n")[2], shown.buttons) == ("All tests pass.", {})
    await told.desktop.tap(shown)
    await told.visit.page.wait_for_url(f"{told.visit.url}/w/*")
    await until(told.looks)

    await ends_turn(told.machine, told.ada.worker_id, "And again.")
    assert await told.question() is not None
    assert len(told.desktop.shown) == 1
    await told.visit.open("/settings")
    await until(told.looks_away)
    await told.question(1)
    assert (await told.desktop.until(2)).title.startswith("Codex asks: ")


async def test_who_signs_out_leaves_nothing_shown_nothing_kept_and_is_told_no_more(told: Told):
    await told.question()
    shown, page = await told.desktop.until(1), told.visit.page
    (worker,) = told.visit.context.service_workers
    await worker.evaluate(UNSUBSCRIBES)
    await told.visit.open("/devices")
    await until(lambda: page.evaluate(KEPT))
    await page.get_by_role("button", name="Sign out", exact=True).first.click()
    await page.wait_for_url(f"{told.visit.url}/sign-in")

    await until(lambda: shown.number in told.desktop.closed)
    await until(lambda: worker.evaluate("self.unsubscribed === true"))
    assert await told.shown() == []
    assert await page.evaluate(KEPT) == []
    assert await told.at.world.api.pool.fetchval("select count(*) from api.push_subscription") == 0
    await ends_turn(told.machine, told.ada.worker_id)
    assert await told.arrives() == 0

"""What is done in the app is seen within a second in a web timeline that was open, and what is done there in the app.

The app's own code over Flet's protocol, the web app in Chromium, one server: request, answer, handshake and stop, each
with who did it, on which device, and how far it has come. Both sides' moments are of this machine's one clock.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import flet as ft
import pytest
from playwright.async_api import Browser, Locator, Page
from tests.api.contract.world import Person, ask, person
from tests.browser.screens import Visit, sign_in, visiting
from tests.browser.served import server
from tests.browser.test_seen_elsewhere import AT_ONCE_MS, FIRST_SEEN
from tests.ios.apps import signed_in
from tests.ios.phone import walk
from tests.ios.worker_desk import Desk, desk
from tests.pressure import withheld_ms
from tests.waiting import until

from autopilot.testing.postgres import TestCluster
from autopilot_ios.screens.approval import ApprovalScreen
from autopilot_ios.screens.connect import ConnectScreen
from autopilot_ios.screens.stop import StopScreen

pytestmark = pytest.mark.slow
IN_THE_APP, IN_THE_BROWSER = "Phone, iPhone app", "Chrome on Linux, web"


@dataclass
class Both:
    """Somebody's phone and browser, both with the same worker open."""

    at: Desk
    visit: Visit
    page: Page
    began: float = 0.0
    withheld: float = 0.0

    @property
    def person(self) -> Person:
        return self.at.person

    def begins(self) -> None:
        """What is done next is to be seen within a second of now."""
        self.began, self.withheld = time.time() * 1000, withheld_ms()

    async def in_the_web(self, key: str, *words: str) -> None:
        """The web timeline shows one item of this key with these words."""
        async with asyncio.timeout(30):
            seen = await self.page.evaluate(FIRST_SEEN, [key, list(words)])
        assert seen["count"] == 1
        self._at_once(key, seen["at"])

    async def in_the_app(self, *words: str) -> None:
        """The app's timeline shows one item with all of these words."""
        await until(lambda: self._items(words), between_seconds=0.005)
        self._at_once(words[0], time.time() * 1000)
        assert self._items(words) == 1

    def _items(self, words: tuple[str, ...]) -> int:
        items = [one for one in self.at.phone.controls() if isinstance(one, ft.Semantics) and one.container]
        texts = ["\n".join(str(getattr(part, "value", "")) for part in walk(item)) for item in items]
        return sum(all(word in text for word in words) for text in texts)

    def _at_once(self, what: str, seen_at: float) -> None:
        late = seen_at - self.began - (withheld_ms() - self.withheld)
        assert late < AT_ONCE_MS, f"{what} after {late:.0f} ms"

    async def clicks(self, button: Locator) -> None:
        """In the browser; the clock runs from the click itself."""
        await button.wait_for()
        self.withheld = withheld_ms()
        self.began = await button.evaluate(CLICK)


CLICK = """(button) => {
    const at = performance.timeOrigin + performance.now();
    button.click();
    return at;
}"""


@asynccontextmanager
async def both(cluster: TestCluster, launched: Browser, folder: Path) -> AsyncIterator[Both]:
    """Each was signed in on before the other's screen was opened: the name of a new device is asked for first."""
    async with server(cluster) as world, visiting(launched, world.api.url) as visit:
        ada = await person(world, "ada")
        secrets = await signed_in(world, ada.email, folder)
        await sign_in(visit, ada.email, await world.api.code_for(ada.email))
        async with desk(ada, folder, secrets=secrets) as at:
            page = await visit.open(f"/w/{ada.worker_id}")
            await until(lambda: at.phone.has("send") and at.core.names.devices)
            yield Both(at, visit, page)


async def test_what_is_done_in_the_app_is_seen_at_once_in_a_web_timeline_that_was_open(
    cluster: TestCluster, launched: Browser, tmp_path: Path
):
    async with both(cluster, launched, tmp_path) as held:
        at, ada = held.at, held.person
        await at.phone.type("say", "Run the tests")
        held.begins()
        await at.phone.tap("send")
        request_id = (await until(lambda: at.core.acts.view))[-1].request_id
        await held.in_the_web(f"request:{request_id}", "You", IN_THE_APP, "New turn")
        done = {"event_type": "worker.response", "payload": {"request_id": request_id, "response": {}}}
        held.begins()
        assert (await at.machine.post(f"/workers/{ada.worker_id}/events", {"event": done})).status_code == 202
        await held.in_the_web(f"request:{request_id}", "done")

        approval_id = await ask(at.machine, ada.worker_id, risk="low")
        at.shell.push(ApprovalScreen(at.core, approval_id, at.hand, print))
        await until(lambda: at.phone.has("answer-decline"))
        held.begins()
        await at.phone.tap("answer-decline")
        await held.in_the_web(f"approval:{approval_id}", "No", "You", IN_THE_APP)

        at.shell.replace(ConnectScreen(at.core, ada.worker_id, at.hand))
        await until(lambda: at.phone.has("connect") and not at.phone.find("connect").disabled)
        held.begins()
        await at.phone.tap("connect")
        handshake_id = at.core.acts.view[-1].request_id
        await held.in_the_web(f"handshake:{handshake_id}", "You", IN_THE_APP)

        at.shell.replace(StopScreen(at.core, ada.worker_id, at.hand))
        await until(lambda: at.phone.has("stop"))
        await at.phone.type("reason", "Enough for today")
        at.phone.find("force").value = True
        held.begins()
        await at.phone.tap("stop")
        stopped = await until(lambda: _stopped(held))
        await held.in_the_web(f"stopped:{stopped}", "Enough for today", IN_THE_APP)


async def _stopped(held: Both) -> int | None:
    """Where the log says so."""
    events = await held.at.core.client.events(held.person.worker_id, limit=20)
    return next((event.seq for event in events if event.eventType == "worker.stopped"), None)


async def test_what_is_done_in_the_web_is_seen_at_once_in_the_app(
    cluster: TestCluster, launched: Browser, tmp_path: Path
):
    async with both(cluster, launched, tmp_path) as held:
        at, page, ada = held.at, held.page, held.person
        await page.get_by_role("textbox", name="Message").fill("A word from the web.")
        await held.clicks(page.get_by_role("button", name="Send", exact=True))
        await held.in_the_app("New turn", "You", IN_THE_BROWSER)
        request_id = (await until(lambda: _receipts(held)))[0]
        await at.phone.tap(next(str(one.key) for one in at.phone.controls() if str(one.key).endswith("-way")))
        done = {"event_type": "worker.response", "payload": {"request_id": request_id, "response": {}}}
        held.begins()
        assert (await at.machine.post(f"/workers/{ada.worker_id}/events", {"event": done})).status_code == 202
        await held.in_the_app("New turn", "accepted", "done", request_id)

        await page.get_by_role("button", name="More about this worker").click()
        await page.get_by_role("button", name="Connect").click()
        dialog = page.get_by_role("dialog", name="Connect")
        await held.clicks(dialog.get_by_role("button", name="Connect"))
        await held.in_the_app("Handshake", "You", IN_THE_BROWSER)
        await page.keyboard.press("Escape")

        approval_id = await ask(at.machine, ada.worker_id, risk="low")
        await held.visit.open("/inbox")
        answers = page.locator(f"[id='ap-{approval_id}'] .answers button")
        await held.clicks(answers.filter(has_text=re.compile("^No")).first)
        await held.in_the_app("Run touch hello.txt?", "No", "You", IN_THE_BROWSER)

        await held.visit.open(f"/w/{ada.worker_id}")
        await page.get_by_role("button", name="More about this worker").click()
        await page.get_by_role("button", name="Stop…").click()
        dialog = page.get_by_role("dialog", name="Stop this worker?")
        await dialog.get_by_role("textbox").fill("Enough for today")
        await dialog.get_by_role("checkbox").check()
        await held.clicks(dialog.get_by_role("button", name="Stop it"))
        await held.in_the_app("Enough for today", IN_THE_BROWSER)


def _receipts(held: Both) -> list[str]:
    found = held.at.core.overview.view.overview.receipts
    return [one.request_id for one in found if one.method == "turn/start"]

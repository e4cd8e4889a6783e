"""What is done on a phone is seen at once in browsers that are open already: one's own, and a member's of the team."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page
from tests.api.contract.test_team_roles import Shared, shared
from tests.api.contract.world import Person, World, person
from tests.browser.screens import sign_in, visiting
from tests.browser.served import server

from autopilot.client import RuntimeCodexClient
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.slow
AT_ONCE_MS = 1000.0
"""The promise; it takes a thirtieth of that on a quiet machine."""
FIRST_SEEN = """([key, words]) => new Promise((done) => {
    const look = () => {
        const found = [...document.querySelectorAll('#timeline article')].filter((one) => one.dataset.key === key);
        if (words.every((word) => found[0]?.textContent.includes(word))) {
            done({at: performance.timeOrigin + performance.now(), count: found.length});
        } else setTimeout(look, 5);
    };
    look();
})"""


@dataclass
class Onlookers:
    """A phone, and two browsers that were open before."""

    world: World
    ada: Person
    case: Shared
    phone: RuntimeCodexClient
    pages: dict[str, Page]

    async def see(self, key: str, *words: str) -> None:
        """Both show one item of this key with these words, within a second of now."""
        began = time.time() * 1000
        for whose, page in self.pages.items():
            async with asyncio.timeout(30):
                seen = await page.evaluate(FIRST_SEEN, [key, list(words)])
            assert seen["count"] == 1, f"{whose}: {key} {seen['count']} times"
            late = seen["at"] - began
            assert late < AT_ONCE_MS, f"{whose}: {key} after {late:.0f} ms"


@pytest.fixture
async def onlookers(cluster: TestCluster, launched: Browser) -> AsyncIterator[Onlookers]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(server(cluster))
        ada = await person(world, "ada")
        case = await shared(ada)
        pages = {}
        for whose, who in {"own": ada, "member's": case.team["viewer"]}.items():
            visit = await stack.enter_async_context(visiting(launched, world.api.url))
            await sign_in(visit, who.email, await world.api.code_for(who.email))
            pages[whose] = await visit.open(f"/w/{case.worker_id}")
        signed = await world.api.sign_in(ada.email, **{"x-autopilot-surface": "ios"})
        phone = await stack.enter_async_context(RuntimeCodexClient(world.api.url, signed["token"], surface="ios"))
        yield Onlookers(world, ada, case, phone, pages)


async def test_what_a_phone_does_is_seen_at_once_by_oneself_and_by_a_member(onlookers: Onlookers):
    case, phone = onlookers.case, onlookers.phone
    worker_id, machine = case.worker_id, case.machine

    asked = await phone.request(worker_id, "turn/start", {"input": []}, request_id="phone-1", wait_ms=0)
    assert asked.state == "accepted"
    await onlookers.see("request:phone-1", "iPhone app", "New turn")
    answer = {"event_type": "worker.response", "payload": {"request_id": "phone-1", "response": {}}}
    said = await machine.post(f"/workers/{worker_id}/events", {"event": answer})
    assert said.status_code == 202, said.text
    await onlookers.see("request:phone-1", "done")

    handshake = {"source": "autopilot-ios", "method": "ios/handshake", "handshake_id": "h-1", "device_id": "phone"}
    handshake["occurred_at"] = "2026-01-01T00:00:00Z"
    await phone.append_event(worker_id, "worker.event", handshake)
    await onlookers.see("handshake:h-1", "iPhone app")
    ack = {"source": "autopilot-desktop", "method": "desktop/handshake_ack", "handshake_id": "h-1"}
    await machine.append(worker_id, **ack, desktop_session_id="session-9", occurred_at="2026-01-01T00:00:01Z")
    await onlookers.see("handshake:h-1", "session-9")

    approval_id = case.ids["approval_id"]
    await phone.decide(approval_id, "decline", message="rather not")
    await onlookers.see(f"approval:{approval_id}", "iPhone app", "rather not")

    await phone.stop_worker(worker_id, reason="enough for today", force=True)
    stopped = [event for event in await phone.events(worker_id, limit=20) if event.eventType == "worker.stopped"]
    await onlookers.see(f"stopped:{stopped[-1].seq}", "enough for today", "iPhone app")

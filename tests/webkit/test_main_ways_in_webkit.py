"""The main ways through the app in WebKit, once: what Chromium forgives, an iPhone may not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from tests.api.contract.world import Person, World, ask, lease, person
from tests.browser.served import server
from tests.web.desk import asked_for
from tests.webkit.window import WebKit, webkit

from autopilot.testing.approvals import ended
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
async def world(cluster: TestCluster) -> AsyncIterator[World]:
    async with server(cluster) as made:
        yield made


@pytest.fixture
async def window(anyio_backend: str) -> AsyncIterator[WebKit]:
    async with webkit() as opened:
        yield opened


async def sign_in(window: WebKit, world: World, ada: Person) -> None:
    """By the form that is on the screen."""
    await window.type(await window.find("#email"), ada.email)
    await window.click(await window.named("button", "button", "Send me a code"))
    await window.find("#code")
    await world.api.app.state.api.postman.delivered()
    await window.type(await window.find("#code"), world.api.post.mails[-1].code)
    await window.click(await window.named("button", "button", "Sign in"))


async def say(ada: Person, text: str, number: int) -> None:
    item = {"type": "agentMessage", "id": f"m{number}", "text": text}
    await ada.append(ada.worker_id, method="item/completed", params={"threadId": "t", "turnId": "u", "item": item})


async def tell(machine: Person, worker_id: str, event_type: str, **payload: object) -> None:
    """The machine says an event of its worker."""
    event = {"event_type": event_type, "payload": payload}
    answer = await machine.post(f"/workers/{worker_id}/events", {"event": event})
    assert answer.status_code == 202, answer.text


async def test_signing_in_finding_a_worker_and_following_it(world: World, window: WebKit):
    ada = await person(world, "ada")
    await say(ada, "Said before anybody looked.", 0)
    await window.open(f"{world.api.url}/w/{ada.worker_id}")
    await sign_in(window, world, ada)

    await window.says("#timeline", "Said before anybody looked.")
    await window.says("#state", "Live")
    await say(ada, "Said while we look.", 1)
    await window.says("#timeline", "Said while we look.")
    await window.picture("worker")
    assert await window.run("return document.querySelector('#timeline').getAttribute('role')") == "feed"

    await window.click(await window.named("a", "link", "Back"))
    await window.says("#list", "Workers")
    await window.picture("workers")
    await window.click(await window.named("#tabs a", "link", "Inbox"))
    await window.says("#screen", "Inbox")
    await window.picture("inbox")


async def test_writing_answering_losing_the_network_and_stopping(world: World, window: WebKit):
    ada = await person(world, "ada")
    machine = await ada.machine()
    await lease(machine, ada.worker_id)
    at = urlsplit(world.api.url)
    async with FaultProxy(str(at.hostname), int(at.port or 0)) as between:
        await window.open(f"{between.url}/w/{ada.worker_id}")
        await sign_in(window, world, ada)
        await window.says("#state", "Live")

        await window.type(await window.named("#composer textarea", "textbox", "Message"), "Look at the tests.")
        await window.click(await window.named("#composer button", "button", "Send"))
        await window.says("#receipts", "Look at the tests.")
        asked = await asked_for(machine, "turn/start")
        await tell(machine, ada.worker_id, "worker.response", request_id=asked, response={})
        await window.says("#receipts", "Done")
        await window.picture("sent")

        question = await ask(machine, ada.worker_id, 1, risk="low", title="Run the tests?")
        await window.says("#inbox-count", "1")
        await window.click(await window.named("#tabs a", "link", "Inbox 1 pending"))
        await window.says("#screen", "Run the tests?")
        await window.click(await window.named("#screen button", "button", "Yes"))
        await window.says("#screen", "Approved by you")
        await tell(machine, ada.worker_id, "worker.approval.applied", **ended(question, "accepted"))
        await window.picture("answered")

        await window.open(f"{between.url}/w/{ada.worker_id}")
        await window.says("#state", "Live")
        between.plan = lambda _number: Fault("refuse")
        between.cut_all()
        await say(ada, "Said while nobody could hear.", 2)
        await window.says("#state", "No connection to the server: showing what was known")
        await window.picture("no-connection")
        between.plan = lambda _number: HEALTHY
        await window.says("#state", "Live")
        await window.says("#timeline", "Said while nobody could hear.")

        await window.click(await window.named("button", "button", "More about this worker"))
        await window.click(await window.named("#menu button", "button", "Stop…"))
        await window.type(await window.find("#stop-reason"), "Enough for today")
        await window.click(await window.named("#dialog button", "button", "Stop it"))
        await window.says("#dialog", "Being stopped")
        await window.click(await window.named("#dialog button", "button", "Close"))
        await tell(machine, ada.worker_id, "worker.stopped", reason="Enough for today", verified=True)
        await window.says("#timeline", "Enough for today")
        await window.says("#composer", "This worker is stopped.")
        await window.picture("stopped")

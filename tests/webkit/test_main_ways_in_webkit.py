"""The main ways through the app in WebKit, once: what Chromium forgives, an iPhone may not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.api.contract.world import Person, World, person
from tests.browser.served import server
from tests.webkit.window import WebKit, webkit

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


async def say(ada: Person, text: str, number: int) -> None:
    item = {"type": "agentMessage", "id": f"m{number}", "text": text}
    await ada.append(ada.worker_id, method="item/completed", params={"threadId": "t", "turnId": "u", "item": item})


async def test_signing_in_finding_a_worker_and_following_it(world: World, window: WebKit):
    ada = await person(world, "ada")
    await say(ada, "Said before anybody looked.", 0)
    await window.open(f"{world.api.url}/w/{ada.worker_id}")
    await window.type(await window.find("#email"), ada.email)
    await window.click(await window.named("button", "button", "Send me a code"))
    await window.find("#code")
    await world.api.app.state.api.postman.delivered()
    await window.type(await window.find("#code"), world.api.post.mails[-1].code)
    await window.click(await window.named("button", "button", "Sign in"))

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

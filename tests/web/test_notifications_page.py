"""Notifications on the settings screen, over a push service of the test's own."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.api.contract.conftest import opened
from tests.api.push import HERE
from tests.web.browser import Browser, visitor

from autopilot.ops.serve import Server
from autopilot.testing.postgres import TestCluster
from autopilot.testing.push_service import PushService

PATH = "/settings/notifications"


@asynccontextmanager
async def somebody(cluster: TestCluster) -> AsyncIterator[tuple[Browser, PushService]]:
    """A browser of an installation that may send to the service."""
    service = PushService()
    async with (
        Server(service.app).running() as running,
        opened("one process", cluster, settings=HERE, with_web=True) as world,
    ):
        service.url = running.url
        browser = await visitor(world, "ada")
        yield browser, service
        await browser.http.aclose()


async def post_json(browser: Browser, path: str, body: object) -> tuple[int, dict[str, str]]:
    """As the page's script does."""
    headers = {"x-csrf": await browser.proof(), "hx-request": "true"}
    answer = await browser.http.post(path, json=body, headers=headers)
    return answer.status_code, answer.json()


async def test_a_browser_is_told_tried_and_told_no_more(cluster: TestCluster) -> None:
    async with somebody(cluster) as (ada, service):
        none_yet = await post_json(ada, f"{PATH}/test", {})
        key = (await ada.get("/settings")).one("div", id="push").attributes["data-public-key"] or ""
        made = service.subscribe(key)
        body = {**made.subscription(), "public_key": key}
        status, said = await post_json(ada, f"{PATH}/subscribe", body)
        assert (status, list(said)) == (200, ["subscription_id"])

        assert (await post_json(ada, f"{PATH}/test", {}))[1] == {"words": "Sent. It should appear in a moment."}
        (received,) = await service.until(1)
        assert received.browser == made.name

        device = (await ada.get("/settings")).one("li", data_subscription=digest(made.endpoint))
        assert "(this one)" in device.text
        assert device.one("input", name="subscription_id").attributes["value"] == said["subscription_id"]
        assert (await ada.post(f"{PATH}/remove", said)).status_code == 303
        assert not (await ada.get("/settings")).all("input", name="subscription_id")
        assert none_yet[1] == {"words": "No device is told yet. Turn notifications on first."}


async def test_what_a_push_service_refuses_is_told_in_words(cluster: TestCluster) -> None:
    async with somebody(cluster) as (ada, service):
        key = (await ada.get("/settings")).one("div", id="push").attributes["data-public-key"] or ""
        made = service.subscribe(key)
        await post_json(ada, f"{PATH}/subscribe", {**made.subscription(), "public_key": key})
        service.forget(made)

        _, said = await post_json(ada, f"{PATH}/test", {})
        assert said["words"].startswith("1 of 1 could not be reached:")
        status, said = await post_json(ada, f"{PATH}/subscribe", {"endpoint": "http://169.254.169.254/x", "keys": 1})
        assert (status, list(said)) == (422, ["error"])


async def test_kinds_and_quiet_hours_are_kept(ada: Browser) -> None:
    page = await ada.get("/settings")
    assert "checked" in page.one("input", name="approvals").attributes
    chosen = {"failures": "yes", "quiet_hours": "yes", "quiet_from": "21:30", "quiet_to": "06:45"}
    chosen["time_zone"] = "Europe/Berlin"
    assert (await ada.post(PATH, chosen)).status_code == 303

    page = await ada.get("/settings")

    assert "checked" not in page.one("input", name="approvals").attributes
    assert "checked" in page.one("input", name="failures").attributes
    assert page.one("input", name="quiet_from").attributes["value"] == "21:30"
    assert page.one("input", name="time_zone").attributes["value"] == "Europe/Berlin"
    refused = await ada.post(PATH, {**chosen, "time_zone": "Nowhere/Land"})
    assert (refused.status_code, refused.headers["hx-retarget"]) == (422, "#notices")


def digest(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode()).hexdigest()

"""What a notification leads to: an answer that is good once, with the cookie alone; and none of what is looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from tests.api.contract.world import Person, ask
from tests.api.push import PushWorld, executing, pushing
from tests.waiting import until
from tests.web.browser import Browser, visitor

from autopilot.testing.postgres import TestCluster

ANSWER = "/notifications/answer"


@asynccontextmanager
async def told(cluster: TestCluster) -> AsyncIterator[tuple[PushWorld, Browser, Person]]:
    """A browser that is told, and the machine of its user's worker."""
    async with pushing(cluster, with_web=True) as at:
        browser = await visitor(at.world, "ada")
        assert browser.person is not None
        machine = await executing(browser.person)
        key = (await browser.get("/settings")).one("div", id="push").attributes["data-public-key"] or ""
        body = {**at.service.subscribe(key).subscription(), "public_key": key}
        headers = {"x-csrf": await browser.proof(), "hx-request": "true"}
        made = await browser.http.post("/settings/notifications/subscribe", json=body, headers=headers)
        assert made.status_code == 200, made.text
        await at.turn()
        yield at, browser, machine
        await browser.http.aclose()


async def question(at: PushWorld, machine: Person, browser: Browser) -> dict[str, Any]:
    """Codex asks something harmless; the notification of it."""
    assert browser.person is not None
    await ask(machine, browser.person.worker_id, risk="low")
    (came,) = await at.turn()
    return came


async def post(browser: Browser, token: str, **headers: str) -> httpx2.Response:
    return await browser.http.post(ANSWER, json={"token": token}, headers=headers)


async def test_an_answer_from_a_notification_counts_once_and_takes_the_cookie(cluster: TestCluster):
    async with told(cluster) as (at, browser, machine):
        came = await question(at, machine, browser)
        option = came["options"][0]
        async with httpx2.AsyncClient(base_url=at.world.api.url, trust_env=False) as nobody:
            assert (await nobody.post(ANSWER, json={"token": option["token"]})).status_code == 303
        assert (await post(browser, option["token"], origin="https://evil.example")).status_code == 403

        answered = await post(browser, option["token"])

        assert answered.json() == {"words": f"Sent: {option['label']}"}
        assert browser.person is not None
        approval = (await browser.person.get(f"/approvals/{came['approval_id']}")).json()["data"]
        assert approval["decision"]["option_id"] == option["option_id"]
        assert (await post(browser, option["token"])).status_code == 404


@pytest.mark.parametrize("given", ["", "apna_guess", None])
async def test_a_guess_is_no_answer(cluster: TestCluster, given: str | None):
    async with told(cluster) as (_, browser, _machine):
        assert (await browser.http.post(ANSWER, json={"token": given})).status_code in {404, 422}


async def test_nothing_is_sent_of_a_worker_that_is_on_the_screen_and_it_is_again_when_it_is_left(cluster: TestCluster):
    async with told(cluster) as (at, browser, machine):
        assert browser.person is not None

        async def looks() -> int:
            return await at.world.api.pool.fetchval("select count(*) from api.push_looking")

        async with browser.live(browser.person.worker_id) as frames:
            await anext(frames)
            await until(looks)
            await ask(machine, browser.person.worker_id, 1, risk="low")
            assert await at.turn() == []
        await until(lambda: browser_left(looks))
        await ask(machine, browser.person.worker_id, 2, risk="low")
        assert len(await at.turn()) == 1


async def test_two_windows_of_one_browser_hold_back_what_either_shows(cluster: TestCluster):
    async with told(cluster) as (at, browser, _machine):
        assert browser.person is not None
        first, second = browser.person.worker_id, await browser.person.open_worker()

        async def shown() -> set[str]:
            rows = await at.world.api.pool.fetch("select worker_ids from api.push_looking")
            return {worker_id for row in rows for worker_id in row["worker_ids"]}

        async def until_shown(*worker_ids: str) -> None:
            await until(lambda: is_shown(set(worker_ids)))

        async def is_shown(worker_ids: set[str]) -> bool:
            return await shown() == worker_ids

        async with browser.live(first) as one:
            await anext(one)
            await until_shown(first)
            async with browser.live(second) as other, browser.live(first) as same:
                await anext(other)
                await anext(same)
                await until_shown(first, second)
            await until_shown(first)
        await until_shown()


async def browser_left(looks: Any) -> bool:
    return await looks() == 0

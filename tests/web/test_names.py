"""The names that a browser's screens know: asked for at once when somebody has none, and not without end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from tests.web.browser import Browser
from tests.web.desk import person_of
from typing_extensions import override

from autopilot.client import RuntimeCodexClient
from autopilot.contract import Actor
from autopilot.testing.clock import FakeClock
from autopilot.web.names import GOOD_SECONDS, MOST_EARLY, NameBook


class Counting(httpx2.AsyncHTTPTransport):
    """A way to the real server that counts who asks for all the names."""

    asked = 0

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += request.url.path == "/api/me"
        return await super().handle_async_request(request)


@pytest.fixture
async def way() -> Counting:
    return Counting()


@pytest.fixture
async def visitor(ada: Browser, way: Counting) -> AsyncIterator[Any]:
    person = person_of(ada)
    machine = await person.machine()  # with one, names are good for the whole minute
    assert machine
    async with RuntimeCodexClient(person.world.api.url, person.token, transport=way) as client:
        yield SimpleNamespace(client=client, key="one", user_id=person.user_id)


def by(visitor: Any, device_id: str) -> Actor:
    return Actor(user_id=visitor.user_id, device_id=device_id, surface="ios")


async def test_a_device_that_nobody_knows_is_asked_for_once_and_again_when_the_minute_is_over(
    visitor: Any, way: Counting
):
    clock = FakeClock()
    book = NameBook(clock)
    await book.of(visitor)
    for _ in range(3):
        await book.of(visitor, [by(visitor, "dev_gone")])
    assert way.asked == 2
    await clock.advance(GOOD_SECONDS + 1)
    await book.of(visitor, [by(visitor, "dev_gone")])
    assert way.asked == 3


async def test_all_who_meet_the_same_stranger_at_once_ask_together(visitor: Any, way: Counting):
    book = NameBook(FakeClock())
    await book.of(visitor)
    await asyncio.gather(*(book.of(visitor, [by(visitor, "dev_new")]) for _ in range(5)))
    assert way.asked == 2


async def test_many_strangers_are_not_asked_for_one_by_one_without_end(visitor: Any, way: Counting):
    book = NameBook(FakeClock())
    await book.of(visitor)
    for number in range(3 * MOST_EARLY):
        await book.of(visitor, [by(visitor, f"dev_{number}")])
    assert way.asked == 1 + MOST_EARLY


async def test_whose_name_is_known_nobody_asks_for(visitor: Any, way: Counting):
    book = NameBook(FakeClock())
    names = await book.of(visitor)
    assert names.device is not None
    assert await book.of(visitor, [by(visitor, names.device), None, Actor(surface="runtime")]) is names
    assert way.asked == 1

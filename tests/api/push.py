"""A server whose notifications go to a push service of the test's own, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from tests.api.contract.conftest import AMPLE, opened
from tests.api.contract.world import Person, World, person

from autopilot.api.settings import Limits
from autopilot.ops.serve import Server
from autopilot.testing.postgres import TestCluster
from autopilot.testing.push_service import Browser, PushService

HERE = msgspec.structs.replace(AMPLE, public_url="http://127.0.0.1:8787")
"""An installation that is reached on loopback alone: it may send there."""


@dataclass
class PushWorld:
    world: World
    service: PushService

    async def person(self, name: str) -> Person:
        return await person(self.world, name)

    @property
    def room(self) -> Any:
        """The server's own parts."""
        return self.world.api.app.state.api.push


@asynccontextmanager
async def pushing(cluster: TestCluster, *, shape: str = "one process", **limits: Any) -> AsyncIterator[PushWorld]:
    """It looks for what is to be sent only when a test has it look."""
    service, stopping = PushService(), asyncio.Event()
    async with (
        Server(service.app, stopping=stopping).running() as door,
        opened(shape, cluster, settings=HERE, limits=replace(Limits(push_tries_per_minute=6000.0), **limits)) as world,
    ):
        service.url = door.url
        yield PushWorld(world, service)


async def state_of(who: Person) -> dict[str, Any]:
    answer = await who.get("/api/push")
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def subscribed(at: PushWorld, who: Person, **more: Any) -> tuple[Browser, dict[str, Any]]:
    """A browser of this person's that subscribed, and what the server says of it."""
    browser = at.service.subscribe((await state_of(who))["public_key"])
    answer = await who.post("/api/push/subscriptions", {**browser.subscription(), **more})
    assert answer.status_code == 200, answer.text
    return browser, answer.json()["data"]

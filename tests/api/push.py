"""A server whose notifications go to a push service of the test's own, on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from tests.api.contract.conftest import AMPLE, opened
from tests.api.contract.world import Person, World, lease, person

from autopilot.api.push_room import PushRoom, push_room
from autopilot.api.settings import Limits
from autopilot.contract.port import RuntimePort
from autopilot.ops.clock import Clock
from autopilot.ops.metrics import Metrics
from autopilot.ops.serve import Server
from autopilot.testing.clock import FakeClock
from autopilot.testing.postgres import TestCluster
from autopilot.testing.push_service import Browser, PushService

HERE = msgspec.structs.replace(AMPLE, public_url="http://127.0.0.1:8787")
"""An installation that is reached on loopback alone: it may send there."""


@dataclass
class PushWorld:
    world: World
    service: PushService
    clock: FakeClock = field(default_factory=lambda: FakeClock(datetime.now(UTC)))
    """Of what is planned and sent; it stands still unless a test advances it."""

    async def person(self, name: str) -> Person:
        return await person(self.world, name)

    @property
    def room(self) -> PushRoom:
        """The server's own parts."""
        found: PushRoom = self.world.api.app.state.api.push
        return found

    def node(
        self, port: RuntimePort | None = None, *, metrics: Metrics | None = None, clock: Clock | None = None
    ) -> PushRoom:
        """The parts of another process of the same installation, by this test's clock."""
        api = self.world.api
        key, limits, counted = self.room.push.key, Limits(), metrics or Metrics()
        clock = clock or self.clock
        return push_room(HERE, api.pool, port or api.runtime, key=key, limits=limits, clock=clock, metrics=counted)

    async def turn(self, node: PushRoom | None = None) -> list[dict[str, Any]]:
        """Plan and send all that is due now; what arrived by it."""
        node, before = node or self.node(), len(self.service.received)
        while await node.planner.turn():
            pass
        while await node.deliverer.turn():
            pass
        await node.sender.aclose()
        return [message.notification for message in self.service.received[before:]]


@asynccontextmanager
async def pushing(
    cluster: TestCluster, *, shape: str = "one process", with_web: bool = False, **limits: Any
) -> AsyncIterator[PushWorld]:
    """It looks for what is to be sent only when a test has it look."""
    service, stopping = PushService(), asyncio.Event()
    async with (
        Server(service.app, stopping=stopping).running() as door,
        opened(
            shape,
            cluster,
            settings=HERE,
            limits=replace(Limits(push_tries_per_minute=6000.0, push_seconds=1e9), **limits),
            with_web=with_web,
        ) as world,
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


async def again(at: PushWorld, who: Person) -> Person:
    """Another device of the same user."""
    minted = await at.world.api.mint(who.email)
    return Person(at.world, who.email, who.user_id, minted.token, who.worker_id)


async def executing(who: Person) -> Person:
    """This person's machine, which executes their worker."""
    machine = await who.machine(f"laptop-of-{who.user_id}")
    await lease(machine, who.worker_id)
    return machine


async def says(machine: Person, worker_id: str, event_type: str = "worker.event", **payload: Any) -> None:
    """This machine appends an event."""
    event = {"event_type": event_type, "payload": {"source": "autopilot-desktop", **payload}}
    answer = await machine.post(f"/workers/{worker_id}/events", {"event": event})
    assert answer.status_code == 202, answer.text


async def ends_turn(machine: Person, worker_id: str, words: str = "All tests pass.", **turn: Any) -> None:
    """A turn of this worker's ends."""
    items = [{"type": "agentMessage", "id": "m", "text": words}]
    said = {"id": "turn-1", "status": "completed", "items": items, "error": None, **turn}
    await says(machine, worker_id, method="turn/completed", params={"threadId": "t", "turn": said})

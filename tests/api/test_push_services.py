"""Push services that hang, or want to be left alone, and what an operator sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from starlette.responses import Response
from tests.api.contract.world import Person, ask, lease
from tests.api.push import PushWorld, again, ends_turn, executing, pushing, state_of, subscribed

from autopilot.api import push_delivery, push_road
from autopilot.api.push_plan import SQL
from autopilot.api.push_road import Road
from autopilot.ops.clock import SystemClock
from autopilot.ops.metrics import Metrics
from autopilot.ops.serve import Server
from autopilot.testing.push_service import PushService

MANY = 2 * push_road.TO_A_SERVICE + 1


@pytest.fixture
async def at(cluster) -> AsyncIterator[PushWorld]:
    async with pushing(cluster) as made:
        yield made


@pytest.fixture
async def ada(at: PushWorld) -> Person:
    return await at.person("ada")


@pytest.fixture
async def machine(ada: Person) -> Person:
    return await executing(ada)


@asynccontextmanager
async def another(who: Person) -> AsyncIterator[PushService]:
    """A push service of another maker, and a browser of this person's that subscribed there."""
    service, stopping = PushService(), asyncio.Event()
    async with Server(service.app, stopping=stopping).running() as door:
        service.url = door.url
        browser = service.subscribe((await state_of(who))["public_key"])
        answer = await who.post("/api/push/subscriptions", browser.subscription())
        assert answer.status_code == 200, answer.text
        yield service
        service.awake.set()


async def workers(ada: Person, machine: Person, count: int) -> list[str]:
    """So many, of each of which a turn has ended."""
    found = [await ada.open_worker() for _ in range(count)]
    for worker_id in found:
        await lease(machine, worker_id)
        await ends_turn(machine, worker_id)
    return found


async def test_a_push_service_that_hangs_holds_up_none_of_the_others(at, ada, machine):
    async with another(await again(at, ada)) as hangs:
        await subscribed(at, ada)
        hangs.awake.clear()
        sent = await workers(ada, machine, MANY)
        node = at.node(clock=SystemClock())
        while await node.planner.turn():
            pass
        async with asyncio.TaskGroup() as group:
            delivering = group.create_task(node.deliverer.run())
            received = await at.service.until(MANY)
            assert hangs.tries <= push_road.TO_A_SERVICE
            hangs.awake.set()
            await hangs.until(MANY)
            delivering.cancel()
        await node.sender.aclose()
    assert sorted(one.notification["worker_id"] for one in received) == sorted(sent)
    assert {one.notification["worker_id"] for one in hangs.received} == set(sent)


async def test_a_push_service_that_wants_fewer_hears_of_nothing_else_of_that_device_meanwhile(at, ada, machine):
    await subscribed(at, ada)
    other, _ = await subscribed(at, await again(at, ada))
    at.service.answers.extend(Response(status_code=503, headers={"retry-after": "100"}) for _ in range(2))
    await ends_turn(machine, ada.worker_id)
    await at.turn()  # both are told to wait
    at.service.forget(other)
    approval_id = await ask(machine, ada.worker_id)
    await at.clock.advance(50)
    assert await at.turn() == []
    assert at.service.tries == 2
    await at.clock.advance(60)
    assert {told["kind"] for told in await at.turn()} == {"turn", "approval"}
    assert at.service.received[-1].notification["worker_id"] == ada.worker_id
    assert approval_id in {one.notification["approval_id"] for one in at.service.received}


def test_a_service_that_is_full_and_a_user_who_is_leave_room_for_the_rest():
    road = Road()
    assert road.room == push_road.TO_A_SERVICE
    for _ in range(push_road.TO_A_SERVICE):
        road.enter("hangs", 1)
    assert (road.full_services, road.full_users, road.room) == (["hangs"], [], push_road.TO_A_SERVICE)
    for number in range(push_road.OF_A_USER - push_road.TO_A_SERVICE):
        road.enter(f"service {number}", 1)
    assert road.full_users == [1]
    assert road.room == push_road.TO_A_SERVICE - 1
    for _ in range(road.room):
        road.enter("service 0", 2)
    assert road.room == 1
    road.enter("its own", 3)
    assert road.room == 0
    road.leave("hangs", 1)
    assert (road.full_services, road.full_users, road.room) == (["service 0"], [], 1)


def samples(metrics: Metrics) -> dict[str, float]:
    """What `/metrics` says of notifications, but for when a count was begun."""
    text = metrics.render()[0].decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith("autopilot_push_")]
    return {name.removeprefix("autopilot_push_"): float(value) for name, _, value in lines if "_created" not in name}


async def test_what_is_sent_and_what_is_not_is_counted_without_a_name_of_anybody(at, ada, machine):
    await subscribed(at, ada)
    metrics = Metrics()
    node = at.node(metrics=metrics)
    for words in ("one", "two"):
        await ends_turn(machine, ada.worker_id, words)
    approval_id = await ask(machine, ada.worker_id)
    at.service.answers.extend([Response(status_code=429), Response(status_code=429), Response(status_code=413)])
    await at.turn(node)
    await at.clock.advance(6)
    await at.turn(at.node(metrics=(later := Metrics())))

    said = samples(metrics)
    assert said['dropped_total{why="replaced"}'] == 1
    assert said['failures_total{failure="busy"}'] == 2
    said = samples(later)
    assert sum(value for name, value in said.items() if name.startswith("sent_total")) == 1
    assert (said['failures_total{failure="refused"}'], said['dropped_total{why="refused"}']) == (1, 1)
    assert said["oldest_unsent_seconds"] == 0
    text = (metrics.render()[0] + later.render()[0]).decode()
    assert not [secret for secret in (ada.worker_id, approval_id, at.service.url) if secret in text]


async def test_the_age_of_the_oldest_is_told_while_nothing_can_be_sent(at, ada, machine):
    await subscribed(at, ada)
    at.service.answers.extend(Response(status_code=503) for _ in range(50))
    await ends_turn(machine, ada.worker_id)
    await at.clock.advance(60)  # it stood still while all this was made
    ages = []
    for _ in range(2):
        await at.turn(at.node(metrics=(metrics := Metrics())))
        ages.append(samples(metrics)["oldest_unsent_seconds"])
        await at.clock.advance(60)
    assert ages[1] - ages[0] == pytest.approx(60, abs=0.01)


async def test_the_metrics_of_the_server_name_notifications(at, ada):
    text = (await at.world.api.client.get("/metrics")).text
    assert "autopilot_push_oldest_unsent_seconds 0.0" in text
    assert "# TYPE autopilot_push_sent_total counter" in text


async def test_a_question_that_was_answered_after_its_sender_died_is_taken_back_all_the_same(at, ada, machine):
    await subscribed(at, ada)
    desktop = await again(at, ada)
    approval_id = await ask(machine, ada.worker_id)
    died = at.node()
    await died.planner.turn()
    until = at.clock.now() + push_delivery.CLAIM
    await at.world.api.pool.execute("update api.push_message set claimed_until = $1, tries = 1", until)
    await at.clock.advance(push_delivery.CLAIM.total_seconds() + 1)
    await desktop.post(f"/approvals/{approval_id}/decision", {"option_id": "accept"})

    (told,) = await at.turn()  # it may be on the screen: nobody can know

    assert (told["kind"], told["approval_id"]) == ("approval_closed", approval_id)


class Forgetful:
    """A database that is away at the moment when the end of the first message is to be noted."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.is_away = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    async def fetchval(self, query: str, *values: Any) -> Any:
        if query == SQL.end and self.is_away:
            self.is_away = False
            raise ConnectionResetError
        return await self._pool.fetchval(query, *values)


async def test_what_can_not_be_noted_is_sent_again_and_keeps_nothing_else_from_its_way(at, ada, machine):
    await subscribed(at, ada)
    sent = await workers(ada, machine, 3)
    node = at.node()
    while await node.planner.turn():
        pass
    deliverer = replace(node.deliverer, pool=Forgetful(at.world.api.pool))
    await deliverer.turn()
    assert sorted(one.notification["worker_id"] for one in at.service.received) == sorted(sent)
    assert await deliverer.turn() == 0
    await at.clock.advance(push_delivery.CLAIM.total_seconds() + 1)
    await deliverer.turn()
    await node.sender.aclose()
    (again_told,) = at.service.received[3:]
    first = next(one for one in at.service.received if one.notification == again_told.notification)
    assert first.headers["topic"] == again_told.headers["topic"]

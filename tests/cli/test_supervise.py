from __future__ import annotations

import asyncio

import pytest

from autopilot.cli.supervise import Backoff, Supervisor
from autopilot.testing.clock import FakeClock


class Lamp:
    """A service that the test switches off."""

    def __init__(self, name: str, story: list[str], *, hangs: bool = False) -> None:
        self.name = name
        self.stop_within_seconds = 0.05
        self.story = story
        self.hangs = hangs
        self.fails_to_start = 0
        self.started = asyncio.Event()
        self.dead = asyncio.Event()

    async def start(self) -> None:
        if self.fails_to_start:
            self.fails_to_start -= 1
            self.story.append(f"{self.name} failed")
            raise OSError("not now")
        self.story.append(f"{self.name} started")
        self.dead = asyncio.Event()
        self.started.set()

    async def wait(self) -> int:
        await self.dead.wait()
        return -9

    async def stop(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        self.story.append(f"{self.name} stopped")
        self.dead.set()

    async def kill(self) -> None:
        self.story.append(f"{self.name} killed")
        self.dead.set()

    async def die(self) -> None:
        self.started.clear()
        self.dead.set()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_a_service_that_died_is_started_again_after_its_wait(clock: FakeClock) -> None:
    deaths: list[tuple[str, int]] = []
    supervisor = Supervisor(clock, lambda name, code: deaths.append((name, code)))
    lamp = Lamp("a", [])
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        await supervisor.keep(lamp, tasks)
        await lamp.die()
        await clock.advance(0.1)
        await lamp.started.wait()
        await supervisor.stop()

    assert (lamp.story, deaths) == (["a started", "a started", "a stopped"], [("a", -9)])


async def test_a_death_that_can_t_be_told_is_made_up_for_all_the_same(clock: FakeClock) -> None:
    def nobody_reads(_name: str, _code: int) -> None:
        raise BrokenPipeError

    supervisor = Supervisor(clock, nobody_reads)
    lamp, other = Lamp("a", []), Lamp("b", [])
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        await supervisor.keep(lamp, tasks)
        await supervisor.keep(other, tasks)
        await lamp.die()
        await clock.advance(0.1)
        await lamp.started.wait()
        await supervisor.stop()

    assert (lamp.story, other.story) == (["a started", "a started", "a stopped"], ["b started", "b stopped"])


async def test_one_that_can_t_be_stopped_is_killed_and_the_others_still_stop(clock: FakeClock) -> None:
    class Stubborn(Lamp):
        async def stop(self) -> None:
            raise OSError("not now")

    supervisor = Supervisor(clock)
    story: list[str] = []
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        await supervisor.keep(Lamp("database", story), tasks)
        await supervisor.keep(Stubborn("server", story), tasks)
        await supervisor.stop()

    assert story[2:] == ["server killed", "database stopped"]


async def test_a_start_that_fails_is_tried_again(clock: FakeClock) -> None:
    supervisor = Supervisor(clock)
    lamp = Lamp("a", [])
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        await supervisor.keep(lamp, tasks)
        lamp.fails_to_start = 2
        await lamp.die()
        await clock.advance(0.1 + 0.2 + 0.4)
        await lamp.started.wait()
        await supervisor.stop()

    assert lamp.story == ["a started", "a failed", "a failed", "a started", "a stopped"]


async def test_services_stop_in_the_reverse_order_of_their_start(clock: FakeClock) -> None:
    supervisor = Supervisor(clock)
    story: list[str] = []
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for name in ("database", "server", "companion"):
            await supervisor.keep(Lamp(name, story), tasks)
        await supervisor.stop()

    assert story[3:] == ["companion stopped", "server stopped", "database stopped"]


async def test_a_service_that_does_not_stop_in_its_time_is_killed_and_the_others_still_stop(clock: FakeClock) -> None:
    supervisor = Supervisor(clock)
    story: list[str] = []
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        await supervisor.keep(Lamp("database", story), tasks)
        await supervisor.keep(Lamp("server", story, hangs=True), tasks)
        await supervisor.stop()

    assert story[2:] == ["server killed", "database stopped"]


async def test_a_first_start_that_fails_is_told_to_whoever_asked(clock: FakeClock) -> None:
    supervisor = Supervisor(clock)
    lamp = Lamp("a", [])
    lamp.fails_to_start = 1

    async with asyncio.TaskGroup() as tasks:
        with pytest.raises(OSError, match="not now"):
            await supervisor.keep(lamp, tasks)


async def test_waits_double_up_to_their_bound_and_begin_anew_after_good_health(clock: FakeClock) -> None:
    backoff = Backoff(clock)
    waits = []
    for _ in range(8):
        backoff.started()
        waits.append(backoff.next_seconds())
    backoff.started()
    await clock.advance(30)

    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert backoff.next_seconds() == 0.1

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager

import msgspec
import pytest

from autopilot.contract.errors import StaleCursor
from autopilot.contract.port import RuntimeRequest
from autopilot.runtime.app import build
from autopilot.runtime.stream import EventStream
from autopilot.runtime.tail import HEARTBEAT, Follower, Hub, Page
from autopilot.runtime.tail_wakeups import NOTIFY_BYTES, payloads
from autopilot.testing.clock import FakeClock
from autopilot.testing.runtime import OWNER, batch, draft, insert_worker


def frame(seq: int) -> bytes:
    return f"id: {seq}\nevent: codex.worker.event\ndata: {{}}\n\n".encode()


class Log:
    """A log in memory, read in pages of three."""

    def __init__(self):
        self.latest = 0
        self.floor = 1
        self.reads = 0

    async def page(self, key, cursor):
        assert key == "k"
        self.reads += 1
        if cursor < self.floor - 1:
            raise StaleCursor("below")
        last = min(self.latest, cursor + 3)
        return Page(b"".join(map(frame, range(cursor + 1, last + 1))), last, at_end=last == self.latest)

    async def heads(self, keys):
        return dict.fromkeys(keys, self.latest)

    def grow(self, hub, count=1, *, tell=True):
        first = self.latest + 1
        self.latest += count
        if tell:
            hub.publish("k", first, [frame(seq) for seq in range(first, first + count)])


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def hub(log, settings, clock):
    return Hub(log.page, log.heads, msgspec.structs.replace(settings, ring_frames=5), clock)


@asynccontextmanager
async def running(hub):
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(hub.run())
        yield
        task.cancel()


@asynccontextmanager
async def following(hub, cursor=0):
    with ExitStack() as stack:
        follower = Follower(hub, stack.enter_context(hub.follow("k")), cursor)
        stack.callback(follower.close)
        yield follower


async def read(follower, last: int) -> list[int]:
    """Seqs until `last`."""
    seen: list[int] = []
    async with asyncio.timeout(30):
        while not seen or seen[-1] < last:
            chunk = await follower.next()
            seen += [int(line[4:]) for line in chunk.decode().split("\n") if line.startswith("id: ")]
    return seen


async def test_a_follower_reads_the_log_and_then_the_ring(hub, log):
    log.latest = 7
    async with following(hub) as follower:
        assert await read(follower, 7) == list(range(1, 8))
        reads = log.reads
        log.grow(hub, 2)
        assert await read(follower, 9) == [8, 9]
        assert log.reads == reads


async def test_frames_that_are_ready_together_go_out_in_one_piece(hub, log):
    async with following(hub) as follower:
        assert await follower.next() == b""
        log.grow(hub)
        log.grow(hub, 2)
        assert await follower.next() == frame(1) + frame(2) + frame(3)


async def test_a_second_follower_at_the_head_reads_nothing_from_the_log(hub, log):
    async with following(hub) as first:
        await first.next()
        log.grow(hub, 3)
        reads = log.reads
        async with following(hub, cursor=1) as second:
            assert await read(second, 3) == [2, 3]
        assert log.reads == reads


async def test_whoever_falls_behind_the_ring_reads_the_log(hub, log):
    async with following(hub) as follower:
        await follower.next()
        log.grow(hub, 20)
        assert await read(follower, 20) == list(range(1, 21))
        assert log.reads > 1


async def test_a_ring_is_bounded_in_bytes_and_keeps_at_least_the_newest(log, settings, clock):
    hub = Hub(log.page, log.heads, msgspec.structs.replace(settings, ring_bytes=1), clock)
    async with following(hub) as follower:
        await follower.next()
        log.grow(hub, 4)
        feed = hub._feeds["k"]
        assert (feed.first, feed.last, len(feed._frames)) == (4, 4, 1)
        assert await read(follower, 4) == [1, 2, 3, 4]


async def test_frames_published_out_of_order_are_read_again_in_order(hub, log):
    async with running(hub), following(hub) as follower:
        await follower.next()
        log.latest = 3
        hub.publish("k", 3, [frame(3)])
        hub.publish("k", 1, [frame(1), frame(2)])
        assert await read(follower, 3) == [1, 2, 3]


async def test_a_hint_from_elsewhere_fills_the_ring_by_one_read_for_all(hub, log):
    async with running(hub), following(hub) as one, following(hub) as other:
        await one.next()
        await other.next()
        reads = log.reads
        log.grow(hub, 2, tell=False)
        hub.hint("k", 2)
        assert await read(one, 2) == await read(other, 2) == [1, 2]
        assert log.reads == reads + 1


async def test_losing_every_wake_up_costs_only_the_time_until_the_poll(hub, log, clock, settings):
    async with running(hub), following(hub) as follower:
        await follower.next()
        log.grow(hub, 2, tell=False)
        await clock.advance(settings.poll_seconds)
        assert await read(follower, 2) == [1, 2]


async def test_a_connection_that_comes_back_looks_at_every_followed_log(hub, log):
    async with running(hub), following(hub) as follower:
        await follower.next()
        log.grow(hub, 2, tell=False)
        hub.resumed()
        assert await read(follower, 2) == [1, 2]


async def test_silence_is_broken_by_a_heartbeat_within_fifteen_seconds(hub, log, clock):
    async with running(hub), following(hub) as follower:
        await follower.next()
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(follower.next())
            for _ in range(15):
                await clock.advance(1)
        assert waiting.result() == HEARTBEAT


async def test_frames_put_the_heartbeat_off(hub, log, clock):
    async with running(hub), following(hub) as follower:
        await follower.next()
        for _ in range(4):
            for _ in range(10):
                await clock.advance(1)
            log.grow(hub)
            assert await follower.next() == frame(log.latest)


async def test_one_who_leaves_takes_nobody_along(hub, log):
    async with following(hub) as stays, following(hub) as leaves:
        await stays.next()
        await leaves.next()
        async with asyncio.TaskGroup() as tasks:
            left, stayed = tasks.create_task(leaves.next()), tasks.create_task(stays.next())
            await asyncio.sleep(0)
            left.cancel()
            await asyncio.sleep(0)
            log.grow(hub)
        assert left.cancelled()
        assert stayed.result() == frame(1)


async def test_a_log_that_nobody_follows_costs_nothing(hub, log):
    async with following(hub) as follower:
        await follower.next()
        assert hub.follows("k")
    assert not hub.follows("k")
    log.grow(hub)
    assert hub._feeds == {}


async def test_a_stream_ends_where_retention_took_what_comes_next(hub, log):
    log.latest = 9
    stream = EventStream(hub, "k", 0, control=True)
    first = await anext(stream)
    log.floor = 8

    rest = [chunk async for chunk in stream]

    assert first.endswith(frame(3))
    assert b'"reason":"stale_cursor"' in rest[-1]
    assert not hub.follows("k")


async def test_one_at_the_head_of_a_ring_learns_that_what_comes_next_is_gone(hub, log):
    async with running(hub), following(hub) as follower:
        log.grow(hub)
        assert await follower.next() == frame(1)
        assert await follower.next() == b""
        log.grow(hub, 3, tell=False)
        log.floor = 4
        hub.hint("k", 4)

        with pytest.raises(StaleCursor):
            async with asyncio.timeout(30):
                await follower.next()


async def test_a_stream_that_is_closed_lets_go_of_its_feed(hub):
    stream = EventStream(hub, "k", 0, tail_seconds=60)
    assert hub.follows("k")

    await stream.aclose()

    assert not hub.follows("k")
    assert [chunk async for chunk in stream] == []


async def test_events_reach_followers_of_another_runtime(database, settings):
    settings = msgspec.structs.replace(settings, poll_seconds=3600.0)  # it is told
    async with await build(settings, dsn=database) as here, await build(settings, dsn=database) as there:
        await insert_worker(here, "w")
        stream = (await there.call(RuntimeRequest(OWNER, "GET", "/workers/w/stream", "cursor=0"))).body
        for name in "abc":
            await here.ledger.append(batch("w", draft(name)))

        seen: list[int] = []
        async with asyncio.timeout(30):
            while len(seen) < 3:
                chunk = await anext(stream)
                seen += [int(line[4:]) for line in chunk.decode().split("\n") if line.startswith("id: ")]

        assert seen == [1, 2, 3]
        await stream.aclose()


def test_announcements_fit_into_notifications():
    pending = {("worker", f"{n:0100}"): n for n in range(500)}

    made = payloads(pending)

    assert all(len(payload) < NOTIFY_BYTES for payload in made)
    assert [line.split(" ")[1] for payload in made for line in payload.splitlines()] == [str(n) for n in range(500)]

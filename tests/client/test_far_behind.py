"""A reader that comes back after hours reads the log's end, and not all that happened: and nothing is lost of that."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import asynccontextmanager

import pytest
from tests.client.far_behind import Counting, drafts, message

from autopilot.client import FollowPolicy, RuntimeCodexClient, Timeline, WorkerStore
from autopilot.client.store import FAR_BEHIND, HISTORY_EVENTS
from autopilot.client.timeline_pages import older
from autopilot.contract import Envelope, decode
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.scaled_clock import ScaledClock
from autopilot.testing.streaming_server import StreamingServer

HISTORY = 20
MOST = int(HISTORY * FAR_BEHIND)
REFUSED = Fault("refuse")


class Watched:
    """What a store shows, as whoever draws it sees it."""

    def __init__(self, store: WorkerStore) -> None:
        self.store = store
        self.views = []
        store.subscribe(self._saw)

    def _saw(self, view) -> None:
        self.views.append((view, self.store.timeline.begins_after if self.store.timeline else 0))

    @property
    def timelines(self) -> list[tuple]:
        """The timelines one after the other, without repetitions."""
        seen = [view.items for view, _ in self.views]
        return [items for n, items in enumerate(seen) if n == 0 or items != seen[n - 1]]

    async def until(self, seq: int) -> None:
        """Until all of the log is shown, live."""
        async with asyncio.timeout(60):
            async for view in self.store.changes():
                worker = view.worker.latest_seq if view.worker else None
                if view.seq == worker == seq and view.connection.kind == "live":
                    return


@asynccontextmanager
async def running(store: WorkerStore):
    """The store, run while its screen is open."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(store.run())
        yield store
        task.cancel()


def say(server: StreamingServer, count: int) -> int:
    for _ in range(count):
        server.append("w", message(server.logs["w"].latest_seq if "w" in server.logs else 0))
    return server.logs["w"].latest_seq


def folded(server: StreamingServer, after: int = 0, until: int | None = None) -> Timeline:
    frames = server.logs["w"].frames[after:until]
    return Timeline(after=after).fold(decode(Envelope, json.loads(frame)) for frame in frames)


# A store that was not run for a while: an app that comes back, or starts out of its cache.


@pytest.mark.slow
@pytest.mark.parametrize("start", ["of the same run", "out of the cache"])
async def test_thousands_of_events_behind_only_the_end_is_read_and_shown_at_once(installation, start):
    client, machine = await installation.client(), await installation.machine()
    await client.create_worker("w")
    lease = await machine.claim_lease("w", "machine-1")
    await machine.append_events("w", drafts(1, 50), generation=lease.generation)
    counting = Counting()
    reader = await installation.client(transport=counting)
    store = WorkerStore(reader, "w")
    async with running(store):
        await Watched(store).until((await client.worker("w")).latest_seq)
    known = store.view.items
    assert store.view.is_whole
    for first in range(51, 5051, 500):
        await machine.append_events("w", drafts(first, first + 499), generation=lease.generation)
    if start == "out of the cache":
        store = WorkerStore(reader, "w", timeline=Timeline.restore(store.timeline.save()))
    counting.events = counting.bytes = 0
    watched = Watched(store)
    latest_seq = (await client.worker("w")).latest_seq
    async with running(store):
        await watched.until(latest_seq)

    assert counting.events == HISTORY_EVENTS
    assert [len(watched.timelines), watched.timelines[0]] == [2, known]
    assert not store.view.is_whole
    fresh = WorkerStore(reader, "w")
    async with running(fresh):
        await Watched(fresh).until(latest_seq)
    assert store.view.items == fresh.view.items
    assert store.view.worker.latest_seq == fresh.view.worker.latest_seq
    page = await older(reader, "w", store.view.items[0].seq)
    assert [item.key for item in page.items] == [f"item:turn:m{n}" for n in range(3971, 4051)]


@pytest.mark.slow
async def test_a_hundred_events_behind_every_one_of_them_is_read(installation):
    client, machine = await installation.client(), await installation.machine()
    await client.create_worker("w")
    lease = await machine.claim_lease("w", "machine-1")
    counting = Counting()
    store = WorkerStore(await installation.client(transport=counting), "w")
    async with running(store):
        await Watched(store).until((await client.worker("w")).latest_seq)
    await machine.append_events("w", drafts(1, 100), generation=lease.generation)
    counting.events = 0
    async with running(store):
        await Watched(store).until((await client.worker("w")).latest_seq)

    assert counting.events == 100
    assert store.view.is_whole
    assert [item.key for item in store.view.items[-100:]] == [f"item:turn:m{n}" for n in range(1, 101)]


@pytest.mark.parametrize(("behind", "cursor"), [(MOST, 5), (MOST + 1, MOST + 6 - HISTORY)])
async def test_it_begins_anew_only_beyond_what_it_would_read_anyway_and_half_of_that(behind, cursor):
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        store = WorkerStore(client, "w", history_events=HISTORY)
        async with running(store):
            await Watched(store).until(say(server, 5))
        latest_seq = say(server, behind)
        async with running(store):
            await Watched(store).until(latest_seq)

        assert server.openings[-1].cursor == cursor
        assert store.view.items == folded(server, 0 if cursor == 5 else cursor).items
        assert store.view.is_whole == (cursor == 5)


async def test_the_turn_that_runs_is_known_though_it_began_before_what_is_read():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.append("w", {"reason": "create"}, event_type="worker.started")
        server.append("w", {"method": "turn/started", "params": {"threadId": "t", "turn": {"id": "turn"}}})
        latest_seq = say(server, 100)
        store = WorkerStore(client, "w", history_events=HISTORY)
        async with running(store):
            await Watched(store).until(latest_seq)
            assert store.view.worker.activity.value == "running"
            assert store.view.active_turn_id == "turn"
            ended = {"threadId": "t", "turn": {"id": "turn", "status": "completed"}}
            server.append("w", {"method": "turn/completed", "params": ended})
            await Watched(store).until(latest_seq + 1)
            assert store.view.active_turn_id is None


# A store that is run all the time, and whose connection was away.


async def test_a_connection_that_comes_back_far_behind_brings_the_end_only():
    counting = Counting()
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address) as proxy,
        RuntimeCodexClient(proxy.url, "token", transport=counting, clock=ScaledClock(50)) as client,
    ):
        store = WorkerStore(client, "w", history_events=HISTORY)
        watched = Watched(store)
        async with running(store):
            await watched.until(say(server, 5))
            proxy.plan = lambda _number: REFUSED
            proxy.cut_all()
            latest_seq = say(server, 4000)
            watched.views.clear()
            proxy.plan = lambda _number: HEALTHY
            store.poke()
            await watched.until(latest_seq)

        assert server.openings[-1].cursor == latest_seq - HISTORY
        assert watched.timelines == [folded(server, until=5).items, folded(server, latest_seq - HISTORY).items]
        assert counting.events < 1000  # what was on its way before it could say no, and what it asked for


async def test_what_was_known_is_shown_until_the_end_is_there_whatever_is_cut_meanwhile():
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=ScaledClock(50)) as client,
    ):
        store = WorkerStore(client, "w", history_events=HISTORY)
        async with running(store):
            await Watched(store).until(say(server, 5))
        proxy.cut_all()
        latest_seq = say(server, 500)
        faults = iter([Fault("cut", 6000)] * 6)
        proxy.plan = lambda _number: next(faults, HEALTHY)
        watched = Watched(store)
        async with running(store):
            await watched.until(latest_seq)

        assert len({opening.cursor for opening in server.openings if opening.cursor >= latest_seq - HISTORY}) > 1
        assert watched.timelines == [folded(server, until=5).items, folded(server, latest_seq - HISTORY).items]


async def test_a_log_that_lost_its_beginning_is_replaced_in_one_change_too():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token", rng=lambda: 0.0) as client:
        store = WorkerStore(client, "w")
        async with running(store):
            await Watched(store).until(say(server, 5))
        latest_seq = say(server, 40)
        server.logs["w"].oldest_seq = 21
        watched = Watched(store)
        async with running(store):
            await watched.until(latest_seq)

        assert watched.timelines == [folded(server, until=5).items, folded(server, 20).items]
        assert not store.view.is_whole


async def test_a_log_that_was_emptied_meanwhile_shows_nothing_of_before():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token", rng=lambda: 0.0) as client:
        store = WorkerStore(client, "w", history_events=HISTORY)
        async with running(store):
            await Watched(store).until(say(server, 5))
        server.logs["w"].frames.clear()
        async with running(store):
            await Watched(store).until(0)

        assert store.view.items == ()


@pytest.mark.seeds(8, 500)
async def test_after_any_seeded_absences_and_cuts_what_is_shown_is_a_part_of_the_log_without_a_gap(seed):
    rng = random.Random(seed)
    clock = ScaledClock(300)
    kinds = ["cut", "cut", "stall", "close", "refuse", "half_open", "none"]
    faults = [Fault(rng.choice(kinds), rng.randrange(400, 60_000)) for _ in range(12)]
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address, plan=lambda n: faults[n] if n < len(faults) else HEALTHY) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=clock, rng=rng.random) as client,
        asyncio.timeout(60),
    ):
        policy = FollowPolicy(long_poll_ms=100, opening_seconds=90)
        store = WorkerStore(client, "w", history_events=HISTORY, reconcile_seconds=20, policy=policy, rng=rng.random)
        watched = Watched(store)
        say(server, rng.randrange(1, 50))
        for _ in range(6):
            async with running(store):
                for _ in range(rng.randrange(6)):
                    say(server, rng.choice((1, 3, 8, MOST - 1, 10 * MOST)))
                    await clock.sleep(rng.random() * 3)
                if rng.random() < 0.5:
                    await watched.until(server.logs["w"].latest_seq)
            say(server, rng.choice((0, 1, MOST - 2, MOST, MOST + 1, 300)))
            if rng.random() < 0.3:
                saved = Timeline.restore(store.timeline.save()) if store.timeline else None
                store = WorkerStore(
                    client, "w", timeline=saved, history_events=HISTORY, reconcile_seconds=20, policy=policy
                )
                before, watched = watched, Watched(store)
                watched.views = before.views
        async with running(store):
            await watched.until(server.logs["w"].latest_seq)

        assert store.view.worker == server.snapshot("w")
        for (view, after), (later, _) in zip(watched.views, watched.views[1:], strict=False):
            assert view.seq <= later.seq
            assert later.items or not view.items
            assert view.is_whole == (after == 0) or view.seq == 0
        for view, after in watched.views[:: max(1, len(watched.views) // 40)]:
            assert view.items == folded(server, after, view.seq).items

"""The store of everything: kept true by one task, over a network that breaks."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest
from starlette.responses import JSONResponse

from autopilot.client import FollowPolicy, OverviewStore, RuntimeCodexClient
from autopilot.client.overview import OverviewFold
from autopilot.contract.errors import Forbidden
from autopilot.testing.everything_server import EverythingServer
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.principal import every_state
from autopilot.testing.scaled_clock import ScaledClock


async def shown(store: OverviewStore, condition) -> None:
    """Until the view fulfils `condition`."""
    async with asyncio.timeout(30):
        async for view in store.changes():
            if condition(view):
                return


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


class Running:
    """A store that is being run."""

    def __init__(self, client, **options):
        self.store = OverviewStore(client, **options)
        self.error = None

    async def __aenter__(self):
        self._group = await asyncio.TaskGroup().__aenter__()
        self._task = self._group.create_task(self._run())
        return self.store

    async def __aexit__(self, *_):
        self._task.cancel()
        await self._group.__aexit__(None, None, None)

    async def _run(self):
        try:
            await self.store.run()
        except Forbidden as error:
            self.error = error


def is_live(view) -> bool:
    return view.connection.kind == "live" and view.overview.is_caught_up


def fresh(principal):
    fold = OverviewFold()
    for entry in principal.opening():
        fold.take(entry)
    return fold.overview


@pytest.mark.seeds(6, 300)
async def test_after_any_seeded_cuts_the_view_equals_a_fresh_one(seed):
    rng = random.Random(seed)
    clock = ScaledClock(300)
    kinds = ["cut", "cut", "stall", "close", "refuse", "half_open", "none"]
    faults = [Fault(rng.choice(kinds), rng.randrange(400, 60_000)) for _ in range(10)]
    async with (
        EverythingServer() as server,
        FaultProxy(*server.address, plan=lambda n: faults[n] if n < len(faults) else HEALTHY) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=clock, rng=rng.random) as client,
        asyncio.timeout(60),
    ):
        views = []
        patient = FollowPolicy(long_poll_ms=100, opening_seconds=90)
        async with Running(client, reconcile_seconds=20, policy=patient, rng=rng.random) as store:
            store.subscribe(views.append)
            for _ in range(120):
                server.principal.happen(rng)
                server.wake()
                await clock.sleep(rng.random() * 2)
            expected = fresh(server.principal)
            await shown(
                store,
                lambda view: (
                    is_live(view)
                    and view.overview.workers == expected.workers
                    and view.overview.machines == expected.machines
                    and view.overview.approvals == expected.approvals
                    and view.overview.open_receipts == expected.open_receipts
                    and view.overview.recoveries == expected.recoveries
                    and not view.overview.unsettled
                ),
            )
            assert store.view.as_of is None

    for view in views:
        for name, state in every_state(view.overview):
            assert state in server.principal.history[name], "a state that never was"


async def test_the_end_of_a_request_that_came_while_away_is_asked_for():
    async with EverythingServer() as server, RuntimeCodexClient(server.url, "token", rng=lambda: 0.0) as client:
        server.principal.work("w")
        server.principal.request("w", "r")
        async with Running(client) as store:
            await shown(store, lambda view: is_live(view) and view.overview.receipt("r") is not None)
            server.bye = {"reason": "shutdown", "retry_ms": 0}
            ended = server.principal.move(("worker", "w", "r"), "completed")
            server.principal.changes.clear()
            told = server.principal.opening
            server.principal.opening = lambda: [one for one in told() if one is not ended]
            server.wake()
            await shown(store, lambda view: view.connection.kind != "live")
            server.bye = None
            await shown(store, lambda view: view.overview.receipt("r").state == "completed")
            assert store.view.overview.unsettled == frozenset()


async def test_a_stream_that_stands_still_while_the_list_moves_is_opened_anew():
    clock = ScaledClock(50)
    async with EverythingServer() as server, RuntimeCodexClient(server.url, "token", clock=clock) as client:
        server.principal.work("w")
        async with Running(client, reconcile_seconds=5, policy=FollowPolicy(silence_seconds=1e6)) as store:
            await shown(store, is_live)
            server.is_mute = True
            server.principal.work("w")
            await shown(store, lambda view: view.overview.workers[0].latest_seq == 2)
            async with asyncio.timeout(30):
                while len(server.openings) < 2:
                    await server.changed()


async def test_a_session_that_ends_is_told_and_waited_out():
    async with EverythingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.principal.work("w")
        server.tokens = {"another"}
        async with Running(client) as store:
            await shown(store, lambda view: view.connection.kind == "signed_out")
            server.tokens = {"token"}
            store.poke()
            await shown(store, is_live)


async def test_what_an_earlier_run_knew_is_labelled_with_its_age_until_it_is_true_again():
    known_at = datetime(2025, 12, 31, tzinfo=UTC)
    clock = ScaledClock(100)
    async with (
        EverythingServer() as server,
        FaultProxy(*server.address, plan=lambda n: Fault("refuse") if n < 4 else HEALTHY) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=clock) as client,
    ):
        server.principal.work("w")
        known = fresh(server.principal)
        async with Running(client, known=known, as_of=known_at) as store:
            assert (store.view.overview.workers, store.view.as_of) == (known.workers, known_at)
            await shown(store, lambda view: view.connection.kind == "waiting")
            assert store.view.as_of == known_at
            await shown(store, is_live)
            assert store.view.as_of is None
            proxy.plan = lambda _n: Fault("refuse")
            proxy.cut_all()
            await shown(store, lambda view: view.connection.kind == "waiting")
            assert store.view.as_of is not None
            assert store.view.as_of > known_at
            assert store.view.overview.workers == known.workers


async def test_it_is_run_again_from_its_cursor():
    async with EverythingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.principal.work("w")
        running = Running(client)
        async with running as store:
            await shown(store, is_live)
        assert store.resume_at == "p1"
        assert store.view.connection.kind == "closed"
        async with asyncio.TaskGroup() as group:
            task = group.create_task(store.run())
            await shown(store, is_live)
            task.cancel()
        assert [opening.query.get("cursor") for opening in server.openings] == [None, "p1"]


async def test_a_cursor_that_the_server_does_not_know_is_let_go():
    body = {"error": {"code": "invalid_request", "message": "no", "details": [{"reason_code": "cursor"}]}}
    async with EverythingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.scripted.append(JSONResponse(body, 400))
        async with Running(client, resume_at="of another server") as store:
            await shown(store, is_live)
        assert [opening.query.get("cursor") for opening in server.openings] == ["of another server", None]


async def test_a_final_answer_ends_it_and_what_was_known_stays():
    body = {"error": {"code": "forbidden", "message": "no", "details": []}}
    async with EverythingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.principal.work("w")
        running = Running(client)
        async with running as store:
            await shown(store, is_live)
            server.scripted.append(JSONResponse(body, 403))
            server.bye = {"reason": "forbidden", "retry_ms": 0}
            server.wake()
            await shown(store, lambda view: view.connection.kind == "refused")
        assert isinstance(running.error, Forbidden)
        assert len(store.view.overview.workers) == 1


async def test_cancelled_after_any_number_of_turns_it_leaves_nothing_behind():
    """Every await of an opening, a look and a backoff is hit by one of the counts."""
    async with (
        EverythingServer() as server,
        FaultProxy(*server.address, plan=lambda n: Fault("cut", 300) if n % 3 == 1 else HEALTHY) as proxy,
        RuntimeCodexClient(proxy.url, "token") as client,
    ):
        server.principal.work("w")
        store = OverviewStore(client)
        before = asyncio.all_tasks()
        for count in range(0, 160, 3):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(store.run())
                for _ in range(count):
                    await asyncio.sleep(0)
                task.cancel()
            await proxy.idle()
            await until(lambda: asyncio.all_tasks() <= before)
        assert store.resume_at in (None, "p1")

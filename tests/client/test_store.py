"""The store a screen reads: true after any cuts, quiet about nothing, gone when cancelled."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from pathlib import Path

import httpx2
import pytest
from starlette.responses import JSONResponse
from tests.waiting import until

from autopilot.client import FollowPolicy, OverviewStore, RuntimeCodexClient, Timeline, WorkerStore
from autopilot.contract import Envelope, decode
from autopilot.contract.errors import Forbidden, UnknownError
from autopilot.testing.everything_server import EverythingServer
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.scaled_clock import ScaledClock
from autopilot.testing.streaming_server import StreamingServer

RECORDINGS = Path(__file__).parent / "recordings"


def notifications(name: str) -> list[dict]:
    lines = (RECORDINGS / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [{"method": (message := json.loads(line))["method"], "params": message["params"]} for line in lines]


async def shown(store: WorkerStore | OverviewStore, condition) -> None:
    """Until the view fulfils `condition`."""
    async with asyncio.timeout(30):
        async for view in store.changes():
            if condition(view):
                return


def folded(server: StreamingServer, worker_id: str = "w") -> Timeline:
    frames = server.logs[worker_id].frames
    return Timeline().fold(decode(Envelope, json.loads(frame)) for frame in frames)


class Running:
    """A store that is being run."""

    def __init__(self, client, **options):
        self.store = WorkerStore(client, "w", **options)
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


@pytest.mark.seeds(6, 500)
async def test_after_any_seeded_cuts_the_view_equals_a_fresh_snapshot_and_the_fold_of_all(seed):
    rng = random.Random(seed)
    clock = ScaledClock(300)
    kinds = ["cut", "cut", "stall", "close", "refuse", "half_open", "none"]
    faults = [Fault(rng.choice(kinds), rng.randrange(400, 30_000)) for _ in range(12)]
    log = [
        *notifications("s01_basic_turn"),
        *notifications("s02_shell_approved"),
        *notifications("s06_patch_auto"),
        *notifications("s15_background_command"),
    ]
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address, plan=lambda n: faults[n] if n < len(faults) else HEALTHY) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=clock, rng=rng.random) as client,
        asyncio.timeout(60),
    ):
        server.append("w", {"reason": "create"}, event_type="worker.started")
        views = []
        async with Running(
            client, reconcile_seconds=20, policy=FollowPolicy(long_poll_ms=100, opening_seconds=90), rng=rng.random
        ) as store:
            store.subscribe(views.append)
            for payload in log:
                server.append("w", payload)
                await clock.sleep(rng.random() * 3)
            server.append("w", {"verified": True}, event_type="worker.stopped")
            latest = server.logs["w"].latest_seq
            await shown(store, lambda view: view.seq == latest and view.worker.latest_seq == latest)
            final = store.view

    assert final.worker == server.snapshot("w")
    assert final.items == folded(server).items
    assert final.is_whole
    assert final.worker.status == "stopped"
    for before, after in itertools.pairwise(views):
        assert before.seq <= after.seq
        assert not before.worker or before.worker.latest_seq <= after.worker.latest_seq


async def test_a_long_log_is_read_from_near_its_end():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        for number in range(50):
            server.append("w", {"n": number})
        async with Running(client, history_events=10) as store:
            await shown(store, lambda view: view.seq == 50)

            assert server.openings[0].cursor == 40
            assert not store.view.is_whole


async def test_the_count_of_pending_approvals_follows_their_events_at_once():
    def pending(count):
        return lambda view: view.worker is not None and view.worker.pending_approvals == count

    async with (
        StreamingServer() as server,
        RuntimeCodexClient(server.url, "token") as client,
        Running(client, reconcile_seconds=3600) as store,
    ):
        await shown(store, lambda view: view.connection.kind == "live")
        for number in (1, 2):
            asked = {"approval": {"approval_id": f"ap_{number}", "title": "May I?"}}
            server.append("w", asked, event_type="worker.approval.requested")
            await shown(store, pending(number))
        server.append("w", {"approval_id": "ap_1"}, event_type="worker.approval.decided")
        await shown(store, pending(1))
        server.append("w", {"approval": {"approval_id": "ap_2"}}, event_type="worker.approval.closed")
        await shown(store, pending(0))


async def test_a_saved_timeline_is_gone_on_from():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        for payload in notifications("s01_basic_turn"):
            server.append("w", payload)
        saved = folded(server).save()
        for payload in notifications("s06_patch_auto"):
            server.append("w", payload)
        async with Running(client, timeline=Timeline.restore(saved)) as store:
            await shown(store, lambda view: view.seq == server.logs["w"].latest_seq)

            assert server.openings[0].cursor == saved["seq"]
            assert store.view.items == folded(server).items


async def test_a_log_that_was_cut_off_below_is_read_from_what_is_left():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        for number in range(20):
            server.append("w", {"n": number})
        server.logs["w"].oldest_seq = 11
        async with Running(client) as store:
            await shown(store, lambda view: view.seq == 20)

            assert [opening.cursor for opening in server.openings] == [0, 10]
            assert not store.view.is_whole


async def test_a_log_that_was_restored_from_a_backup_is_read_anew():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token", rng=lambda: 0.0) as client:
        for payload in notifications("s01_basic_turn"):
            server.append("w", payload)
        saved = folded(server).save()
        del server.logs["w"].frames[5:]
        async with Running(client, timeline=Timeline.restore(saved)) as store:
            await shown(store, lambda view: view.worker is not None and view.seq == 5 == view.worker.latest_seq)

            assert store.view.items == folded(server).items


async def test_a_stream_that_stands_still_while_the_log_moves_is_opened_anew():
    clock = ScaledClock(50)
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address, plan=lambda n: HEALTHY if n else Fault("stall", 4000)) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=clock) as client,
    ):
        patient = FollowPolicy(silence_seconds=1e6, opening_seconds=1e6)
        async with Running(client, reconcile_seconds=5, policy=patient) as store:
            await shown(store, lambda view: view.connection.kind == "live")
            for number in range(10):
                server.append("w", {"n": number, "text": "x" * 400})
            await shown(store, lambda view: view.seq == 10)

        assert len(server.openings) >= 2


async def test_a_session_that_ends_is_told_and_waited_out():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.append("w", {})
        server.tokens = {"another"}
        async with Running(client) as store:
            await shown(store, lambda view: view.connection.kind == "signed_out")
            server.tokens = {"token"}
            store.poke()
            await shown(store, lambda view: view.seq == 1)


async def test_a_server_that_is_away_at_first_is_waited_for():
    clock = ScaledClock(100)
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address, plan=lambda n: Fault("refuse") if n < 6 else HEALTHY) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=clock) as client,
    ):
        server.append("w", {})
        async with Running(client) as store:
            await shown(store, lambda view: view.connection.kind == "waiting" and view.connection.error is not None)
            await shown(store, lambda view: view.seq == 1)


async def test_a_final_answer_ends_it_and_what_was_known_stays():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.append("w", {})
        body = {"error": {"code": "forbidden", "message": "no", "details": []}}
        running = Running(client)
        async with running as store:
            await shown(store, lambda view: view.seq == 1)
            server.scripted.append(JSONResponse(body, 403))
            server.bye = {"reason": "forbidden", "retry_ms": 0}
            server.wake()
            await shown(store, lambda view: view.connection.kind == "refused")

        assert isinstance(running.error, Forbidden)
        assert store.view.seq == 1


async def test_what_is_followed_no_more_is_not_called_live():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.append("w", {})
        async with Running(client) as store:
            await shown(store, lambda view: view.connection.kind == "live")
        assert store.view.connection.kind == store.connection.kind == "closed"
        async with asyncio.TaskGroup() as group:
            task = group.create_task(store.run())
            await shown(store, lambda view: view.connection.kind == "live")
            task.cancel()


async def test_a_server_that_only_breaks_its_silence_is_heard():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.append("w", {})
        async with Running(client) as store:
            await shown(store, lambda view: view.connection.kind == "live")
            before = store.connection.heard_at
            server.heartbeat()
            await until(lambda: store.connection.heard_at != before)


class Portal(httpx2.AsyncHTTPTransport):
    """What stands between, and answers in place of the server."""

    stands = True

    async def handle_async_request(self, request):
        if self.stands:
            return httpx2.Response(200, text="<html>Welcome to our hotel", request=request)
        return await super().handle_async_request(request)


@pytest.mark.parametrize("kind", ["a worker", "everything"])
async def test_what_answers_in_place_of_the_server_ends_nothing(kind):
    portal, clock = Portal(), ScaledClock(50)
    async with EverythingServer() as server:
        server.append("w", {})
        async with RuntimeCodexClient(server.url, "token", transport=portal, clock=clock) as client:
            store = WorkerStore(client, "w") if kind == "a worker" else OverviewStore(client)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(store.run())
                await shown(store, lambda view: isinstance(view.connection.error or view.error, UnknownError))
                portal.stands = False
                await shown(store, lambda view: view.connection.kind == "live")
                portal.stands = True  # a look at the lists, or a snapshot, meets it; the stream goes on
                await shown(store, lambda view: isinstance(view.error, UnknownError))
                portal.stands = False
                await shown(store, lambda view: view.error is None and view.connection.kind == "live")
                task.cancel()


async def test_cancelled_it_leaves_no_connection_and_no_listener_is_called_again():
    async with StreamingServer() as server, FaultProxy(*server.address) as proxy:
        async with RuntimeCodexClient(proxy.url, "token") as client:
            calls = []
            async with Running(client) as store:
                cancel = store.subscribe(calls.append)
                await shown(store, lambda view: view.connection.kind == "live")
                cancel()
                count = len(calls)
                server.append("w", {})
                await shown(store, lambda view: view.seq == 1)
            assert len(calls) == count
        async with asyncio.timeout(30):
            await proxy.idle()


async def test_it_ends_when_it_is_cancelled_in_the_moment_in_which_its_session_ends():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.append("w", {})
        async with Running(client) as store:
            await shown(store, lambda view: view.seq == 1)
            server.tokens = {"another"}
            server.bye = {"reason": "revoked", "retry_ms": 0}
            server.wake()
            await shown(store, lambda view: view.connection.kind == "signed_out")
        assert store.view.seq == 1

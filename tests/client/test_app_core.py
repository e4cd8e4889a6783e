"""What an app runs: it follows in front, goes away in time, comes back where it was, and forgets in the end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from starlette.responses import JSONResponse

from autopilot.client import FollowPolicy, MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.client.app_core import AppCore
from autopilot.client.backoff import BackoffPolicy
from autopilot.client.clock import SYSTEM_CLOCK, SystemClock
from autopilot.client.offline_cache import Kind, OfflineCache
from autopilot.client.presenters.state_line import HEARTBEAT_SECONDS, state_line
from autopilot.client.tokens import Credentials
from autopilot.testing.everything_server import EverythingServer
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy

KEY = b"k" * 32


async def until(condition) -> None:
    """Until it holds."""
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


async def shown(core: AppCore, condition) -> None:
    """Until the view fulfils `condition`."""
    async with asyncio.timeout(30):
        async for view in core.changes():
            if condition(view):
                return


def is_live(view) -> bool:
    return view.overview.connection.kind == "live" and view.overview.overview.is_caught_up


@asynccontextmanager
async def running(url: str, *, cache=None, clock=SYSTEM_CLOCK, **options):
    """An app of somebody who is signed in, on its way."""

    async def open_cache(state):
        assert state.user_id == 1
        return cache

    store = MemoryTokenStore()
    store.save(Credentials(access_token="token", user_id=1, base_url=url))
    async with (
        Session(url, store, clock=clock) as session,
        RuntimeCodexClient(url, session, clock=clock) as client,
        asyncio.TaskGroup() as group,
    ):
        core = AppCore(session, client, open_cache=open_cache if cache else None, **options)
        task = group.create_task(core.run())
        yield core
        task.cancel()


def cache_in(folder) -> OfflineCache:
    return OfflineCache(folder / "cache.db", KEY, server="here", user_id=1)


async def test_a_cold_start_without_network_shows_what_was_known_with_its_age_until_it_is_true_again(tmp_path):
    async with EverythingServer() as server, FaultProxy(*server.address) as proxy:
        server.principal.work("w")
        server.append("w", {"n": 1})
        async with running(proxy.url, cache=cache_in(tmp_path)) as core:
            await core.open("w")
            await shown(core, is_live)
            await until(lambda: core._details["w"].store.view.seq == 1)
            await core.background()
        proxy.plan = lambda _n: Fault("refuse")
        async with running(proxy.url, cache=cache_in(tmp_path)) as core:
            await shown(core, lambda view: view.overview.connection.kind == "waiting")
            view = core.view.overview
            assert [worker.worker_id for worker in view.overview.workers] == ["w"]
            assert view.as_of is not None
            detail = await core.open("w")
            assert (detail.store.view.seq, detail.as_of is not None) == (1, True)
            proxy.plan = lambda _n: HEALTHY
            server.principal.work("new")
            core.network_changed(online=True)
            await shown(core, is_live)
            assert core.view.overview.as_of is None
            assert len(core.view.overview.overview.workers) == 2


async def test_what_was_known_is_there_before_anything_is_asked_of_the_server(tmp_path):
    async with EverythingServer() as server:
        server.principal.work("w")
        async with running(server.url, cache=cache_in(tmp_path)) as core:
            await shown(core, is_live)
            await core.background()
        openings = len(server.openings)
        async with running(server.url, cache=cache_in(tmp_path), is_here=False) as core:
            await shown(core, lambda view: view.phase == "away")
            await core.settled()
            assert [worker.worker_id for worker in core.view.overview.overview.workers] == ["w"]
            assert len(server.openings) == openings
            core.foreground()
            await shown(core, is_live)


async def test_in_the_background_nothing_runs_and_in_front_it_goes_on_from_its_cursors():
    async with EverythingServer() as server, FaultProxy(*server.address) as proxy:
        server.principal.work("w")
        for number in range(3):
            server.append("w", {"n": number})
        before = asyncio.all_tasks()
        async with running(proxy.url) as core:
            detail = await core.open("w")
            await shown(core, is_live)
            await until(lambda: detail.store.view.connection.kind == "live")
            await core.background()
            assert core.view.phase == "away"
            mine = asyncio.all_tasks() - before
            assert [task for task in mine if "WorkerStore" in repr(task) or "OverviewStore" in repr(task)] == []
            streams = len(server.openings)
            server.append("w", {"n": 3})
            server.principal.work("w")
            core.foreground()
            await until(lambda: detail.store.view.seq == 4)
            await shown(core, is_live)
            assert sorted((one.worker_id, one.cursor, one.query["cursor"]) for one in server.openings[streams:]) == [
                ("*", None, "p1"),
                ("w", 3, "3"),
            ]
            assert [item.seq for item in detail.store.view.items] == sorted(
                {item.seq for item in detail.store.view.items}
            )


async def test_nobody_is_here_before_what_was_known_of_them_is():
    opening, may_open = asyncio.Event(), asyncio.Event()

    class Slow:
        async def recall(self, _kind):
            opening.set()
            await may_open.wait()

        async def aclose(self):
            pass

    async with EverythingServer() as server, running(server.url, cache=Slow()) as core, asyncio.timeout(30):
        await opening.wait()
        core.network_changed(online=True)
        assert core.view.phase == "starting"
        may_open.set()
        await shown(core, lambda view: view.phase == "here")
        assert core.overview.view.overview is not None


async def test_a_worker_opened_twice_at_once_is_one_and_is_followed(tmp_path):
    async with EverythingServer() as server, running(server.url, cache=cache_in(tmp_path)) as core:
        await shown(core, is_live)
        server.append("w", {"n": 1})
        first, second = await asyncio.gather(core.open("w"), core.open("w"))
        assert first is second
        await until(lambda: first.store.view.seq == 1)


async def test_what_may_be_read_no_more_is_remembered_no_more(tmp_path):
    cache = cache_in(tmp_path)
    async with EverythingServer() as server, running(server.url, cache=cache) as core:
        await shown(core, is_live)
        server.append("w", {"n": 1})
        detail = await core.open("w")
        await until(lambda: detail.store.view.seq == 1)
        await core.background()
        assert await cache.recall_timeline("w")
        no = {"error": {"code": "forbidden", "message": "no", "details": [{"reason_code": "role"}]}}
        for _ in range(2):
            server.scripted.append(JSONResponse(no, 403))  # of everything's stream, and of the worker's
        core.foreground()
        await until(lambda: detail.refused is not None and core.view.refused is not None)
        await core.background()
        assert await cache.recall_timeline("w") is None
        core.foreground()
        await shown(core, lambda view: is_live(view) and view.refused is None)


async def test_of_the_screens_only_the_last_ones_are_kept_and_the_others_are_gone_on_from(tmp_path):
    async with EverythingServer() as server, running(server.url, cache=cache_in(tmp_path), details=2) as core:
        await shown(core, is_live)
        for name in ("a", "b", "c"):
            server.append(name, {"n": 1})
            detail = await core.open(name)
            await until(lambda detail=detail: detail.store.view.seq == 1)
        await shown(core, lambda view: view.details == ("b", "c"))
        again = await core.open("a")
        assert again.store.view.seq == 1
        await shown(core, lambda view: view.details == ("c", "a"))
        assert await core.open("c") is core._details["c"]
        assert core.view.details == ("a", "c")


async def test_when_the_network_is_back_a_backoff_is_not_sat_out():
    patient = FollowPolicy(backoff=BackoffPolicy(base_seconds=1000, cap_seconds=1000))
    async with EverythingServer() as server, FaultProxy(*server.address) as proxy:
        proxy.plan = lambda _n: Fault("refuse")
        async with running(proxy.url, policy=patient) as core:
            core.network_changed(online=False)
            await shown(core, lambda view: view.overview.connection.kind == "waiting")
            assert core.view.is_online is False
            proxy.plan = lambda _n: HEALTHY
            core.network_changed(online=True)
            await shown(core, is_live)


async def test_a_connection_of_the_network_before_is_opened_anew_at_once():
    async with EverythingServer() as server, FaultProxy(*server.address) as proxy:
        proxy.plan = lambda n: HEALTHY if n else Fault("stall", 4000)
        async with running(proxy.url) as core:
            await shown(core, lambda view: view.overview.connection.kind == "live")
            count = len(server.openings)
            core.network_changed(online=True)
            await until(lambda: len(server.openings) > count)
            await shown(core, is_live)


async def test_an_alert_comes_once_and_not_of_the_worker_on_the_screen():
    async with EverythingServer() as server, running(server.url) as core:
        told = []
        core.on_alert(told.append)
        server.principal.work("w")
        await shown(core, is_live)
        core.show("w")
        now = core.client.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        server.principal.ask("ap", "w", requested_at=now)
        server.wake()
        await shown(core, lambda view: len(view.overview.overview.pending) == 1)
        assert told == []
        core.show(None)
        await core.background()
        core.foreground()
        await shown(core, is_live)
        assert [alert.approval_id for alert in told] == ["ap"]


class Misset(SystemClock):
    """A device's clock that is off."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead

    def now(self):
        return super().now() + self.ahead


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(hours=-2)], ids=["ahead", "behind"])
async def test_what_is_news_is_judged_by_the_servers_time_however_the_device_is_set(ahead):
    async with EverythingServer() as server, running(server.url, clock=Misset(ahead)) as core:
        told = []
        core.on_alert(told.append)
        server.principal.work("w")
        await shown(core, is_live)
        for name, age in (("old", timedelta(hours=1)), ("new", timedelta(minutes=1))):
            server.principal.ask(name, "w", requested_at=(datetime.now(UTC) - age).isoformat())
        server.wake()
        await shown(core, lambda view: len(view.overview.overview.pending) == 2)
        assert [alert.approval_id for alert in told] == ["new"]


async def test_cancelled_after_any_number_of_turns_it_leaves_nothing_behind():
    async with EverythingServer() as server, FaultProxy(*server.address) as proxy:
        server.principal.work("w")
        server.append("w", {"n": 1})
        before = asyncio.all_tasks()
        for count in range(0, 200, 9):
            async with running(proxy.url) as core:
                await core.open("w")
                for _ in range(count):
                    await asyncio.sleep(0)
            await proxy.idle()
            await until(lambda: asyncio.all_tasks() <= before)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["signed out here", "revoked by the server"])
async def test_when_the_session_ends_everything_kept_is_wiped(installation, tmp_path, how):
    tokens = MemoryTokenStore()
    session = await installation.session(tokens)
    client = await installation.client(session)
    await client.create_worker("w")
    caches = []

    async def open_cache(state):
        caches.append(OfflineCache(tmp_path / "cache.db", KEY, server=installation.url, user_id=state.user_id))
        return caches[-1]

    async with asyncio.TaskGroup() as group:
        core = AppCore(session, client, open_cache=open_cache)
        task = group.create_task(core.run())
        await shown(core, lambda view: is_live(view) and view.overview.overview.workers)
        detail = await core.open("w")
        await until(lambda: detail.store.view.seq > 0)
        await core.background()
        core.foreground()
        assert (await caches[0].recall(Kind.WORKERS)).value
        await shown(core, is_live)
        if how == "signed out here":
            await core.sign_out()
        else:
            here = next(device for device in await client.devices() if device.current)
            await client.revoke_device(here.device_id)
        await shown(core, lambda view: view.phase == "signed_out")
        assert core.view.overview.overview.workers == ()
        assert core.view.details == ()
        assert core.names.users == core.names.machines == {}
        about = ("auth.sign_out", "auth.refresh", None)  # the end itself may be told after it
        await until(lambda: all(line.get("operation") in about for line in core.recent.lines))
        await until(lambda: not (tmp_path / "cache.db").exists())
        await until(lambda: tokens.load() is None)
        await installation.sign_in(session)
        await shown(core, is_live)
        assert len(caches) == 2
        task.cancel()


async def test_a_server_that_only_breaks_its_silence_is_heard_and_no_connection_of_it_is_called_stalled():
    async with EverythingServer() as server, running(server.url) as core:
        await shown(core, is_live)
        before = core.standing.connection.heard_at
        server.heartbeat()
        await until(lambda: core.standing.connection.heard_at != before)
        assert core.view.overview.connection.heard_at == before  # nobody was told of it
        later = core.client.clock.now() + timedelta(seconds=HEARTBEAT_SECONDS - 1)
        assert state_line(core.standing, later).layer == "live"


@pytest.mark.slow
async def test_who_closes_the_connections_waits_until_the_server_was_told_of_the_sign_out(installation):
    session = await installation.session()
    client = await installation.client(session)
    other = await installation.client(await installation.session())
    async with asyncio.TaskGroup() as group:
        core = AppCore(session, client)
        running = group.create_task(core.run())
        await core.left()  # nobody is leaving
        await shown(core, is_live)
        leaving = group.create_task(core.sign_out())
        await shown(core, lambda view: view.phase == "signed_out")
        await core.left()
        assert len(await other.devices()) == 1
        await leaving
        running.cancel()

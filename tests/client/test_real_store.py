"""Over the real API and runtime, through a proxy that breaks: a snapshot moved on equals a fresh one."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path

import pytest

from autopilot.client import FollowPolicy, RuntimeCodexClient, Timeline, WorkerStore
from autopilot.client.worker_state import FOLDED, fold
from autopilot.contract import AppendEvent
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.scaled_clock import ScaledClock

pytestmark = pytest.mark.slow

RECORDINGS = Path(__file__).parent / "recordings"


def drafts(*names: str) -> list[AppendEvent]:
    """Recorded sessions as a companion appends them."""
    messages = [
        json.loads(line) for name in names for line in (RECORDINGS / f"{name}.jsonl").read_text("utf-8").splitlines()
    ]
    return [
        AppendEvent(
            event_type="worker.error" if message["method"] == "error" else "worker.event",
            payload={"source": "autopilot-desktop", "method": message["method"], "params": message["params"]},
            event_id=f"e{number}",
            producer_seq=number,
        )
        for number, message in enumerate(messages, 1)
    ]


def log_fields(snapshot) -> dict:
    return {name: getattr(snapshot, name) for name in FOLDED}


async def test_a_snapshot_at_any_seq_and_the_events_after_it_equal_a_fresh_snapshot(installation):
    client, machine = await installation.client(), await installation.machine()
    await client.create_worker("w")
    lease = await machine.claim_lease("w", "machine-1")
    snapshots = [await client.worker("w")]
    log = drafts("s01_basic_turn", "s02_shell_approved", "s11_provider_errors", "s34_compact_and_fork")
    for start in range(0, len(log), 7):
        await machine.append_events("w", log[start : start + 7], generation=lease.generation)
        snapshots.append(await client.worker("w"))
    await machine.release_lease("w", "machine-1", lease.generation)
    snapshots.append(await client.worker("w"))
    await client.stop_worker("w", reason="done")
    snapshots.append(await client.worker("w"))
    await client.create_worker("w")
    lease = await machine.claim_lease("w", "machine-1")
    snapshots.append(await client.worker("w"))
    await client.stop_worker("w")
    snapshots.append(await client.worker("w"))

    events = [event async for event in everything(client)]
    assert [event.seq for event in events] == list(range(1, snapshots[-1].latest_seq + 1))
    assert {snapshot.status for snapshot in snapshots} == {"running", "stopped", "stopping"}
    for number, early in enumerate(snapshots):
        for late in snapshots[number:]:
            moved = fold(early, [event for event in events if event.seq <= late.latest_seq])
            assert log_fields(moved) == log_fields(late)
            assert (moved.lease.state, moved.lease.generation) == (late.lease.state, late.lease.generation)


async def everything(client):
    after = 0
    while page := await client.events("w", after=after, limit=100):
        for event in page:
            yield event
        after = page[-1].seq


@pytest.mark.seeds(4, 100)
async def test_after_any_seeded_cuts_the_store_shows_what_the_server_would_tell_now(installation, seed):
    rng = random.Random(seed)
    clock = ScaledClock(100)
    kinds = ["cut", "cut", "stall", "close", "refuse", "half_open"]
    faults = [Fault(rng.choice(kinds), rng.randrange(500, 60_000)) for _ in range(10)]
    log = drafts("s01_basic_turn", "s06_patch_auto", "s15_background_command", "s08b_kill9_mid_stream")
    client, machine = await installation.client(), await installation.machine()
    await client.create_worker("w")
    lease = await machine.claim_lease("w", "machine-1")
    host, port = installation.url.removeprefix("http://").split(":")
    plan = FaultProxy(host, int(port), plan=lambda n: faults[n] if n < len(faults) else HEALTHY)
    async with plan as proxy, asyncio.timeout(60), asyncio.TaskGroup() as group:
        source = (await installation.session()).access_token
        reader = await installation.stack.enter_async_context(
            RuntimeCodexClient(proxy.url, await source(), clock=clock, rng=rng.random)
        )
        store = WorkerStore(
            reader, "w", reconcile_seconds=20, policy=FollowPolicy(long_poll_ms=200, opening_seconds=40), rng=rng.random
        )
        running = group.create_task(store.run())
        for start in range(0, len(log), 5):
            await machine.append_events("w", log[start : start + 5], generation=lease.generation)
            await clock.sleep(rng.random() * 2)
        fresh = await client.worker("w")
        async for view in store.changes():
            if view.seq == fresh.latest_seq == view.worker.latest_seq:
                break
        running.cancel()

    assert log_fields(store.view.worker) == log_fields(fresh)
    events = [event async for event in everything(client)]
    assert store.view.items == Timeline().fold(events).items

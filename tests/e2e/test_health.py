"""Truthful health: a layer that is held up (SIGSTOP) shows in the fact that is its own, and in no other; and recovers.

Real processes, `up --split`. Companion and API are heard and looked at more often than by default; the bounds of what
waits for an answer (Codex, runtime, database) are the product's own.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from tests.e2e.installation import Up, running_up
from tests.e2e.killable import kind_of

from autopilot.client import RuntimeCodexClient, WorkerStore, WorkerView
from autopilot.contract import Health, WorkerSummary

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROMISE_SECONDS = 60.0
"""Within which a layer that stands still is shown. What is awaited here usually takes less than half of it."""
OFTEN = {
    "OPENAGENTS_RUNTIME_SYNC_HEARTBEAT_MS": "1000",
    "AUTOPILOT_MACHINE_AWAY_AFTER_MS": "4000",
    "AUTOPILOT_HEARTBEAT_STALE_AFTER_MS": "600000",
}
WELL = {"api": "ok", "machine": "ok", "codex": "ok", "data": "ok"}
LAYERS = {
    "companion": {"machine": "down"},
    "runtime": {"api": "unavailable"},
    "postgres": {"api": "unavailable"},
    "api": {"api": "unreachable"},
}
"""What holding up each of them changes, and nothing else. Codex: tests/companion/test_codex_silent.py."""


def states(health: Health) -> dict[str, str]:
    return {name: getattr(health, name).state for name in WELL}


def processes_of(up: Up, layer: str) -> list[psutil.Process]:
    """Those of one layer; Postgres with all its own."""
    children = psutil.Process(up.process.pid).children(recursive=True)
    if layer == "postgres":
        (server,) = [one for one in children if kind_of(one) == "postgres"]
        return [server, *server.children(recursive=True)]
    return [one for one in children if kind_of(one) == layer]


@asynccontextmanager
async def held_up(processes: Iterable[psutil.Process]) -> AsyncIterator[None]:
    held = list(processes)
    for one in held:
        os.kill(one.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in reversed(held):
            os.kill(one.pid, signal.SIGCONT)


async def shown(store: WorkerStore, fits: Callable[[WorkerView], bool]) -> WorkerView:
    """The first view that fits, within what is promised."""
    async with asyncio.timeout(PROMISE_SECONDS):
        async for view in store.changes():
            if fits(view):
                return view
    raise AssertionError


async def first_worker(client: RuntimeCodexClient) -> str:
    async with asyncio.timeout(PROMISE_SECONDS), client.follow_everything() as entries:
        async for entry in entries:
            if isinstance(entry, WorkerSummary):
                return entry.worker_id
    raise AssertionError("the stream ended")


@asynccontextmanager
async def watched(up: Up, **options: float) -> AsyncIterator[WorkerStore]:
    """The installation's worker, as a screen has it."""
    signed_in = (await up.cli("token", "--scope", "observe", "--json")).json
    async with RuntimeCodexClient(up.url, signed_in["token"]) as client:
        store = WorkerStore(client, await first_worker(client), **options)
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(store.run())
            yield store
            running.cancel()


async def test_each_layer_that_stands_still_shows_in_its_own_fact_alone_and_recovers(tmp_path: Path) -> None:
    async with running_up(tmp_path / "home", "--split", **OFTEN) as up, watched(up, reconcile_seconds=0.5) as store:
        await shown(store, lambda view: states(view.health) == WELL)
        for layer, change in LAYERS.items():
            held = processes_of(up, layer)
            assert held, layer
            seen: list[dict[str, str]] = []
            cancel = store.subscribe(lambda view, seen=seen: seen.append(states(view.health)))
            async with held_up(held):
                view = await shown(store, lambda view, change=change: states(view.health) == WELL | change)
            await shown(store, lambda view: states(view.health) == WELL)
            cancel()

            assert all(one in (WELL, WELL | change) for one in seen), (layer, seen)
            (name,) = change
            assert (getattr(view.health, name).detail or {}).keys() & {"since", "age_ms"}

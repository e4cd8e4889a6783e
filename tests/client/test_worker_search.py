"""A search as one types: at once among what is known, then among all, over the real API."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.client.worker_search import Wanted, WorkerSearch, fits
from autopilot.contract.errors import NetworkError

pytestmark = pytest.mark.slow


async def client_with(installation, *titles: str):
    client = await installation.client()
    for number, title in enumerate(titles):
        await client.create_worker(f"w{number}", workspace_ref=f"desktop:///work/{title}")
    return client


async def test_what_is_known_is_found_at_once_and_the_rest_by_the_server(installation):
    client = await client_with(installation, "alpha", "beta", "alphabet")
    known = (await client.list_workers()).workers[:1]  # the last one, which was made last
    changes = []
    search = WorkerSearch(client, lambda: changes.append(search.found.state))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(search.ask(Wanted(words="ALPHA")))
        await asyncio.sleep(0)
        assert [worker.worker_id for worker in search.among(known)] == ["w2"]
    assert changes == ["asking", "all"]
    assert [worker.worker_id for worker in search.among(known)] == ["w2", "w0"]


async def test_only_the_last_thing_asked_for_counts(installation):
    client = await client_with(installation, "alpha", "beta")
    search = WorkerSearch(client, lambda: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(search.ask(Wanted(words="alpha")))
        await asyncio.sleep(0)
        tasks.create_task(search.ask(Wanted(words="beta")))
    assert search.found.wanted == Wanted(words="beta")
    assert [worker.worker_id for worker in search.among(())] == ["w1"]


@pytest.mark.parametrize(
    ("state", "asked"),
    [("stopped", {"status": "stopped"}), ("idle", {"status": "running", "activity": "idle"}), ("", {})],
)
async def test_what_a_worker_does_is_asked_of_those_that_run(installation, monkeypatch, state, asked):
    client = await client_with(installation)
    queries = []

    async def note(**query):
        queries.append({name: query[name] for name in ("status", "activity") if query.get(name)})
        raise NetworkError("noted", reason_code="connect")

    monkeypatch.setattr(client, "list_workers", note)
    await WorkerSearch(client, lambda: None).ask(Wanted(words="w", state=state))
    assert queries == [asked]


async def test_a_server_that_cant_be_asked_leaves_what_was_found_here(installation, monkeypatch):
    client = await client_with(installation, "alpha")
    known = (await client.list_workers()).workers

    async def refuse(**_query):
        raise NetworkError("no network", reason_code="connect")

    monkeypatch.setattr(client, "list_workers", refuse)
    search = WorkerSearch(client, lambda: None)
    await search.ask(Wanted(words="alpha"))
    assert search.found.state == "failed"
    assert [worker.worker_id for worker in search.among(known)] == ["w0"]


async def test_what_fits_here_is_what_the_server_finds(installation):
    client = await client_with(installation, "alpha", "beta gamma", "gamma", "Cafe\u0301 \ufb01ne")
    known = (await client.list_workers()).workers
    for wanted in (
        Wanted(words="gamma beta"),
        Wanted(words="GAM"),
        Wanted(words="CAF\u00c9 fine"),
        Wanted(words="gamma " * 100),
        Wanted(state="running"),
        Wanted(state="unknown"),
        Wanted(state="stopped"),
        Wanted(machine_id="nobody"),
        Wanted(backend="desktop"),
        Wanted(words="nothing of this"),
    ):
        search = WorkerSearch(client, lambda: None)
        await search.ask(wanted)
        here = {worker.worker_id for worker in known if fits(worker, wanted)}
        assert {worker.worker_id for worker in search.found.workers} == here, wanted

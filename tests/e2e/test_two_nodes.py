"""What holds over several API processes: a device that is revoked at one of them hears nothing more at any."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest
from tests.e2e.nodes import Nodes, running_nodes

from autopilot.api import tokens
from autopilot.client import RuntimeCodexClient

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

STREAMS = 100
ENDED_SECONDS = 2.0
"""The promise (docs/protocol.md, "Devices"). It takes a tenth of that."""


@pytest.fixture
async def nodes(database: str, tmp_path: Path) -> AsyncIterator[Nodes]:
    async with running_nodes(database, tmp_path, apis=2) as running:
        yield running


async def read_to_the_end(stream: httpx2.Response) -> None:
    """What it sends until the server ends it: nothing in particular."""
    async for _ in stream.aiter_raw():
        pass


async def test_a_hundred_streams_of_a_revoked_device_on_two_nodes_end_within_two_seconds(nodes: Nodes) -> None:
    near, far = nodes.apis
    owner, lost = [await tokens.mint(nodes.api_pool, scopes=["administer"], surface="ios") for _ in range(2)]
    async with RuntimeCodexClient(near.url, owner.token) as client, RuntimeCodexClient(far.url, lost.token) as other:
        worker_id = (await client.create_worker()).workerId
        device_id = (await other.me()).device.device_id
    assert near.process is not None
    assert far.process is not None
    assert near.process.pid != far.process.pid

    limits = httpx2.Limits(max_connections=None)
    async with (
        httpx2.AsyncClient(trust_env=False, limits=limits, timeout=60) as http,
        AsyncExitStack() as streams,
        asyncio.TaskGroup() as tasks,
    ):
        path = f"/api/runtime/codex/workers/{worker_id}/stream"
        hears = {"authorization": f"Bearer {lost.token}"}
        opened = [
            await streams.enter_async_context(http.stream("GET", f"{(near, far)[n % 2].url}{path}", headers=hears))
            for n in range(STREAMS)
        ]
        kept = [
            await streams.enter_async_context(
                http.stream("GET", f"{node.url}{path}", headers={"authorization": f"Bearer {owner.token}"})
            )
            for node in (near, far)
        ]
        assert {one.status_code for one in (*opened, *kept)} == {200}
        reading = [tasks.create_task(read_to_the_end(one)) for one in opened]
        going_on = [tasks.create_task(read_to_the_end(one)) for one in kept]

        began = time.monotonic()
        revoked = await http.post(
            f"{near.url}/api/devices/{device_id}/revoke", headers={"authorization": f"Bearer {owner.token}"}
        )
        assert revoked.status_code == 200, revoked.text
        async with asyncio.timeout(30):
            await asyncio.wait(reading)
        took = time.monotonic() - began

        assert took < ENDED_SECONDS, f"the last of {STREAMS} streams ended after {took:.2f} s"
        assert not any(one.done() for one in going_on), "another device's stream ended with them"
        for one in going_on:
            one.cancel()

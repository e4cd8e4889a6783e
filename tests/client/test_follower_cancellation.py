"""Cancelled at any await, a follower leaves no task, no socket and no moved cursor, and goes on as if nothing was."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.client import FollowPolicy, RuntimeCodexClient
from autopilot.client.backoff import BackoffPolicy
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.streaming_server import StreamingServer


async def turns(count: int) -> None:
    """Let the loop go round so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(0)


@pytest.mark.parametrize("fault", [HEALTHY, Fault("stall", 0), Fault("stall", 700), Fault("refuse")])
async def test_cancelled_after_any_number_of_turns_it_leaves_nothing_behind(fault):
    """Every await of an opening, a read, a refusal and a backoff is hit by one of the counts."""
    policy = FollowPolicy(backoff=BackoffPolicy(base_seconds=1000, cap_seconds=1000))
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address, plan=lambda _number: fault) as proxy,
        RuntimeCodexClient(proxy.url, "token", rng=lambda: 1.0) as client,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(3):
            server.append("w", {})
        follower = client.follow("w", cursor=0, policy=policy)
        before = asyncio.all_tasks()
        seen = 0
        for count in range(120):
            task = group.create_task(anext(follower))
            await turns(count)
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                assert task.result().seq == seen + 1
                seen += 1
                if seen == 3:
                    break
            assert follower.cursor in (seen - 1, seen, 0), "only what was handed out and asked beyond is handled"
            assert follower._stream is None or not task.cancelled()
        if seen < 3:
            await until(lambda: proxy.connections == 0)
        await follower.aclose()
        await until(lambda: proxy.connections == 0)
        await until(lambda: asyncio.all_tasks() <= before)

    assert (seen > 0) == (fault == HEALTHY or fault.after_bytes > 0)


async def test_cancelling_the_consumer_while_it_handles_an_event_does_not_acknowledge_it():
    async with StreamingServer() as server, RuntimeCodexClient(server.url, "token") as client:
        server.append("w", {})
        server.append("w", {})
        follower = client.follow("w", cursor=0)
        handled = []

        async def consume() -> None:
            async for event in follower:
                if event.seq == 2:
                    await asyncio.Event().wait()
                handled.append(event.seq)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(consume())
            await until(lambda: follower.cursor == 1)
            task.cancel()
        assert handled == [1]
        assert follower.cursor == 1
        await follower.aclose()
        assert follower.cursor == 1

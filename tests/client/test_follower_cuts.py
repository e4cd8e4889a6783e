"""Over real sockets and any seeded faults: every event exactly once, in order."""

from __future__ import annotations

import asyncio
import random

import pytest

from autopilot.client import FollowPolicy, RuntimeCodexClient
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.scaled_clock import ScaledClock
from autopilot.testing.streaming_server import StreamingServer

EVENTS = 400
FAULTS = 12


def plan_of(rng: random.Random):
    faults = [
        Fault(
            rng.choice(["refuse", "cut", "cut", "cut", "close", "stall", "half_open", "dribble", "none"]),
            rng.randrange(20_000),
        )
        for _ in range(FAULTS)
    ]
    return lambda number: faults[number] if number < FAULTS else HEALTHY


@pytest.mark.seeds(8, 500)
async def test_after_any_seeded_cuts_every_event_was_seen_once_and_in_order(seed):
    rng = random.Random(seed)
    clock = ScaledClock(150)
    policy = FollowPolicy(long_poll_ms=20, opening_seconds=45)
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address, plan=plan_of(rng)) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=clock, rng=rng.random) as client,
        asyncio.timeout(60),
        asyncio.TaskGroup() as group,
    ):
        for number in range(EVENTS // 2):
            server.append("w", {"number": number + 1, "text": "x" * rng.randrange(300)})

        async def write_the_rest() -> None:
            for number in range(EVENTS // 2, EVENTS):
                server.append("w", {"number": number + 1, "text": "ü" * rng.randrange(300)})
                await clock.sleep(rng.random())

        group.create_task(write_the_rest())
        seen = []
        async with client.follow("w", cursor=0, policy=policy) as follower:
            async for event in follower:
                assert follower.cursor == event.seq - 1, "the cursor moves when the event was handled, not before"
                seen.append((event.seq, event.payload["number"]))
                if event.seq == EVENTS:
                    break

    assert seen == [(seq, seq) for seq in range(1, EVENTS + 1)]


async def test_a_proxy_that_buffers_gets_long_polls_and_loses_nothing():
    clock = ScaledClock(40)
    policy = FollowPolicy(long_poll_ms=50, opening_seconds=20)
    async with (
        StreamingServer() as server,
        FaultProxy(*server.address, plan=lambda _number: Fault("buffer")) as proxy,
        RuntimeCodexClient(proxy.url, "token", clock=clock) as client,
        asyncio.timeout(30),
    ):
        server.append("w", {})
        async with client.follow("w", cursor=0, policy=policy) as follower:
            assert (await anext(follower)).seq == 1
            server.append("w", {})
            assert (await anext(follower)).seq == 2
            assert follower.state.delivery == "long_poll"

    assert [opening.query.get("tail_ms") for opening in server.openings[:3]] == [None, None, "50"]

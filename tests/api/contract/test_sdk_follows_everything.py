"""The SDK's follower of everything, over a real server as one process and as two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from tests.api.contract.world import Person

from autopilot.client import EverythingFollower, FollowPolicy, RuntimeCodexClient
from autopilot.client.backoff import BackoffPolicy
from autopilot.contract import Envelope, Machine, Receipt, StreamCaughtUp, StreamOpen, StreamStale, WorkerSummary

QUICK = FollowPolicy(backoff=BackoffPolicy(base_seconds=0.02, cap_seconds=0.1))


@pytest.fixture
async def client(ada: Person) -> AsyncIterator[RuntimeCodexClient]:
    async with RuntimeCodexClient(str(ada.world.api.client.base_url), ada.token) as made:
        yield made


async def until(follower: EverythingFollower, wanted: Callable[[object], bool]) -> list[object]:
    """All entries up to the first that is wanted."""
    seen: list[object] = []
    async with asyncio.timeout(30):
        async for entry in follower:
            seen.append(entry)
            if wanted(entry):
                break
    return seen


def caught_up(entry: object) -> bool:
    return isinstance(entry, StreamCaughtUp)


async def test_state_is_typed_and_bracketed_and_only_ones_own(
    ada: Person, eve: Person, client: RuntimeCodexClient
) -> None:
    machines = [await each.machine() for each in (ada, eve)]
    await client.machine_request(machines[0].worker_id, "model/list", request_id="r", wait_ms=0)

    async with client.follow_everything(policy=QUICK) as follower:
        said = await until(follower, caught_up)
        assert follower.state.kind == "live"
        await eve.open_worker()
        await eve.append(eve.worker_id, n=1)
        await ada.append(ada.worker_id, n=1)
        said += await until(follower, lambda entry: isinstance(entry, WorkerSummary) and entry.latest_seq == 2)

    assert isinstance(said[0], StreamOpen)
    assert [entry.complete for entry in said if isinstance(entry, StreamCaughtUp)] == [True]
    assert {entry.worker_id for entry in said if isinstance(entry, WorkerSummary)} == {ada.worker_id}
    assert {entry.machine_id for entry in said if isinstance(entry, Machine)} == {machines[0].worker_id}
    assert [(entry.request_id, entry.state) for entry in said if isinstance(entry, Receipt)] == [("r", "accepted")]


async def test_events_come_once_and_in_order_over_cuts_and_restarts(ada: Person, client: RuntimeCodexClient) -> None:
    def is_event(entry: object) -> bool:
        return isinstance(entry, Envelope)

    async with client.follow_everything([ada.worker_id], policy=QUICK) as follower:
        await until(follower, caught_up)
        await ada.append(ada.worker_id, n=1)
        said = await until(follower, is_event)
        follower.poke(reopen=True)
        await ada.append(ada.worker_id, n=2)
        said += await until(follower, is_event)
        handled = follower.resume_at  # n=2 was handed out, and not yet handled

    async with client.follow_everything([ada.worker_id], cursor=handled, policy=QUICK) as again:
        await ada.append(ada.worker_id, n=3)
        later = await until(again, lambda entry: isinstance(entry, Envelope) and entry.payload == {"n": 3})

    assert [entry.payload for entry in said if isinstance(entry, Envelope)] == [{"n": 1}, {"n": 2}]
    assert [entry.payload for entry in later if isinstance(entry, Envelope)] == [{"n": 2}, {"n": 3}]


async def test_a_stale_place_is_an_entry_and_the_stream_goes_on(ada: Person, client: RuntimeCodexClient) -> None:
    async with client.follow_everything([ada.worker_id], policy=QUICK) as follower:
        await until(follower, caught_up)
        place = follower.resume_at
    assert place is not None
    beyond = f"{place.rsplit('-', 1)[0]}-9999"

    async with client.follow_everything([ada.worker_id], cursor=beyond, policy=QUICK) as follower:
        said = await until(follower, caught_up)
        await ada.append(ada.worker_id, n=1)
        (event,) = [e for e in await until(follower, lambda e: isinstance(e, Envelope)) if isinstance(e, Envelope)]

    assert [(e.workerId, e.latest_seq) for e in said if isinstance(e, StreamStale)] == [(ada.worker_id, 1)]
    assert event.seq == 2

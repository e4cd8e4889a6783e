"""A phone on a bad network beside a busy worker: nothing is lost, doubled or growing, and nothing shown was untrue."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.client.conftest import ADA
from tests.soak.busy import MACHINE, WORKER, Machine
from tests.waiting import until

from autopilot.api.tokens import mint
from autopilot.client import FollowPolicy, MemoryTokenStore, RuntimeCodexClient, Session, Timeline, answering
from autopilot.client.answering import Answer
from autopilot.client.app_core import AppCore, AppView
from autopilot.client.backoff import BackoffPolicy
from autopilot.client.clock import SYSTEM_CLOCK
from autopilot.client.connection import ConnectionState
from autopilot.client.overview import Overview
from autopilot.client.presenters.people import Names
from autopilot.client.timeline_items import Item
from autopilot.client.tokens import Credentials
from autopilot.client.worker_state import fold
from autopilot.contract import Approval, Envelope, RegisterMachine, WorkerSummary, encode
from autopilot.contract.worker_facts import NAMES
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy
from autopilot.testing.streaming_server import blank_snapshot

SECONDS, ENDURANCE_SECONDS = 160.0, 7200.0
KINDS = ("cut", "close", "stall", "half_open", "refuse", "error", "slow", "double", "swap", "none")
BACKOFF = BackoffPolicy(base_seconds=0.2, cap_seconds=2.0)
POLICY = FollowPolicy(backoff=BACKOFF, heartbeat_seconds=3.0, silence_seconds=5.0, opening_seconds=4.0)
MOST_OBJECTS = 20_000
"""Events, items and summaries alive at any time: recent events, one timeline, one overview, and the samples here."""
SAMPLED = 40
TOLD_SECONDS = 3.5
"""What the server may ask for in its `bye` or `Retry-After`."""


@dataclass
class Seen:
    """What was shown, kept small."""

    workers: dict[tuple[str, int], tuple[Any, ...]] = field(default_factory=dict)
    approvals: set[tuple[str, str]] = field(default_factory=set)
    receipts: set[tuple[str, str]] = field(default_factory=set)
    seqs: list[int] = field(default_factory=list)
    samples: list[tuple[int, tuple[Any, ...]]] = field(default_factory=list)
    waits: list[tuple[int, float]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def view(self, view: AppView) -> None:
        """A moment of everything."""
        overview = view.overview.overview
        for worker in overview.workers:
            said = tuple(encode(getattr(worker, name)) if getattr(worker, name) else None for name in NAMES)
            known = self.workers.setdefault((worker.worker_id, worker.latest_seq), (worker.status, *said))
            assert known == (worker.status, *said), "one seq, two states"
        self.approvals |= {(one.approval_id, one.state) for one in (*overview.approvals, *overview.ended_approvals)}
        self.receipts |= {(one.request_id, one.state) for one in overview.receipts}
        self.connection(view.overview.connection)

    def connection(self, state: ConnectionState) -> None:
        """A moment of a connection."""
        self.kinds[state.kind] += 1
        if state.kind == "waiting" and state.retry_at is not None and state.since is not None and state.attempt:
            self.waits.append((state.attempt, (state.retry_at - state.since).total_seconds()))


def alive() -> Counter[str]:
    """How many of what could pile up are in memory."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, Envelope | WorkerSummary | Item))


async def use(core: AppCore, seen: Seen, acts: list, rng: random.Random) -> None:
    """A person: writes, answers, puts the phone away and takes it up, changes networks."""
    detail = await core.open(WORKER)
    detail.store.subscribe(lambda view: _watch(seen, view, rng))
    while True:
        await SYSTEM_CLOCK.sleep(0.5 + rng.random() * 3)
        match rng.randrange(8):
            case 0:
                await core.background()
                await SYSTEM_CLOCK.sleep(rng.random() * 2)
                core.foreground()
            case 1:
                core.network_changed(online=rng.random() < 0.8)
            case 2 | 3 | 4:
                acts.append(core.acts.say(WORKER, f"message {len(acts)}"))
            case _:
                for approval in core.view.overview.overview.pending[:1]:
                    await answering.send(core.client, approval, _yes(approval), Names())


def _yes(approval: Approval) -> Answer:
    return Answer(next(option for option in approval.options if option.option_id == "accept"))


def _watch(seen: Seen, view: Any, rng: random.Random) -> None:
    seen.seqs.append(view.seq)
    seen.connection(view.connection)
    if rng.random() < 0.02 and len(seen.samples) < SAMPLED and view.is_whole:
        seen.samples.append((view.seq, view.items))


async def soak(installation, seed: int, seconds: float) -> None:
    """The whole of it, for so long."""
    rng = random.Random(seed)
    plan = random.Random(seed + 1)
    is_over = False

    def fault(_number: int) -> Fault:
        if is_over:
            return HEALTHY
        return Fault(plan.choice(KINDS), plan.randrange(300, 40_000))

    executor = await _executor(installation)
    plain = await installation.client()
    await plain.create_worker(WORKER)
    lease = await executor.claim_lease(WORKER, MACHINE, ttl_ms=60_000)
    machine = Machine(executor, lease.generation, rng)
    tokens = MemoryTokenStore()
    await installation.session(tokens)
    host, port = installation.url.removeprefix("http://").split(":")
    seen, acts = Seen(), []
    async with (
        FaultProxy(host, int(port), plan=fault) as proxy,
        Session(installation.url, tokens) as session,
        RuntimeCodexClient(proxy.url, session, rng=rng.random) as client,
        asyncio.TaskGroup() as group,
    ):
        core = AppCore(session, client, policy=POLICY, rng=rng.random)
        core.subscribe(seen.view)
        works = [core.run(), machine.work(), machine.ask(), machine.carry_out()]
        tasks = [group.create_task(work) for work in works]
        await until(lambda: core.view.phase == "here")
        person = group.create_task(use(core, seen, acts, rng))
        for _ in range(4):
            await SYSTEM_CLOCK.sleep(seconds / 4)
            now = alive()
            assert sum(now.values()) < MOST_OBJECTS, now
            assert proxy.connections < 60
            assert len(asyncio.all_tasks()) < 400
        person.cancel()
        tasks[1].cancel()
        tasks[2].cancel()
        is_over = True
        proxy.cut_all()
        core.foreground()
        core.network_changed(online=True)
        for act in acts:
            if act.view.may_send:
                core.acts.begin(act)
        detail = await core.open(WORKER)
        await until(lambda: all(act.view.has_ended or _is_late(act) for act in acts))
        last = await plain.worker(WORKER)
        await until(lambda: detail.store.view.seq >= last.latest_seq and detail.store.view.connection.kind == "live")
        await until(lambda: core.view.overview.overview.workers[0].latest_seq >= last.latest_seq)
        final, items = core.view.overview.overview, (detail.store.view.seq, detail.store.view.items)
        tasks[3].cancel()
        tasks[0].cancel()
    events = [event async for event in _log(plain)]
    _nothing_lost_or_doubled(events, acts, machine, seen)
    _nothing_untrue(events, seen, final, items)
    _within_bounds(seen, proxy)


async def _executor(installation) -> RuntimeCodexClient:
    """The machine, with a session that is refreshed for as long as the longest run."""
    scopes = ("execute", "administer", "observe")
    minted = await mint(installation.accounts, email=ADA, scopes=scopes, machine_id=MACHINE, surface="companion")
    held = MemoryTokenStore()
    ends = datetime.now(UTC) + timedelta(seconds=minted.expires_in)
    held.save(Credentials(minted.token, minted.refresh_token, ends, base_url=installation.url))
    session = await installation.stack.enter_async_context(Session(installation.url, held, surface="companion"))
    client = await installation.client(session, surface="companion")
    await client.register_machine(RegisterMachine(machine_id=MACHINE, name="Desk"))
    return client


def _is_late(act) -> bool:
    """Refused for good: somebody, maybe this person in an act before, was faster."""
    return act.view.phase == "refused" and act.view.error is not None and act.view.error.status == 409


async def _log(client: RuntimeCodexClient):
    after = 0
    while page := await client.events(WORKER, after=after, limit=500):
        for event in page:
            yield event
        after = page[-1].seq


def _nothing_lost_or_doubled(events: list[Envelope], acts: list, machine: Machine, seen: Seen) -> None:
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    said = [act.request_id for act in acts if act.deed.method == "turn/start"]
    received = [event.payload["request_id"] for event in events if event.eventType == "worker.request.received"]
    assert sorted(received) == sorted(said)
    assert sorted(machine.carried_out) == sorted(said)
    assert all(act.view.phase == "done" for act in acts if act.deed.method == "turn/start")
    decided = [event.payload["approval_id"] for event in events if event.eventType == "worker.approval.decided"]
    assert len(decided) == len(set(decided))
    assert set(decided) <= set(machine.asked)
    assert seen.seqs == sorted(seen.seqs), "a timeline that went back"


def _nothing_untrue(events: list[Envelope], seen: Seen, final: Overview, items: tuple[int, tuple]) -> None:
    snapshot, states = blank_snapshot(WORKER), {}
    for event in events:
        snapshot = fold(snapshot, [event])
        said = tuple(encode(getattr(snapshot, name)) if getattr(snapshot, name) else None for name in NAMES)
        states[event.seq] = (snapshot.status, *said)
    for (worker_id, seq), shown in seen.workers.items():
        assert worker_id == WORKER
        assert shown == states[seq], f"what was shown at {seq} was never so"
    asked = {event.payload["approval"]["approval_id"] for event in events if event.eventType.endswith("al.requested")}
    decided = {event.payload["approval_id"] for event in events if event.eventType == "worker.approval.decided"}
    assert {name for name, _ in seen.approvals} <= asked
    assert {name for name, state in seen.approvals if state != "pending"} <= decided
    ended = {event.payload["request_id"] for event in events if event.eventType == "worker.response"}
    assert {name for name, state in seen.receipts if state == "completed"} <= ended
    assert final.workers[0].latest_seq <= len(events)
    for seq, shown in (*seen.samples, items):
        timeline = Timeline().fold(events[:seq])
        assert shown == timeline.items, f"the timeline at {seq} was never so"


def _within_bounds(seen: Seen, proxy: FaultProxy) -> None:
    assert seen.waits, "nothing ever broke"
    for attempt, seconds in seen.waits:
        assert seconds <= BACKOFF.ceiling(attempt - 1) + BACKOFF.base_seconds + TOLD_SECONDS
    assert {"connecting", "catching_up", "live", "waiting", "closed"} <= set(seen.kinds)
    assert proxy.accepted > len(KINDS)


@pytest.mark.slow
@pytest.mark.seeds(1, 1)
@pytest.mark.timeout(2 * ENDURANCE_SECONDS)  # the suite's budget is what ends it in `make test`
async def test_over_minutes_of_flaps_nothing_is_lost_doubled_untrue_or_growing(installation, seed, request):
    await soak(installation, seed, ENDURANCE_SECONDS if request.config.getoption("--endurance") else SECONDS)

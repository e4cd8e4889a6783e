"""Whoever comes first decides; whatever comes together, row and log say the same, and every approval ends once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import timedelta

import pytest

from autopilot.ops.clock import SystemClock
from autopilot.runtime.approvals_events import ENDS
from autopilot.runtime.expiry import Sweeper
from autopilot.testing.approvals import approval_of, decide, open_ids, question
from autopilot.testing.machines import Companion, leased
from autopilot.testing.runtime import call, frames

PREFIX = "worker.approval."


class Ahead(SystemClock):
    """A clock so far ahead."""

    def __init__(self, ahead):
        self.ahead = ahead

    def now(self):
        return super().now() + self.ahead


@pytest.fixture
async def companion(runtime):
    return await leased(runtime)


async def ask(companion, number=0, **said):
    approval = question("w", number, **said)
    assert (await companion.ask_approval("w", approval)).status == 202
    return approval["approval_id"]


async def sweep(runtime, **ahead):
    clock = Ahead(timedelta(**ahead))
    await Sweeper(
        runtime.ledger, runtime.pool, clock, runtime.machines.revocations, runtime.machines.lost_roles
    ).sweep()


async def told(runtime):
    return [
        (frame["eventType"].removeprefix(PREFIX), frame)
        for frame in await frames(runtime, "w")
        if frame["eventType"].startswith(PREFIX)
    ]


async def test_of_many_decisions_at_once_one_wins_and_the_others_learn_which(runtime, companion):
    approval_id = await ask(companion)
    options = ["accept", "acceptForSession", "decline", "cancel"] * 3
    answers = await asyncio.gather(*(decide(runtime, approval_id, option_id) for option_id in options))
    winner = (await approval_of(runtime, approval_id))["decision"]
    for option_id, answer in zip(options, answers, strict=True):
        if option_id == winner["option_id"]:
            assert answer.status == 200
            assert answer.data["decision"] == winner
        else:
            assert (answer.status, answer.reason) == (409, "answered_differently")
            assert answer.json["error"]["details"][0]["winner"] == {
                name: winner[name] for name in ("option_id", "actor", "decided_at")
            }
    assert [state for state, _ in await told(runtime)].count("decided") == 1
    assert len([entry for entry in await companion.feed() if entry["kind"] == "decision"]) == 1


async def test_the_same_decision_again_is_answered_alike_in_every_state(runtime, companion):
    approval_id = await ask(companion)
    for state in ("decided", "delivered", "applied"):
        if state == "delivered":
            await companion.feed()
        if state == "applied":
            await companion.end_approval("w", approval_id, "applied", "declined")
        again = await decide(runtime, approval_id, "decline", message="no")
        assert (again.status, again.data["state"]) == (200, state)
        other = await decide(runtime, approval_id, "decline", message="no!")
        assert (other.status, other.reason) == (409, "answered_differently")
        assert other.json["error"]["details"][0]["state"] == state


async def test_a_decision_and_an_answer_at_the_computer_at_once_end_as_superseded(runtime, companion):
    approval_id = await ask(companion)
    answer, _ = await asyncio.gather(
        decide(runtime, approval_id), companion.end_approval("w", approval_id, "superseded", "declined")
    )
    found = await approval_of(runtime, approval_id)
    assert (found["state"], found["outcome"]) == ("superseded", "declined")
    if answer.status == 200:
        assert found["decision"]["option_id"] == "accept"
    else:
        assert (answer.status, answer.reason) == (409, "approval_ended")
        assert found["decision"] is None
    assert all(entry["body"] is None for entry in await companion.feed() if entry["kind"] == "decision")


async def test_an_answer_that_comes_before_the_machine_has_it_is_taken_back_where_it_is_moot(runtime, companion):
    approval_id = await ask(companion)
    await decide(runtime, approval_id)
    await companion.end_approval("w", approval_id, "closed", reason="turn_interrupted")
    [entry] = [entry for entry in await companion.feed() if entry["kind"] == "decision"]
    assert entry["body"] is None
    found = await approval_of(runtime, approval_id)
    assert (found["state"], found["closed_reason"], found["delivered_at"]) == ("closed", "turn_interrupted", None)


async def test_what_nobody_answered_in_time_expires_and_is_told_to_its_machine(runtime, companion):
    approval_id = await ask(companion, ttl_ms=60_000)
    await sweep(runtime, seconds=50)
    assert await open_ids(runtime) == [approval_id]
    await asyncio.gather(*(sweep(runtime, seconds=61) for _ in range(3)))
    assert (await approval_of(runtime, approval_id))["state"] == "expired"
    assert [state for state, _ in await told(runtime)] == ["requested", "expired"]
    [entry] = [entry for entry in await companion.feed() if entry["kind"] == "event"]
    assert entry["body"]["eventType"] == "worker.approval.expired"
    assert entry["body"]["payload"]["approval_id"] == approval_id
    refused = await decide(runtime, approval_id)
    assert (refused.status, refused.reason) == (409, "approval_ended")
    assert refused.json["error"]["details"][0]["state"] == "expired"
    await companion.end_approval("w", approval_id, "applied", "declined")
    assert (await approval_of(runtime, approval_id))["state"] == "expired"


async def test_what_never_expires_and_what_was_decided_does_not(runtime, companion):
    never = await ask(companion)
    decided = await ask(companion, 1, ttl_ms=1_000)
    await decide(runtime, decided)
    await sweep(runtime, days=400)
    assert (await approval_of(runtime, never))["state"] == "pending"
    assert (await approval_of(runtime, decided))["state"] == "decided"


async def test_what_is_over_is_over_before_the_sweeper_comes_by(runtime, companion):
    approval_id = await ask(companion, ttl_ms=1_000)
    await runtime.pool.execute("update approval set expires_at = clock_timestamp() - interval '1 second'")
    refused = await decide(runtime, approval_id)
    assert (refused.status, refused.reason) == (409, "approval_ended")
    assert (await approval_of(runtime, approval_id))["state"] == "expired"
    assert [state for state, _ in await told(runtime)] == ["requested", "expired"]


async def test_a_decision_and_the_expiry_at_once_leave_one_of_them(runtime, companion):
    approval_id = await ask(companion, ttl_ms=60_000)
    answer, _ = await asyncio.gather(decide(runtime, approval_id), sweep(runtime, seconds=61))
    state = (await approval_of(runtime, approval_id))["state"]
    assert (answer.status, state) in {(200, "decided"), (409, "expired")}
    assert [state for state, _ in await told(runtime)] == ["requested", state]


@pytest.mark.seeds(5, 100)
async def test_row_and_log_say_the_same_whatever_comes_together(runtime, companion, seed):
    """Six approvals, everything that may happen to one, all at once and out of order; then the worker is stopped."""
    chance = random.Random(seed)
    ids = [await ask(companion, number, ttl_ms=60_000) for number in range(6)]
    other = Companion(runtime, "m2")
    await other.register()
    acts = []
    for approval_id in ids:
        acts += [
            lambda it=approval_id: decide(runtime, it, chance.choice(["accept", "decline"])),
            lambda it=approval_id: decide(runtime, it, "cancel"),
            lambda it=approval_id: companion.end_approval("w", it, "superseded", "accepted"),
            lambda it=approval_id: companion.end_approval("w", it, "applied", "accepted"),
            lambda it=approval_id: companion.end_approval("w", it, "closed", reason="turn_ended"),
        ]
    acts += [companion.feed, companion.feed, lambda: sweep(runtime, seconds=61)]
    acts += [lambda: call(runtime, "POST", "/workers/w/stop", {"force": True})] if chance.random() < 0.5 else []
    chosen = chance.sample(acts, k=chance.randint(3, len(acts)))
    await asyncio.gather(*(act() for act in chosen))
    await companion.feed()
    await call(runtime, "POST", "/workers/w/stop", {"force": True})

    log = await told(runtime)
    for approval_id in ids:
        mine = [
            (state, frame)
            for state, frame in log
            if (frame["payload"].get("approval_id") or frame["payload"]["approval"]["approval_id"]) == approval_id
        ]
        found = await approval_of(runtime, approval_id)
        counts = Counter(state for state, _ in mine)
        assert counts["requested"] == 1
        assert counts["decided"] <= 1
        assert (found["decision"] is not None) == (counts["decided"] == 1)
        states = [state for state, _ in mine]
        first_end = next(state for state in states if PREFIX + state in ENDS)
        if "decided" in states:
            assert states.index("decided") < states.index(first_end)
        applied_by_none = first_end == "applied" and "decided" not in states
        assert found["state"] == ("superseded" if applied_by_none else first_end)
    assert await runtime.pool.fetchval("select count(*) from approval_answer") == 0
    assert all(entry["body"] is None for entry in await companion.feed() if entry["kind"] == "decision")

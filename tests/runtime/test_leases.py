"""Who may execute for a worker (docs/runtime-contract.md, "Leases")."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from autopilot.testing.machines import Companion, leased, machine_claims
from autopilot.testing.runtime import OWNER, call, frames, insert_worker


async def registered(runtime, machine_id):
    companion = Companion(runtime, machine_id)
    await companion.register()
    return companion


async def run_out(runtime, worker_id="w"):
    """Let the worker's lease have ended a second ago."""
    await runtime.pool.execute(
        """update lease set expires_at = clock_timestamp() - interval '1 second'
           from worker w where w.worker_no = lease.worker_no and w.worker_id = $1""",
        worker_id,
    )


def told(log):
    return [
        (frame["eventType"], frame["payload"]["machine_id"], frame["payload"]["generation"])
        for frame in log
        if frame["eventType"].startswith("worker.lease.")
    ]


async def test_a_claim_grants_sixty_seconds_unless_told_and_is_in_the_log(runtime):
    companion = await leased(runtime)

    row = await runtime.pool.fetchrow("select * from lease")
    assert row["expires_at"] - row["claimed_at"] == timedelta(seconds=60)
    assert told(await frames(runtime, "w")) == [("worker.lease.claimed", "m1", 1)]
    assert companion.generations == {"w": 1}


@pytest.mark.parametrize(("ttl_ms", "status"), [(999, 422), (1000, 200), (600_000, 200), (600_001, 422), ("1", 422)])
async def test_a_time_to_live_is_within_its_range(runtime, ttl_ms, status):
    await insert_worker(runtime, "w")
    companion = await registered(runtime, "m1")

    answer = await companion.claim("w", ttl_ms=ttl_ms)

    assert answer.status == status


async def test_a_live_lease_of_another_machine_is_a_conflict_that_names_the_holder(runtime):
    await leased(runtime)
    second = await registered(runtime, "m2")

    answer = await second.claim("w")

    assert (answer.status, answer.reason) == (409, "leased")
    detail = answer.json["error"]["details"][0]
    assert detail["machine_id"] == "m1"
    assert detail["since"].endswith("Z")


async def test_the_same_machine_claims_again_under_a_higher_generation_and_is_fenced_under_the_old(runtime):
    companion = await leased(runtime)

    again = await companion.claim("w")
    companion.generations["w"] = 1
    stale = await companion.append("w", "worker.event", "e1")
    companion.generations["w"] = 2
    fresh = await companion.append("w", "worker.event", "e1")

    assert again.data["generation"] == 2
    assert (stale.status, stale.reason) == (409, "fenced")
    assert fresh.status == 202


async def test_of_two_machines_that_claim_at_once_exactly_one_is_granted_it(runtime):
    await insert_worker(runtime, "w")
    machines = [await registered(runtime, f"m{n}") for n in range(6)]

    answers = await asyncio.gather(*(machine.claim("w") for machine in machines))

    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409, 409]
    assert len(told(await frames(runtime, "w"))) == 1


async def test_an_expired_lease_may_be_taken_and_the_log_says_both(runtime):
    first = await leased(runtime)
    second = await registered(runtime, "m2")
    await run_out(runtime)

    answer = await second.claim("w")
    late = await first.append("w", "worker.event", "late")

    assert answer.data["generation"] == 2
    assert (late.status, late.reason) == (409, "fenced")
    assert told(await frames(runtime, "w")) == [
        ("worker.lease.claimed", "m1", 1),
        ("worker.lease.expired", "m1", 1),
        ("worker.lease.claimed", "m2", 2),
    ]


async def test_an_expiry_is_told_once_however_many_look(runtime):
    await leased(runtime)
    await run_out(runtime)

    await asyncio.gather(*(runtime.machines.sweeper.sweep() for _ in range(4)))
    await runtime.machines.sweeper.sweep()

    assert told(await frames(runtime, "w"))[1:] == [("worker.lease.expired", "m1", 1)]


async def test_a_release_is_a_clean_end_and_again_the_same(runtime):
    companion = await leased(runtime)

    first, again = await companion.release("w"), await companion.release("w")
    await runtime.machines.sweeper.sweep()

    assert (first.status, again.status) == (200, 200)
    assert again.data == {**first.data, "state": "released"}
    assert told(await frames(runtime, "w"))[1:] == [("worker.lease.released", "m1", 1)]


async def test_an_expired_lease_may_still_be_released_but_not_one_of_another_generation(runtime):
    companion = await leased(runtime)
    await run_out(runtime)

    other = await companion.release("w", generation=2)
    own = await companion.release("w")

    assert (other.status, other.reason) == (409, "fenced")
    assert own.status == 200


async def test_appends_renew_a_lease_that_has_used_up_a_third_of_its_time(runtime):
    companion = await leased(runtime)
    await runtime.pool.execute("update lease set expires_at = clock_timestamp() + interval '5 seconds'")

    await companion.append("w", "worker.event", "e1")

    left = await runtime.pool.fetchval("select expires_at - clock_timestamp() from lease")
    assert left > timedelta(seconds=50)


async def test_an_append_never_revives_a_lease_that_ran_out(runtime):
    companion = await leased(runtime)
    await run_out(runtime)

    await companion.append("w", "worker.event", "e1")

    assert await runtime.pool.fetchval("select expires_at < clock_timestamp() from lease")


async def test_only_the_machine_itself_claims_and_only_its_principals_workers(runtime):
    await insert_worker(runtime, "w")
    await registered(runtime, "m1")
    theirs = Companion(runtime, "theirs", user_id=2)
    await theirs.register()

    as_person = await call(runtime, "POST", "/workers/w/lease", {"machine_id": "m1"}, claims=OWNER)
    as_other = await call(runtime, "POST", "/workers/w/lease", {"machine_id": "m1"}, claims=machine_claims("m2"))
    foreign = await theirs.claim("w")
    unknown = await Companion(runtime, "m9").claim("w")

    assert [as_person.status, as_other.status, foreign.status, unknown.status] == [403, 403, 403, 404]


async def test_a_stopped_worker_can_not_be_claimed(runtime):
    companion = await leased(runtime)
    await companion.append("w", "worker.stopped", "end")

    answer = await companion.claim("w")

    assert (answer.status, answer.reason) == (409, "worker_stopped")


async def test_a_claim_that_fails_half_way_leaves_nothing(runtime, monkeypatch):
    await insert_worker(runtime, "w")
    companion = await registered(runtime, "m1")

    async def fail(*_):
        raise ConnectionResetError

    monkeypatch.setattr("autopilot.runtime.leases.requests_handover.take_over", fail)
    answer = await companion.claim("w")

    assert answer.status == 503
    assert await runtime.pool.fetchval("select count(*) from lease") == 0
    assert await frames(runtime, "w") == []

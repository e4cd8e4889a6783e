"""What members asked for or decided by a role that they lost since (docs/runtime-contract.md, "Lost roles")."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest
from tests.runtime.test_sharing import MINE, put
from tests.waiting import until

from autopilot.contract.port import Claims
from autopilot.runtime.lost_roles import SQL
from autopilot.testing.approvals import approval_of, decide, question
from autopilot.testing.machines import Companion, ask, leased, receipt
from autopilot.testing.runtime import OWNER, call, frames

MEMBER = Claims(
    user_id=3,
    device_id="d3",
    scopes=frozenset({"administer"}),
    roles={"team_a": "operator"},
    memberships={"team_a": 31},
    membership_no=31,
)
AGAIN = dataclasses.replace(MEMBER, memberships={"team_a": 32}, membership_no=32)
"""The same person under a membership of later."""
COLLEAGUE = dataclasses.replace(MEMBER, user_id=4, device_id="d4", memberships={"team_a": 41}, membership_no=41)
TARGETS = ("/workers/w", "/machines/m1")


async def ended(runtime, change: str = "departed", claims: Claims = MEMBER):
    path = f"/teams/team_a/members/{claims.user_id}/{change}"
    return await call(runtime, "POST", path, {"membership_no": claims.membership_no}, claims=claims)


async def unshared(runtime):
    return await put(runtime, team_id=None)


LOSSES = {
    "the member left": ended,
    "the member is a viewer now": lambda runtime: ended(runtime, "narrowed"),
    "the machine was taken out": unshared,
    "the machine is in another team now": lambda runtime: put(runtime, team_id="team_b"),
    "the machine's owner left": lambda runtime: ended(runtime, claims=dataclasses.replace(MINE, membership_no=99)),
}
losing = pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)


@pytest.fixture
async def companion(runtime) -> Companion:
    """Of a machine that is shared, and holds the lease of `w`."""
    companion = await leased(runtime)
    await put(runtime)
    return companion


async def states(runtime, request_id: str = "r") -> list[tuple[str, str | None]]:
    found = [await receipt(runtime, request_id, path=path) for path in TARGETS]
    return [(one["state"], one["error"] and one["error"]["code"]) for one in found]


async def waiting(runtime, request_id: str = "r", claims: Claims = MEMBER) -> None:
    for path in TARGETS:
        answer = await ask(runtime, "turn/start", request_id, {"input": []}, path=path, claims=claims)
        assert answer.status == 202, answer.body


@losing
async def test_undelivered_requests_of_who_lost_the_role_are_rejected_and_the_log_says_why(runtime, companion, lose):
    await waiting(runtime)
    await waiting(runtime, "mine", OWNER)

    assert (await lose(runtime)).status == 200

    assert await states(runtime) == [("rejected", "role_lost")] * 2
    assert await states(runtime, "mine") == [("accepted", None)] * 2
    told = [frame for frame in await frames(runtime, "w") if frame["eventType"] == "worker.request.rejected"]
    assert [(one["payload"]["request_id"], one["payload"]["reason_code"]) for one in told] == [("r", "role_lost")]
    assert told[0]["actor"]["surface"] == "runtime"
    entries = [(entry["request_id"], entry["body"] is None) for entry in await companion.feed()]
    assert sorted(entries) == [("mine", False), ("mine", False), ("r", True), ("r", True)]
    assert await runtime.pool.fetchval("select count(*) from delivery where request_id = 'r'") == 0


@losing
async def test_an_undelivered_decision_of_who_lost_the_role_is_asked_again_and_the_owner_answers(
    runtime, companion, lose
):
    approval = question("w")
    await companion.ask_approval("w", approval)
    assert (await decide(runtime, approval["approval_id"], "accept", claims=MEMBER)).status == 200

    assert (await lose(runtime)).status == 200

    found = await approval_of(runtime, approval["approval_id"])
    assert (found["state"], found["decision"]) == ("pending", None)
    told = [frame["payload"] for frame in await frames(runtime, "w") if frame["eventType"].endswith("reopened")]
    assert [(one["approval_id"], one["reason"]) for one in told] == [(approval["approval_id"], "role_lost")]
    assert (await decide(runtime, approval["approval_id"], "decline")).data["state"] == "decided"
    handed = [entry["body"] for entry in await companion.feed() if entry["kind"] == "decision"]
    assert [body and body["option_id"] for body in handed] == [None, "decline"]
    [line] = (await call(runtime, "GET", "/audit", query="action=decision_taken_back", claims=MEMBER)).json["data"]
    assert (line["subject"], line["detail"]["reason"]) == (f"approval:{approval['approval_id']}", "role_lost")


@losing
async def test_what_a_machine_was_handed_before_the_role_was_lost_goes_on(runtime, companion, lose):
    approval = question("w")
    await companion.ask_approval("w", approval)
    await decide(runtime, approval["approval_id"], "accept", claims=MEMBER)
    await waiting(runtime)
    await companion.feed()

    await lose(runtime)

    assert await states(runtime) == [("delivered", None)] * 2
    assert (await approval_of(runtime, approval["approval_id"]))["state"] == "delivered"


@losing
async def test_a_stop_is_not_taken_back(runtime, companion, lose):
    assert (await call(runtime, "POST", "/workers/w/stop", {}, claims=MEMBER)).status == 202

    await lose(runtime)
    await runtime.machines.sweeper.sweep()

    assert await runtime.pool.fetchval("select state from receipt where method = 'worker/stop'") == "accepted"


@pytest.mark.parametrize("change", ["departed", "narrowed"])
async def test_who_leaves_takes_nothing_back_of_others_and_telling_again_changes_nothing(runtime, companion, change):
    await waiting(runtime)
    await waiting(runtime, "theirs", COLLEAGUE)

    first, before = await ended(runtime, change), await frames(runtime, "w")
    second = await ended(runtime, change)

    assert (first.data["rejected"], second.data["rejected"]) == (2, 0)
    assert await frames(runtime, "w") == before
    assert await states(runtime, "theirs") == [("accepted", None)] * 2


async def test_a_role_that_is_given_again_brings_nothing_back_and_loses_nothing_to_the_old_one(runtime, companion):
    await waiting(runtime)
    await ended(runtime)
    await waiting(runtime, "anew", AGAIN)

    assert (await ended(runtime)).data["rejected"] == 0
    await runtime.machines.sweeper.sweep()

    assert await states(runtime) == [("rejected", "role_lost")] * 2
    assert await states(runtime, "anew") == [("accepted", None)] * 2


async def test_a_machine_that_is_shared_again_brings_nothing_back(runtime, companion):
    await waiting(runtime)
    await put(runtime, team_id=None)
    await put(runtime)

    assert await states(runtime) == [("rejected", "role_lost")] * 2
    await waiting(runtime, "anew")
    assert await states(runtime, "anew") == [("accepted", None)] * 2


async def test_a_worker_that_another_machine_takes_out_of_the_team_leaves_what_members_asked_behind(runtime, companion):
    await waiting(runtime)
    await ask(runtime, "turn/start", "mine", {"input": []})
    other = Companion(runtime, "m2")
    await other.register()
    await companion.release("w")

    assert (await other.claim("w")).status == 200

    assert await states(runtime) == [("rejected", "role_lost"), ("accepted", None)]
    assert [entry["request_id"] for entry in await other.feed() if entry["kind"] == "request"] == ["mine"]


@pytest.mark.parametrize("change", ["departed", "narrowed"])
async def test_a_call_that_was_on_its_way_under_a_membership_that_ended_asks_and_decides_nothing(
    runtime, companion, change
):
    approval = question("w")
    await companion.ask_approval("w", approval)
    await ended(runtime, change)

    late = [await ask(runtime, "turn/start", "late", path=path, claims=MEMBER) for path in TARGETS]
    late.append(await decide(runtime, approval["approval_id"], "accept", claims=MEMBER))

    assert [(answer.status, answer.reason) for answer in late] == [(403, "role")] * 3
    await waiting(runtime, "fine", AGAIN)


async def test_what_was_accepted_at_the_moment_when_a_membership_ended_is_swept_up(runtime, companion):
    approval = question("w")
    await companion.ask_approval("w", approval)
    await waiting(runtime)
    await decide(runtime, approval["approval_id"], "accept", claims=MEMBER)
    # The departure's own look came before these were committed.
    await runtime.pool.execute(SQL.depart, MEMBER.membership_no)

    await runtime.machines.sweeper.sweep()

    assert await states(runtime) == [("rejected", "role_lost")] * 2
    assert (await approval_of(runtime, approval["approval_id"]))["state"] == "pending"


async def asking_while(runtime, change, *, handed: Companion | None = None):
    """What somebody is told who waits for an answer while this changes; `handed`: to whom the request is by then."""
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask(runtime, "turn/start", "r", wait_ms=60_000, claims=MEMBER))
        await until(lambda: runtime.pool.fetchval("select count(*) from receipt"))
        await until(lambda: runtime.machines.waiters._waiting)
        if handed is not None:
            await handed.feed()
        await change(runtime)
    return asking.result()


@losing
@pytest.mark.parametrize("is_handed", [False, True])
async def test_who_waits_for_an_answer_by_a_role_is_told_at_once_that_it_is_lost(runtime, companion, lose, is_handed):
    answer = await asking_while(runtime, lose, handed=companion if is_handed else None)

    assert (answer.status, answer.reason) == (403, "role")
    assert (await receipt(runtime, "r"))["state"] == ("delivered" if is_handed else "rejected")


async def test_who_waits_in_another_process_that_hears_nothing_is_told_within_its_next_look(
    runtime, elsewhere, companion
):
    answer = await asking_while(elsewhere, lambda _: ended(runtime))

    assert (answer.status, answer.reason) == (403, "role")


async def test_what_others_lose_ends_nobody_elses_wait(runtime, companion):
    async def others_lose(runtime):
        await ended(runtime, claims=COLLEAGUE)
        await until(companion.feed)
        await companion.respond("w", "r", {"turn": "t"})

    answer = await asking_while(runtime, others_lose)

    assert (answer.status, answer.data["ok"], answer.data["response"]) == (200, True, {"turn": "t"})


class Chaos:
    """A member who asks and decides, a role that comes and goes, and a machine that reads, all at once."""

    def __init__(self, runtime, companion: Companion, seed: int) -> None:
        self.runtime, self.companion, self.rng = runtime, companion, random.Random(seed)
        self.number, self.membership = 0, 100

    @property
    def member(self) -> Claims:
        number = self.membership
        return dataclasses.replace(MEMBER, memberships={"team_a": number}, membership_no=number)

    async def act(self) -> None:
        self.number += 1
        act = self.rng.choice([self.ask, self.ask, self.ask, self.decide, self.leave, self.move, self.read])
        await act(self.number)

    async def ask(self, number: int) -> None:
        path = self.rng.choice(TARGETS)
        answer = await ask(self.runtime, "turn/start", f"r{number}", path=path, claims=self.member)
        assert answer.status in {202, 403}, answer.body

    async def decide(self, number: int) -> None:
        approval = question("w", number)
        await self.companion.ask_approval("w", approval)
        answer = await decide(self.runtime, approval["approval_id"], "accept", claims=self.member)
        assert answer.status in {200, 403}, answer.body

    async def leave(self, _number: int) -> None:
        leaving, self.membership = self.member, self.membership + 1
        answer = await ended(self.runtime, self.rng.choice(["departed", "narrowed"]), leaving)
        assert answer.status == 200, answer.body

    async def move(self, _number: int) -> None:
        answer = await put(self.runtime, team_id=self.rng.choice(["team_a", "team_a", None]))
        assert answer.status == 200, answer.body

    async def read(self, _number: int) -> None:
        await self.companion.feed()


LEFT = """
select r.request_id as what from receipt r join departed_membership using (membership_no) where r.state = 'accepted'
union all
select a.approval_id from approval a join departed_membership d on d.membership_no = a.decided_membership_no
where a.state = 'decided'
union all
select r.request_id from receipt r left join worker w on r.target_kind = 'worker' and w.worker_id = r.target_id
left join machine m on r.target_kind = 'machine' and m.machine_id = r.target_id
where r.state = 'accepted' and r.membership_no is not null and coalesce(w.team_id, m.team_id) is null
union all
select a.approval_id from approval a join worker w using (worker_no)
where a.state = 'decided' and a.decided_membership_no is not null and w.team_id is null
"""
"""What somebody asked or decided without a role, and a machine may still be handed."""


@pytest.mark.seeds(4, 200)
async def test_however_asking_leaving_moving_and_reading_meet_nothing_is_left_to_hand_over_without_a_role(
    runtime, companion, seed
):
    chaos = Chaos(runtime, companion, seed)
    async with asyncio.timeout(60):
        for _ in range(10):
            await asyncio.gather(*(chaos.act() for _ in range(8)))
            await runtime.machines.sweeper.sweep()
            assert not await runtime.pool.fetch(LEFT)
    seqs = [frame["seq"] for frame in await frames(runtime, "w")]
    assert seqs == list(range(1, len(seqs) + 1))

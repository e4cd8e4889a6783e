"""What is shared with a team, at the runtime: who has it open, and what holds however moves and claims meet."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from tests.runtime.test_stream_principal import Reader
from tests.waiting import until

from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.testing.approvals import asked, decide, question
from autopilot.testing.machines import Companion, leased
from autopilot.testing.runtime import OWNER, batch, call, draft, frames, insert_worker

TEAMS = ("team_a", "team_b")
MINE = replace(OWNER, roles=dict.fromkeys(TEAMS, "owner"), membership_no=1)
VIEWER = Claims(user_id=2, device_id="d2", scopes=frozenset({"administer"}), roles={"team_a": "viewer"})
OPERATOR = replace(VIEWER, user_id=3, roles={"team_a": "operator"})
WAITS = """
select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')
"""
"""Whether some connection of this test's database waits for a lock."""


async def put(runtime, machine_id="m1", team_id="team_a", claims=MINE):
    return await call(runtime, "POST", f"/machines/{machine_id}/team", {"team_id": team_id}, claims=claims)


async def opened(runtime, path, claims=VIEWER, query="frames=control"):
    response = await runtime.call(RuntimeRequest(claims, "GET", path, query))
    assert response.status == 200, response.body
    return response.body


async def rest_of(body):
    async with asyncio.timeout(30):
        return b"".join([chunk async for chunk in body]).decode()


async def test_streams_of_members_end_in_every_process_when_the_machine_leaves_and_the_owners_go_on(runtime, elsewhere):
    await leased(runtime)
    await put(runtime)
    members = [await opened(each, "/workers/w/stream") for each in (runtime, elsewhere)]
    mine = [await opened(each, "/workers/w/stream", claims=OWNER) for each in (runtime, elsewhere)]

    assert (await put(runtime, team_id=None)).status == 200

    for body in members:
        assert '"reason":"roles"' in await rest_of(body)
    await runtime.ledger.append(batch("w", draft("mine", method="turn/started")))
    for body in mine:
        async with asyncio.timeout(30):
            while b'"eventId":"mine"' not in await anext(body):
                pass
        await body.aclose()


async def test_what_comes_after_a_machine_left_is_given_to_no_member_who_still_reads(runtime):
    await leased(runtime)
    await put(runtime)
    body = await opened(runtime, "/workers/w/stream", query="")

    await put(runtime, team_id=None)
    await runtime.sharing.look()
    await runtime.ledger.append(batch("w", draft("secret", method="turn/started")))

    assert "secret" not in await rest_of(body)


async def test_a_stream_that_opens_while_the_machine_leaves_ends_too(runtime):
    await leased(runtime)
    await put(runtime)
    await runtime.sharing.look()

    opening = asyncio.gather(*(opened(runtime, "/workers/w/stream") for _ in range(5)), return_exceptions=True)
    await put(runtime, team_id=None)

    for body in await opening:
        if not isinstance(body, BaseException):
            assert '"reason":"roles"' in await rest_of(body)


@pytest.mark.parametrize("hears", [True, False])
async def test_a_members_stream_of_everything_tells_what_comes_and_what_is_gone(runtime, elsewhere, hears):
    companion = await leased(runtime)
    await companion.ask_approval("w", question("w", 1))
    read_at = runtime if hears else elsewhere
    reader = Reader(await opened(read_at, "/stream", query=""))
    mine = Reader(await opened(read_at, "/stream", claims=OWNER, query=""))
    await mine.until(lambda event, _: event == "codex.state.worker")

    await put(runtime)
    _, _, told = await reader.until(lambda event, _: event == "codex.state.worker")
    assert (told["worker_id"], told["role"]) == ("w", "viewer")
    await reader.until(lambda event, data: event == "codex.state.approval" and data["state"] == "pending")
    if hears:  # else within ten seconds, as all that is unheard of
        _, _, changed = await mine.until(lambda event, _: event == "codex.state.worker")
        assert changed["owner"]["team_id"] == "team_a"

    await put(runtime, team_id=None)
    gone = [await reader.until(lambda event, _: event == "codex.state.gone") for _ in range(2)]
    assert [data for _, _, data in gone] == [{"kind": "machine", "id": "m1"}, {"kind": "worker", "id": "w"}]

    await put(runtime)
    await reader.until(lambda event, _: event == "codex.state.worker")
    for each in (reader, mine):
        await each.body.aclose()


async def test_a_members_stream_of_everything_says_nothing_more_of_what_is_gone(runtime):
    companion = await leased(runtime)
    await put(runtime)
    approval = question("w", 1)
    await companion.ask_approval("w", approval)
    await call(runtime, "POST", "/workers/w/requests", {"request": {"request_id": "r", "method": "turn/start"}},
               query="wait_ms=0")  # fmt: skip
    reader = Reader(await opened(runtime, "/stream", query="workers=w&cursor=p1"))
    await reader.until(lambda event, _: event == "codex.state.approval")
    await reader.until(lambda event, _: event == "codex.state.receipt")

    await put(runtime, team_id=None)
    identity, _, _ = await reader.until(lambda event, data: event == "codex.state.gone" and data["kind"] == "worker")
    await decide(runtime, approval["approval_id"])
    await companion.respond("w", "r", {})
    await insert_worker(runtime, "theirs", VIEWER)
    await call(runtime, "POST", "/workers/theirs/stop", claims=VIEWER)
    seen = []
    await reader.until(lambda event, data: seen.append((event, data)) or data.get("worker_id") == "theirs")

    assert identity == "p1"
    assert not [each for each in seen if "w" in (each[1].get("worker_id"), each[1].get("workerId"))]
    await reader.body.aclose()


async def test_a_member_is_told_of_the_owners_appends_though_the_worker_stood_before_it_was_shared(runtime, elsewhere):
    """What a process remembers of a worker says whom to tell: it is forgotten when the worker is shared."""
    await leased(elsewhere)
    for number in range(3):
        await elsewhere.ledger.append(batch("w", draft(f"before-{number}", method="x")))
    await put(runtime)
    await until(lambda: "w" not in elsewhere.ledger._standing._workers)
    await elsewhere.ledger.append(batch("w", draft("one", method="x")))
    await elsewhere.ledger.append(batch("w", draft("two", method="x")))

    assert elsewhere.ledger._standing._workers["w"].worker.team_id == "team_a"


async def test_the_internal_call_of_a_departure_is_taken_from_the_api_alone(runtime):
    await leased(runtime)
    await put(runtime)
    path, body = "/teams/team_a/members/1/departed", {"membership_no": 1}

    assert (await call(runtime, "POST", path, body, claims=OWNER)).reason == "membership"
    assert (await call(runtime, "POST", path, b"{}", claims=MINE)).status == 400
    assert (await call(runtime, "POST", path, body, claims=MINE)).data == {
        "machines": ["m1"],
        "rejected": 0,
        "reopened": 0,
    }
    assert (await call(runtime, "POST", path, body, claims=MINE)).data == {"machines": [], "rejected": 0, "reopened": 0}
    assert (await put(runtime)).reason == "no_such_team"
    assert (await put(runtime, claims=replace(MINE, membership_no=2))).status == 200


async def test_a_device_that_was_revoked_while_its_call_was_on_its_way_moves_no_machine(runtime):
    await leased(runtime)
    await call(runtime, "POST", f"/devices/{MINE.device_id}/revoked", claims=MINE)

    refused = await put(runtime)

    assert (refused.status, refused.reason) == (401, "token_refused")
    assert await runtime.pool.fetchval("select team_id from machine where machine_id = 'm1'") is None


async def test_a_claim_waits_for_the_head_of_shares_without_a_feed_that_another_claim_may_hold_it_for(runtime):
    """The other way round two claims, each with a feed that the other needs, would wait for each other."""
    companion, other = await leased(runtime), Companion(runtime, "m2")
    await companion.ask_approval("w", question("w", 1))
    await companion.release("w")
    await other.register()
    await put(runtime, "m2")

    async with (
        asyncio.timeout(30),
        asyncio.TaskGroup() as group,
        runtime.pool.acquire() as conn,
        conn.transaction(),
    ):
        await conn.execute("select from share_head for update")
        claiming = group.create_task(other.claim("w"))
        await until(lambda: runtime.pool.fetchval(WAITS))
        await conn.execute("select from feed_head for update nowait")
    assert claiming.result().status == 200
    assert "worker.approval.closed" in [frame["eventType"] for frame in await frames(runtime, "w")]


class Chaos:
    """Everybody at once: acts by chance on a few machines and workers."""

    def __init__(self, runtime, seed):
        self.runtime, self.rng, self.count = runtime, random.Random(seed), 0
        self.workers = [f"w{n}" for n in range(6)]
        self.machines = [Companion(runtime, f"m{n}") for n in range(3)]

    async def act(self):
        self.count += 1
        act = self.rng.choice(
            [self.move, self.move, self.claim, self.claim, self.append, self.ask, self.member, self.leave]
        )
        answer = await act(self.rng.choice(self.machines), self.rng.choice(self.workers), self.count)
        assert answer.status < 500, answer.body

    async def move(self, companion, _worker_id, _number):
        return await put(self.runtime, companion.machine_id, self.rng.choice([*TEAMS, None]))

    async def claim(self, companion, worker_id, _number):
        answer = await companion.claim(worker_id)
        return await companion.release(worker_id) if answer.status == 200 and self.rng.random() < 0.7 else answer

    async def append(self, companion, worker_id, number):
        return await companion.append(worker_id, "worker.event", f"e{number}", method="x")

    async def ask(self, companion, worker_id, number):
        said = asked(question(worker_id, number))
        return await companion.append(worker_id, "worker.approval.requested", f"q{number}", **said)

    async def member(self, _companion, worker_id, number):
        event = {"event": {"event_type": "worker.event", "event_id": f"o{number}", "payload": {}}}
        return await call(self.runtime, "POST", f"/workers/{worker_id}/events", event, claims=OPERATOR)

    async def leave(self, _companion, _worker_id, number):
        claims = replace(MINE, membership_no=1000 + number)
        body = {"membership_no": claims.membership_no}
        return await call(self.runtime, "POST", "/teams/team_b/members/1/departed", body, claims=claims)


TORN = """
select w.worker_id from worker w join lease l using (worker_no) join machine m using (machine_id)
where w.team_id is distinct from m.team_id
"""


@pytest.mark.seeds(3, 100)
async def test_however_moves_claims_appends_and_answers_meet_a_worker_is_where_its_machine_is(runtime, seed):
    chaos = Chaos(runtime, seed)
    for worker_id in chaos.workers:
        await insert_worker(runtime, worker_id)
    for companion in chaos.machines:
        await companion.register()

    async with asyncio.timeout(60):
        for _ in range(12):
            await asyncio.gather(*(chaos.act() for _ in range(8)))
            assert not await runtime.pool.fetch(TORN)
    for worker_id in chaos.workers:
        seqs = [frame["seq"] for frame in await frames(runtime, worker_id)]
        assert seqs == list(range(1, len(seqs) + 1))

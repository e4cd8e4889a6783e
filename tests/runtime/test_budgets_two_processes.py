"""One budget, two processes on one Postgres: reports and turns arrive at both at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import accumulate, count

import asyncpg
import pytest

from autopilot.contract.port import Claims
from autopilot.runtime import policy_store, spend_budgets
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.policy_document import TEAM, Budget, Contents, Subject
from autopilot.testing.machines import Companion, ask
from autopilot.testing.runtime import OWNER, STRANGER, batch, draft, frames, insert_worker
from autopilot.testing.spend import spent, thread, turn, usage

LIMIT = 10_000
WORKERS = 4
LOCKS = """select count(*) from pg_locks join pg_stat_activity using (pid)
           where datname = current_database() and locktype = any ($1::text[]) and granted = $2"""
ROWS, OWNERS = ("transactionid", "tuple"), ("advisory",)


@pytest.fixture
async def second(database, settings) -> AsyncIterator[Runtime]:
    """Another process of the same installation: its own pools, its own memory."""
    async with await build(settings, dsn=database) as built:
        yield built


async def limit(runtime, user_id=OWNER.user_id, *, team_id=None, **more):
    per = "user" if team_id is None else "team"
    budget = Budget(**{"name": "all", "per": per, "period": "ever", "tokens": LIMIT, **more})
    subject = policy_store.subject_of(user_id, None) if team_id is None else Subject(TEAM, team_id)
    contents = Contents(budgets=(budget,))
    await policy_store.add(
        runtime.pool, subject, "toml", "", contents, expected_version=0, actor="{}", x_request_id=None
    )


async def deadlocks(runtime):
    await runtime.pool.fetchval("select pg_stat_clear_snapshot()")
    return await runtime.pool.fetchval("select deadlocks from pg_stat_database where datname = current_database()")


@dataclass
class Told:
    """A call, between two ticks of a clock that every call moves."""

    began: int
    tokens: int = 0
    ended: int = 0
    status: int = 0


@dataclass
class World:
    """Two processes, and what is known of what was asked of them."""

    processes: tuple[Runtime, Runtime]
    rng: random.Random
    ticks: count = field(default_factory=count)
    names: count = field(default_factory=count)
    reports: list[Told] = field(default_factory=list)
    turns: list[Told] = field(default_factory=list)
    owners: dict[str, Claims] = field(default_factory=dict)
    """Whose worker is whose."""

    async def somewhere(self) -> Runtime:
        """Either process, after a while."""
        for _ in range(self.rng.randrange(8)):
            await asyncio.sleep(0)
        return self.rng.choice(self.processes)

    async def work(self, companion: Companion, worker_id: str) -> None:
        """A machine whose Codex uses tokens: previews, which are appended from memory, and reports."""
        total = 0
        for number in range(12):
            companion.runtime = await self.somewhere()
            preview = {"source": "autopilot-desktop", "method": "item/agentMessage/delta", "params": {"delta": "x"}}
            await companion.append(worker_id, "worker.event", f"p{next(self.names)}", **preview)
            companion.runtime = await self.somewhere()
            used = self.rng.randint(1, 2 * LIMIT // (12 * WORKERS) * 2)
            total += used
            told = Told(next(self.ticks), used)
            self.reports.append(told)
            payload = usage(total, used, turn_id="u", thread_id=worker_id, after_seconds=number)
            answer = await companion.append(worker_id, "worker.event", f"r{next(self.names)}", **payload)
            told.status, told.ended = answer.status, next(self.ticks)

    async def ask(self) -> None:
        """A person who starts turns."""
        for _ in range(16):
            runtime, told = await self.somewhere(), Told(next(self.ticks))
            self.turns.append(told)
            name = f"w{self.rng.randrange(WORKERS)}"
            options = {"path": f"/workers/{name}", "claims": self.owners[name]}
            answer = await ask(runtime, "turn/start", f"q{next(self.names)}", {"input": []}, **options)
            told.status, told.ended = answer.status, next(self.ticks)
            assert answer.status == 202 or answer.reason == "policy_denied.budget_exhausted", answer.body


def reached(moments):
    """When so many tokens were used: `moments` are (tick, tokens)."""
    ordered = sorted(moments)
    sums = accumulate(tokens for _, tokens in ordered)
    return next((tick for (tick, _), total in zip(ordered, sums, strict=True) if total >= LIMIT), None)


@pytest.mark.seeds(4, 200)
async def test_the_turn_that_crosses_a_budget_is_the_last_one_whichever_process_hears_of_it(runtime, second, seed):
    """A turn asked for after the reports that use up the budget were answered is refused; one answered before they were
    even sent is taken; and of those in between each log says the same as its order. The budget is one owner's, or a
    team's that shares the workers of two."""
    world = World((runtime, second), random.Random(seed))
    on_exhausted = world.rng.choice(["refuse", "interrupt"])
    team_id = world.rng.choice([None, "team_a"])
    await limit(runtime, team_id=team_id, on_exhausted=on_exhausted, warn_at=0.5)
    companions = {}
    for number in range(WORKERS):
        name = f"w{number}"
        owner = world.owners[name] = OWNER if team_id is None or number % 2 else STRANGER
        await insert_worker(runtime, name, owner)
        companions[name] = Companion(runtime, f"m{number}", owner.user_id)
        await companions[name].register()
        await runtime.pool.execute("update machine set team_id = $1", team_id)
        await companions[name].claim(name)
        for index, payload in enumerate((thread(name), turn("u", name))):
            await companions[name].append(name, "worker.event", f"s{index}", **payload)

    async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
        for name, companion in companions.items():
            tasks.create_task(world.work(companion, name))
        for _ in range(3):
            tasks.create_task(world.ask())

    assert {one.status for one in world.reports} == {202}
    assert sum((await spent(runtime, "worker_id")).values()) == sum(one.tokens for one in world.reports)
    used_up = reached((one.ended, one.tokens) for one in world.reports)
    perhaps = reached((one.began, one.tokens) for one in world.reports)
    assert [one for one in world.turns if used_up is not None and one.began > used_up and one.status != 403] == []
    assert [one for one in world.turns if (perhaps is None or one.ended < perhaps) and one.status != 202] == []
    logs = [await frames(runtime, name) for name in companions]
    told = [one["payload"]["level"] for log in logs for one in log if one["eventType"] == spend_budgets.REACHED]
    total = sum(one.tokens for one in world.reports)
    assert sorted(told) == [level for level, share in (("exhausted", 1), ("warning", 0.5)) if total >= LIMIT * share]
    for log in logs:
        ends = [one["seq"] for one in log if one["payload"].get("level") == "exhausted"]
        assert [seq for seq in turns_of(log) if ends and seq > ends[0]] == []
        received = [one["payload"] for one in log if one["eventType"] == "worker.request.received"]
        stopped = [one for one in received if one["method"] == "turn/interrupt"]
        assert len(stopped) <= (on_exhausted == "interrupt")
    assert await deadlocks(runtime) == 0


def turns_of(log):
    """Where turns stand that were taken: the seqs of their requests."""
    denied = {one["payload"].get("request_id") for one in log if one["eventType"] == "worker.policy.denied"}
    return [
        one["seq"]
        for one in log
        if one["eventType"] == "worker.request.received"
        and one["payload"]["method"] == "turn/start"
        and one["payload"]["request_id"] not in denied
    ]


async def until_two_wait(pool: asyncpg.Pool, kinds: tuple[str, ...]) -> None:
    """Until both processes wait for locks of these kinds."""
    async with asyncio.timeout(30):
        while await pool.fetchval(LOCKS, kinds, False) < 2:
            pass


@pytest.mark.parametrize("team_id", [None, "team_a"])
async def test_groups_that_report_for_the_same_owners_take_their_turns_in_one_order(runtime, second, team_id):
    """One process reports for the first owner and then for the second, the other process the other way round."""
    for user_id in (OWNER.user_id, STRANGER.user_id):
        await limit(runtime, user_id)
    owners = {"a1": OWNER, "a2": STRANGER, "b2": STRANGER, "b1": OWNER, "x": OWNER, "y": OWNER}
    for name, claims in owners.items():
        await insert_worker(runtime, name, claims)
    await runtime.pool.execute("update worker set team_id = $1", team_id)
    first = str(OWNER.user_id) if team_id is None else f"team:{team_id}"

    def report(name):
        return batch(name, draft("e", **usage(5, thread_id=name)), claims=owners[name])

    async with (
        runtime.pool.acquire() as holder,
        runtime.pool.acquire() as blocker,
        asyncio.TaskGroup() as tasks,
        holder.transaction(),
    ):
        await holder.execute(spend_budgets.SQL.one_by_one, [first])
        async with blocker.transaction():
            await blocker.execute(
                "select from worker_head join worker using (worker_no) where worker_id in ('x', 'y') for update"
            )
            for process, ahead, names in ((runtime, "x", ("a1", "a2")), (second, "y", ("b2", "b1"))):
                tasks.create_task(process.ledger.append(batch(ahead, draft("ahead"))))
                for name in names:
                    tasks.create_task(process.ledger.append(report(name)))
            await until_two_wait(runtime.pool, ROWS)
        await until_two_wait(runtime.pool, OWNERS)
        assert await runtime.pool.fetchval(LOCKS, OWNERS, True) == 1, (
            "both wait for the first owner, and hold no other's"
        )

    assert await spent(runtime, "worker_id") == dict.fromkeys(("a1", "a2", "b2", "b1"), 5)

"""What Codex reports is counted once, by worker, thread, model, machine and day; and counted anew the same."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import pytest

from autopilot.runtime import spend, spend_rebuild
from autopilot.testing.machines import MACHINE, Companion, leased
from autopilot.testing.runtime import batch, call, draft, insert_worker
from autopilot.testing.spend import said, spent, thread, turn, usage

numbers = count(1)


async def tell(companion: Companion, *payloads, worker_id="w", apart=False):
    """Append these, in one call or each in its own."""
    events = [{"event_type": "worker.event", "event_id": f"n{next(numbers)}", "payload": one} for one in payloads]
    for group in [[event] for event in events] if apart else [events]:
        body = {"events": group, "generation": companion.generations[worker_id]}
        answer = await companion.post(f"/workers/{worker_id}/events", body)
        assert answer.status == 202, answer.body


async def total(runtime, worker_id="w"):
    return (await spent(runtime, "worker_id")).get(worker_id, 0)


@pytest.mark.parametrize("apart", [False, True])
async def test_what_a_thread_used_is_its_last_total(runtime, apart):
    companion = await leased(runtime)

    await tell(companion, thread(), turn("u1"), usage(100), usage(250, 150), usage(400, 150), apart=apart)

    assert await spent(runtime, "worker_id", "thread_id", "model", "machine_id") == {("w", "t", "gpt-5", MACHINE): 400}
    row = await runtime.pool.fetchrow("select * from spend_day")
    assert spend.counts_of(row) == (300, 200, 100, 50, 400)


async def test_a_total_that_is_repeated_adds_nothing(runtime):
    """As Codex says it again whenever a thread is resumed, and at the beginning of a compaction."""
    companion = await leased(runtime)

    await tell(companion, thread(), turn("u1"), usage(1234), usage(2468, 1234), turn("u2"))
    await tell(companion, usage(2468, 1234, turn_id="u1"), usage(2468, 1840, turn_id="u2"), usage(2468, 1234))
    await tell(companion, usage(3702, 1234, turn_id="u2"))

    assert await total(runtime) == 3702


async def test_the_same_event_again_is_counted_once(runtime):
    companion = await leased(runtime)
    for _ in range(3):
        await companion.append("w", "worker.event", "one", **usage(70))

    assert await total(runtime) == 70


async def test_what_was_used_unheard_is_in_the_next_total(runtime):
    companion = await leased(runtime)

    await tell(companion, thread(), turn("u1"))
    await tell(companion, usage(9000, 100))

    assert await total(runtime) == 9000


async def test_the_past_of_a_thread_that_was_adopted_is_not_counted(runtime):
    companion = await leased(runtime)
    adopted = thread(after_seconds=90_000)
    past = {**turn("old", after_seconds=90_000), "backfilled": True}

    await tell(companion, adopted, past, usage(5000, 300, turn_id="old", after_seconds=90_001))
    assert await total(runtime) == 0
    await tell(companion, turn("new"), usage(5100, 100, turn_id="new", after_seconds=90_002))

    assert await total(runtime) == 100


async def test_what_a_fork_inherits_is_not_counted_again(runtime):
    companion = await leased(runtime)

    await tell(companion, thread(forked_from="parent"), turn("u1"), usage(5300, 300, turn_id="u1"))
    await tell(companion, usage(5500, 200, turn_id="u1"))

    assert await total(runtime) == 500


async def test_a_total_that_goes_back_starts_anew_and_takes_nothing_back(runtime):
    companion = await leased(runtime)
    await tell(companion, thread(), turn("u1"), usage(1000, turn_id="u1"))

    await tell(companion, usage(400, 200, turn_id="u0", after_seconds=5))  # said again after thread/reverted
    assert await total(runtime) == 1000
    await tell(companion, turn("u2"), usage(550, 150, turn_id="u2", after_seconds=6))
    assert await total(runtime) == 1150
    await tell(companion, usage(90, 90, turn_id="u2", after_seconds=7))  # anew, in the middle of a turn

    assert await total(runtime) == 1240


async def test_a_smaller_total_that_arrives_late_is_old(runtime):
    companion = await leased(runtime)
    await tell(companion, thread(), turn("turn-1"), usage(1000, after_seconds=9))

    await tell(companion, usage(800, after_seconds=5))
    await tell(companion, usage(1100, 100, after_seconds=10))

    assert await total(runtime) == 1100


async def test_threads_of_one_log_are_counted_each_for_itself(runtime):
    companion = await leased(runtime)

    await tell(companion, thread("a"), thread("b"), usage(100, thread_id="a"), usage(30, thread_id="b"))
    await tell(companion, usage(150, 50, thread_id="a"), usage(31, 1, thread_id="b"))

    assert await spent(runtime, "thread_id") == {"a": 150, "b": 31}


async def test_each_report_counts_for_the_model_at_its_place(runtime):
    companion = await leased(runtime)

    await tell(
        companion,
        thread(model="small"),
        usage(100),
        said("model/rerouted", threadId="t", toModel="large"),
        usage(300, 200),
        said("thread/settings/updated", threadId="t", threadSettings={"model": "small"}),
        usage(301, 1),
    )

    assert await spent(runtime, "model") == {"small": 101, "large": 200}


async def test_what_others_write_into_a_log_is_not_counted(runtime):
    await leased(runtime)
    forged = {**usage(10**9), "source": "autopilot-ios"}

    answer = await call(
        runtime, "POST", "/workers/w/events", {"event": {"event_type": "worker.event", "payload": forged}}
    )

    assert answer.status == 202
    assert await spent(runtime, "worker_id") == {}


async def test_an_older_client_without_a_lease_is_counted_too(runtime):
    await insert_worker(runtime, "w")

    await runtime.ledger.append(batch("w", draft("e1", **usage(80)), draft("e2", **usage(100, 20))))

    assert await spent(runtime, "worker_id", "machine_id") == {("w", ""): 100}


@pytest.mark.parametrize(
    "broken",
    [
        {"tokenUsage": None},
        {"tokenUsage": {"total": {"totalTokens": 5}}},
        {"tokenUsage": {"total": usage(5)["params"]["tokenUsage"]["total"] | {"totalTokens": -1}}},
        {"tokenUsage": {"total": usage(5)["params"]["tokenUsage"]["total"] | {"totalTokens": True}}},
        {"tokenUsage": {"total": usage(5)["params"]["tokenUsage"]["total"] | {"totalTokens": 2**70}}},
        {"threadId": "\x00", "tokenUsage": "many"},
    ],
)
async def test_a_report_that_is_none_is_recorded_and_counts_nothing(runtime, broken):
    companion = await leased(runtime)

    await tell(companion, said("thread/tokenUsage/updated", **{"threadId": "t", "turnId": "u", **broken}))

    assert await spent(runtime, "worker_id") == {}


async def test_names_that_no_column_takes_are_counted_without_a_name(runtime):
    companion = await leased(runtime)

    await tell(companion, thread("t\x00", model="m" * 300), usage(7, thread_id="t\x00"))

    assert await spent(runtime, "thread_id", "model") == {("", ""): 7}


async def test_a_day_ends_at_midnight_of_utc_by_the_ledger_s_clock(runtime):
    companion = await leased(runtime)
    await tell(companion, thread(), usage(10, after_seconds=10**6))
    (day,) = await spent(runtime, "day")

    now = await runtime.pool.fetchval("select (clock_timestamp() at time zone 'UTC')::date")

    assert now - day <= timedelta(days=1)


async def test_a_rebuild_finds_what_was_lost_and_leaves_what_is_right(runtime):
    companion = await leased(runtime)
    await tell(companion, thread(), turn("u1"), usage(100), usage(250, 150))
    before = await spend_rebuild.counted(runtime.pool, 1)

    again = await spend_rebuild.rebuild(runtime.pool)
    await runtime.pool.execute("delete from spend_day")
    await runtime.pool.execute("update spend_thread set total_tokens = 3, turn_id = null")
    mended = await spend_rebuild.rebuild(runtime.pool)

    assert (again.counted, again.changed, again.kept) == (1, 0, 0)
    assert (mended.counted, mended.changed, mended.kept) == (1, 1, 0)
    assert await spend_rebuild.counted(runtime.pool, 1) == before


async def test_a_rebuild_leaves_alone_what_retention_has_emptied(runtime):
    companion = await leased(runtime)
    await tell(companion, thread(), usage(100))
    await runtime.pool.execute("update worker_head set oldest_seq = 2")
    await runtime.pool.execute("update spend_day set total_tokens = 99")

    rebuilt = await spend_rebuild.rebuild(runtime.pool)

    assert (rebuilt.counted, rebuilt.changed, rebuilt.kept) == (0, 0, 1)
    assert await total(runtime) == 99


class Codex:
    """Threads as Codex counts them, and what an honest count of them is."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.clock = 0
        self.turns = count(1)
        self.threads: dict[str, Counting] = {}

    def say(self) -> list[dict]:
        """What it says next; nothing, when nobody heard it."""
        self.clock += 1
        rng, name = self.rng, self.rng.choice("abc")
        if name not in self.threads:
            self.threads[name] = Counting()
            return [thread(name, model=rng.choice(["small", "large"]), after_seconds=min(self.clock, 50))]
        counting = self.threads[name]
        if counting.turn_id is None or rng.random() < 0.2:
            counting.turn_id = f"turn-{next(self.turns)}"
            return [turn(counting.turn_id, name, after_seconds=self.clock)]
        happened = rng.choice(["answer", "answer", "answer", "unheard", "again", "reroute", "revert"])
        return self.happen(happened, name, counting)

    def happen(self, what: str, name: str, counting: Counting) -> list[dict]:
        if what in ("answer", "unheard"):
            counting.answer(self.rng.randint(1, 5000))
        if what in ("answer", "again"):
            return [counting.report(name, self.clock)]
        if what == "reroute":
            return [said("model/rerouted", threadId=name, toModel=self.rng.choice(["small", "large"]))]
        if what == "revert" and counting.total == counting.reported:
            counting.total = counting.reported = counting.total // 2
            counting.turn_id = None
            return [usage(counting.total, 0, turn_id="reverted", thread_id=name, after_seconds=self.clock)]
        return []


@dataclass
class Counting:
    """One thread."""

    total: int = 0
    last: int = 0
    turn_id: str | None = None
    used: int = 0
    reported: int = 0
    """The total that was said last."""
    told: int = 0
    """Of `used`, what has been said by then."""

    def answer(self, tokens: int) -> None:
        self.last = tokens
        self.total += tokens
        self.used += tokens

    def report(self, name: str, clock: int) -> dict:
        self.told, self.reported = self.used, self.total
        return usage(self.total, self.last, turn_id=self.turn_id or "", thread_id=name, after_seconds=clock)


@pytest.mark.seeds(8, 200)
async def test_however_a_log_came_about_its_spend_is_what_codex_used_and_a_rebuild_says_the_same(runtime, seed):
    """Batches of any size, repeats of whole batches, two machines, reports that nobody heard, reverted threads, and a
    worker that goes from team to team: each report counts for the one it was in."""
    rng, codex = random.Random(seed), Codex(random.Random(seed))
    companion = await leased(runtime)
    other = Companion(runtime, "m2")
    await other.register()
    events, team_id, by_team = count(1), None, dict.fromkeys(("", "team_a", "team_b"), 0)
    for _ in range(25):
        if rng.random() < 0.25:
            team_id = rng.choice([None, "team_a", "team_b"])
            await runtime.pool.execute("update worker set team_id = $1", team_id)
            await runtime.pool.execute("update machine set team_id = $1", team_id)
        told_before = sum(one.told for one in codex.threads.values())
        said_now = [one for _ in range(rng.randint(1, 8)) for one in codex.say()]
        by_team[team_id or ""] += sum(one.told for one in codex.threads.values()) - told_before
        bodies = [{"event_type": "worker.event", "event_id": f"e{next(events)}", "payload": one} for one in said_now]
        if rng.random() < 0.2:
            await companion.release("w")
            companion, other = other, companion
            await companion.claim("w")
        for _ in range(rng.randint(1, 2) if bodies else 0):
            answer = await companion.post(
                "/workers/w/events", {"events": bodies, "generation": companion.generations["w"]}
            )
            assert answer.status == 202, answer.body

    by_thread, of_teams = await spent(runtime, "thread_id"), await spent(runtime, "spend_day.team_id")
    before = await spend_rebuild.counted(runtime.pool, 1)
    rebuilt = await spend_rebuild.rebuild(runtime.pool)
    await runtime.pool.execute("truncate spend_day, spend_thread")
    await spend_rebuild.rebuild(runtime.pool)

    assert by_thread == {name: one.told for name, one in codex.threads.items() if one.told}
    assert of_teams == {name: tokens for name, tokens in by_team.items() if tokens}
    assert rebuilt.changed == 0
    assert await spend_rebuild.counted(runtime.pool, 1) == before

"""A budget of N tokens: the turn that crosses it is the last one, or is cut where the policy says so."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from itertools import count

import pytest

from autopilot.runtime import policy_store, spend_budgets
from autopilot.runtime.app import build
from autopilot.runtime.policy_document import INSTALLATION, Budget, Contents, Subject
from autopilot.testing.machines import MACHINE, Companion, ask, leased, receipt
from autopilot.testing.runtime import OWNER, STRANGER, batch, draft, frames, insert_worker
from autopilot.testing.spend import thread, turn, usage

OWN = policy_store.subject_of(OWNER.user_id, None)
numbers = count(1)
STEER = {"expectedTurnId": "u1", "input": []}


async def limit(runtime, tokens=1000, *, subject=OWN, version=0, **more):
    """Put one budget in force."""
    budget = Budget(**{"name": "daily", "per": "user", "period": "day", "tokens": tokens, **more})
    options = {"expected_version": version, "actor": "{}", "x_request_id": None}
    await policy_store.add(runtime.pool, subject, "toml", "", Contents(budgets=(budget,)), **options)


async def tell(companion, *payloads, worker_id="w"):
    for payload in payloads:
        event_id = f"n{next(numbers)}"
        answer = await companion.append(worker_id, "worker.event", event_id, **payload)
        assert answer.status == 202, answer.body


async def told(runtime, worker_id="w"):
    """The levels that the log tells of."""
    found = await frames(runtime, worker_id)
    return [one["payload"] for one in found if one["eventType"] == spend_budgets.REACHED]


async def asked_by_runtime(runtime, worker_id="w"):
    return await runtime.pool.fetch(
        "select * from receipt where target_id = $1 and request_id like 'budget:%' order by created_at", worker_id
    )


async def refused(runtime, method="turn/start", request_id="r", **options):
    answer = await ask(runtime, method, request_id, options.pop("params", {"input": []}), **options)
    return answer.status == 403 and answer.reason == "policy_denied.budget_exhausted"


async def test_the_turn_that_crosses_a_budget_is_the_last_one(runtime):
    companion = await leased(runtime)
    await limit(runtime)
    assert (await ask(runtime, "turn/start", "first", {"input": []})).status == 202

    await tell(companion, thread(), turn("u1"), usage(999, turn_id="u1"))
    assert (await ask(runtime, "turn/steer", "second", STEER)).status == 202
    await tell(companion, usage(1400, 401, turn_id="u1"))

    answer = await ask(runtime, "turn/start", "third", {"input": []})
    assert answer.status == 403
    (detail,) = answer.json["error"]["details"]
    expected = {"budget": "daily", "per": "user", "used": 1400, "limit": 1000, "document": "user", "version": 1}
    assert (detail["reason_code"], detail["rule_id"]) == ("policy_denied.budget_exhausted", "budget[0]")
    assert detail.items() >= expected.items()
    assert datetime.fromisoformat(detail["resets_at"]) > datetime.now(UTC)
    assert (await receipt(runtime, "third"))["state"] == "rejected"
    denied = (await frames(runtime, "w"))[-1]
    assert (denied["eventType"], denied["payload"]["used"]) == ("worker.policy.denied", 1400)
    assert await asked_by_runtime(runtime) == []


@pytest.mark.parametrize("method", sorted(spend_budgets.SPENDS))
async def test_over_a_budget_nothing_that_uses_tokens_is_begun_and_all_else_goes_on(runtime, method):
    companion = await leased(runtime)
    await limit(runtime)
    await tell(companion, thread(), turn("u1"), usage(1000, turn_id="u1"))

    assert await refused(runtime, method, params=STEER)
    assert await refused(runtime, method, params=STEER), "the same again says the same"
    assert (await ask(runtime, "turn/interrupt", "brake", {"turnId": "u1"})).status == 202
    assert (await ask(runtime, "thread/read", "look", {})).status == 202


async def test_a_machine_begins_no_thread_over_its_owner_s_budget(runtime):
    companion = await leased(runtime)
    await limit(runtime)
    await tell(companion, thread(), usage(1000))

    assert await refused(runtime, "thread/start", path=f"/machines/{MACHINE}", params={"cwd": "/p"})


async def test_a_running_turn_is_interrupted_once_in_the_transaction_that_sees_the_limit_crossed(runtime):
    companion = await leased(runtime)
    await limit(runtime, on_exhausted="interrupt")

    await tell(companion, thread(), turn("u1"), usage(900, turn_id="u1"))
    assert await asked_by_runtime(runtime) == []
    await tell(companion, usage(1100, 200, turn_id="u1"))
    await tell(companion, usage(1300, 200, turn_id="u1"))

    (asked,) = await asked_by_runtime(runtime)
    assert (asked["method"], asked["state"], asked["params"]) == ("turn/interrupt", "accepted", '{"turnId":"u1"}')
    log = await frames(runtime, "w")
    said = [one["payload"].get("params", {}).get("tokenUsage", {}).get("total", {}).get("totalTokens") for one in log]
    received = next(one for one in log if one["eventType"] == "worker.request.received")
    assert received["actor"]["surface"] == "runtime"
    assert received["occurredAt"] == log[said.index(1100)]["occurredAt"], "one transaction"
    (entry,) = [one for one in await companion.feed() if "turn/interrupt" in str(one)]
    assert asked["request_id"] in str(entry)


async def lock_awaited(conn):
    """Until somebody waits for a lock."""
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(30):
        while not await conn.fetchval(waiting):
            pass


async def test_an_interrupt_takes_its_feed_s_lock_in_the_order_of_machines_with_the_rest_of_its_group(runtime):
    first, last = await leased(runtime, "v", "machine-a"), await leased(runtime, "w", "machine-b")
    await insert_worker(runtime, "u")
    await limit(runtime, on_exhausted="interrupt")
    await tell(last, thread(), turn("u1"))

    async with (
        runtime.pool.acquire() as holder,
        runtime.pool.acquire() as looker,
        asyncio.TaskGroup() as tasks,
        holder.transaction(),
    ):
        await holder.execute("select from feed_head where machine_id = 'machine-a' for update")
        async with looker.transaction():
            of_u = "select from worker_head join worker using (worker_no) where worker_id = 'u' for update"
            await looker.execute(of_u)
            tasks.create_task(runtime.ledger.append(batch("u", draft("ahead"))))
            await lock_awaited(holder)
            tasks.create_task(tell(last, usage(1100, turn_id="u1"), worker_id="w"))
            tasks.create_task(runtime.ledger.append(batch("v", draft("another's"))))
            while len(runtime.ledger._group._queue) < 2:  # noqa: ASYNC110  # both are to be one group
                await asyncio.sleep(0)
        await lock_awaited(looker)
        assert await asked_by_runtime(runtime) == [], "the group is under way, and waits for the first machine"

        await looker.execute("select from feed_head where machine_id = 'machine-b' for update nowait")

    assert any("turn/interrupt" in str(one) for one in await last.feed())
    assert [one["kind"] for one in await first.feed()] == ["event"]


async def test_a_turn_that_is_over_by_then_is_not_interrupted(runtime):
    companion = await leased(runtime)
    await limit(runtime, on_exhausted="interrupt")
    over = {**turn("u1"), "method": "turn/completed"}
    events = [
        {"event_type": "worker.event", "event_id": f"e{n}", "payload": payload}
        for n, payload in enumerate([thread(), turn("u1"), usage(2000, turn_id="u1"), over])
    ]

    await companion.post("/workers/w/events", {"events": events, "generation": companion.generations["w"]})

    assert await asked_by_runtime(runtime) == []
    assert [one["level"] for one in await told(runtime)] == ["exhausted"]


async def test_a_warning_and_the_end_are_told_once_a_period_and_again_of_a_new_limit(runtime):
    companion = await leased(runtime)
    await limit(runtime, warn_at=0.5)

    await tell(companion, thread(), *(usage(tokens, 100) for tokens in range(100, 1400, 100)))
    assert [(one["level"], one["used"]) for one in await told(runtime)] == [("warning", 500), ("exhausted", 1000)]
    await limit(runtime, 2000, warn_at=0.5, version=1)
    await tell(companion, usage(1400, 100))

    assert [(one["level"], one["used"]) for one in await told(runtime)][2:] == [("warning", 1400)]
    assert not await refused(runtime)


@pytest.mark.parametrize("per", ["worker", "machine", "model"])
async def test_a_budget_is_for_each_of_what_it_is_per(runtime, per):
    one = await leased(runtime)
    await insert_worker(runtime, "w2")
    two = Companion(runtime, "m2")
    await two.register()
    await two.claim("w2")
    await limit(runtime, per=per)

    await tell(one, thread(model="small"), usage(1000))
    await tell(two, thread("t2", model="large"), usage(999, thread_id="t2"), worker_id="w2")

    assert await refused(runtime)
    assert not await refused(runtime, path="/workers/w2")


async def test_what_one_user_uses_is_nothing_to_another_though_both_have_the_installation_s_budget(runtime):
    one = await leased(runtime)
    await insert_worker(runtime, "theirs", STRANGER)
    other = Companion(runtime, "m2", user_id=2)
    await other.register()
    await other.claim("theirs")
    await limit(runtime, subject=Subject(INSTALLATION))

    await tell(one, thread(), usage(1000))

    assert await refused(runtime)
    assert not await refused(runtime, path="/workers/theirs", claims=STRANGER)
    await tell(other, thread("t2"), usage(1000, thread_id="t2"), worker_id="theirs")
    assert await refused(runtime, path="/workers/theirs", claims=STRANGER, request_id="r2")


async def test_every_process_sees_what_another_counted(runtime, database, settings):
    async with await build(settings, dsn=database) as second:
        companion = await leased(runtime)
        await limit(second)
        await tell(companion, thread(), usage(1000))

        assert await refused(second)


async def test_what_was_used_before_the_period_is_not_counted_in_it(runtime):
    companion = await leased(runtime)
    await limit(runtime)
    await tell(companion, thread(), usage(5000))
    await runtime.pool.execute("update spend_day set day = day - 1")

    assert not await refused(runtime)


@pytest.mark.parametrize(
    ("period", "first", "resets_at"),
    [
        ("day", "2026-11-22", "2026-11-23T00:00:00+00:00"),
        ("week", "2026-11-16", "2026-11-23T00:00:00+00:00"),
        ("month", "2026-11-01", "2026-12-01T00:00:00+00:00"),
        ("ever", "1970-01-01", "None"),
    ],
)
def test_periods_are_of_utc(period, first, resets_at):
    now = datetime.fromisoformat("2026-11-23T00:30:00+01:00")

    starts_on, ends = spend_budgets.period_of(period, now)

    assert (str(starts_on), "None" if ends is None else ends.isoformat()) == (first, resets_at)


def test_december_is_followed_by_january():
    assert str(spend_budgets.period_of("month", datetime(2026, 12, 31, tzinfo=UTC))[1]) == "2027-01-01 00:00:00+00:00"

"""Appends in one statement, where workers stand as this process left them: what happens where they don't."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from itertools import accumulate

import asyncpg
import pytest
from tests.waiting import until

from autopilot.contract.errors import Conflict
from autopilot.ops.clock import SystemClock
from autopilot.runtime import append_standing
from autopilot.runtime.app import build
from autopilot.runtime.retention import Retention
from autopilot.testing.machines import Companion, leased
from autopilot.testing.runtime import batch, call, draft, frames, insert_worker

STATEMENTS = 1
"""What an append costs where nothing has changed."""
WAITS_FOR_A_LOCK = """
select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')
"""


@pytest.fixture(autouse=True)
async def looked(runtime):
    """The runtime has had its first look at what is shared, after which the ledger remembers nothing."""
    await until(lambda: runtime.sharing._version is not None)


@pytest.fixture
async def other(database, settings):
    """A second process of the same installation."""
    async with await build(settings, dsn=database) as built:
        yield built


async def statements_of(runtime, appending):
    """How many statements the committer sends for this append."""
    sent = []
    conn = await runtime.ledger._connection()
    conn.add_query_logger(sent.append)
    try:
        await appending
    finally:
        conn.remove_query_logger(sent.append)
    return len(sent)


async def executed(companion, event_id, producer_seq, event_type="worker.event", **payload):
    """One event of the machine's, counted."""
    event = {"event_type": event_type, "event_id": event_id, "producer_seq": producer_seq, "payload": payload}
    return await companion.post("/workers/w/events", {"event": event, "generation": companion.generations["w"]})


async def ids(runtime):
    log = await frames(runtime, "w")
    assert [frame["seq"] for frame in log] == list(range(1, len(log) + 1))
    stored = await runtime.pool.fetchrow("select latest_seq, log_bytes from worker_head")
    last = await runtime.pool.fetchrow("select seq, end_byte from event order by seq desc limit 1")
    assert tuple(stored) == tuple(last)
    return [frame["eventId"] for frame in log]


async def test_from_the_second_append_on_one_statement_is_enough(runtime):
    await insert_worker(runtime, "w")

    assert await statements_of(runtime, runtime.ledger.append(batch("w", draft("a")))) > STATEMENTS
    assert await statements_of(runtime, runtime.ledger.append(batch("w", draft("b"), draft("c")))) == STATEMENTS

    assert await ids(runtime) == ["a", "b", "c"]


async def test_a_companions_counted_events_under_its_lease_need_no_more(runtime):
    companion = await leased(runtime)
    await executed(companion, "a", 1)

    assert await statements_of(runtime, executed(companion, "b", 2)) == STATEMENTS
    assert await statements_of(runtime, executed(companion, "c", 3)) == STATEMENTS

    assert (await executed(companion, "d", 5)).json["error"]["details"][0]["expected"] == 4
    assert await runtime.pool.fetchval("select producer_seq from producer") == 3


async def test_every_row_is_stored_as_it_was_placed_whatever_stands_beside_it(runtime):
    workers = {name: await insert_worker(runtime, name) for name in ("w", "v")}
    await asyncio.gather(*(runtime.ledger.append(batch(name, draft("first"))) for name in workers))
    plain, wide, unnamed = draft("a;\\{}", said="one"), draft("b,'\"", said="two\nlines \u2028 \U0001f9ed"), draft("c")
    redacted = draft("e", said="[redacted]")
    unnamed.digest, redacted.digest = None, bytes(range(16))

    appends = (
        runtime.ledger.append(batch(name, *drafts))
        for name, *drafts in (("w", plain, wide), ("v", wide, plain), ("w", unnamed), ("v", draft("d"), redacted))
    )
    assert await statements_of(runtime, asyncio.gather(*appends)) == STATEMENTS

    for name, drafts in (("w", [plain, wide, unnamed]), ("v", [wide, plain, draft("d"), redacted])):
        stored = await runtime.pool.fetch("select * from event where worker_no = $1 order by seq", workers[name])
        assert [(row["event_id"], row["digest"]) for row in stored[1:]] == [(d.event_id, d.digest) for d in drafts]
        assert [json.loads(row["frame"])["payload"] for row in stored[1:]] == [d.value for d in drafts]
        assert [row["end_byte"] for row in stored] == list(accumulate(len(row["frame"].encode()) for row in stored))
        assert {row["event_type"] for row in stored} == {"worker.event"}


@pytest.mark.parametrize("digests", [[b"", b""], [None, None], [b"", None], [bytes(range(16)), b""]])
async def test_rows_of_one_worker_are_stored_as_placed_whether_they_are_alike_or_not(runtime, digests):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("first")))
    drafts = [draft("a;\\{}", said="one"), draft("b,'\"", said="two\nlines \u2028 \U0001f9ed")]
    for one, digest in zip(drafts, digests, strict=True):
        one.digest = digest

    assert await statements_of(runtime, runtime.ledger.append(batch("w", *drafts))) == STATEMENTS

    stored = await runtime.pool.fetch("select * from event order by seq")
    assert [(row["seq"], row["event_id"], row["digest"]) for row in stored[1:]] == [
        (seq, one.event_id, one.digest) for seq, one in enumerate(drafts, 2)
    ]
    assert [json.loads(row["frame"])["payload"] for row in stored[1:]] == [one.value for one in drafts]
    assert await ids(runtime) == ["first", *(one.event_id for one in drafts)]


async def test_facts_are_kept_as_ever(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a")))

    title = {"method": "thread/name/updated", "params": {"threadName": "Title"}}
    await runtime.ledger.append(batch("w", draft("b", **title)))
    await runtime.ledger.append(batch("w", draft("c")))

    assert (await call(runtime, "GET", "/workers/w/snapshot")).data["title"] == {"value": "Title", "seq": 2}


async def test_what_another_process_wrote_meanwhile_stays_and_is_counted_on(runtime, other):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a")))
    await other.ledger.append(batch("w", draft("b")))

    (outcome,) = await runtime.ledger.append(batch("w", draft("c")))

    assert outcome.seq == 3
    assert await ids(runtime) == ["a", "b", "c"]


async def test_a_head_that_moved_is_seen_even_where_retention_took_the_rows_that_moved_it(runtime, other):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a")))
    await other.ledger.append(batch("w", draft("b"), draft("c")))
    await Retention(other.ledger, other.pool, other.settings, SystemClock()).raise_floor("w", floor_seq=3)

    (outcome,) = await runtime.ledger.append(batch("w", draft("d")))

    assert outcome.seq == 4
    assert [frame["seq"] for frame in await frames(runtime, "w")] == [3, 4]


async def test_two_processes_that_write_the_same_workers_at_once_leave_contiguous_logs(runtime, other):
    names = ["w", "v", "u"]
    for name in names:
        await insert_worker(runtime, name)

    async def write(ledger, tag):
        for n in range(25):
            order = names if (n + ledger) % 2 else names[::-1]
            appends = ((runtime, other)[ledger].ledger.append(batch(name, draft(f"{tag}{n}"))) for name in order)
            await asyncio.gather(*appends)

    async with asyncio.timeout(30):
        await asyncio.gather(*(write(n % 2, f"writer{n}-") for n in range(4)))

    for name in names:
        log = await frames(runtime, name)
        assert [frame["seq"] for frame in log] == list(range(1, 101))
        assert len({frame["eventId"] for frame in log}) == 100
        assert [frame["occurredAt"] for frame in log] == sorted(frame["occurredAt"] for frame in log)


async def test_a_repeat_keeps_its_first_place_whichever_process_recorded_it(runtime, other):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a", n=1)))
    await other.ledger.append(batch("w", draft("b", n=1)))
    await runtime.ledger.append(batch("w", draft("c", n=1)))

    assert [
        (outcome.seq, outcome.duplicate)
        for outcome in await runtime.ledger.append(batch("w", draft("d"), draft("b", n=1), draft("a", n=1)))
    ] == [(4, False), (2, True), (1, True)]
    with pytest.raises(Conflict) as refusal:
        await runtime.ledger.append(batch("w", draft("e"), draft("b", n=2)))

    assert refusal.value.reason_code == "different_content"
    assert await ids(runtime) == ["a", "b", "c", "d"]


async def test_a_repeat_within_its_own_group_is_a_duplicate_without_another_look(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a")))

    first, second = await asyncio.gather(
        runtime.ledger.append(batch("w", draft("b"), draft("b"))), runtime.ledger.append(batch("w", draft("b")))
    )

    assert [(outcome.seq, outcome.duplicate) for outcome in (*first, *second)] == [(2, False), (2, True), (2, True)]
    assert await ids(runtime) == ["a", "b"]


async def test_one_refused_batch_leaves_its_neighbours_and_nothing_of_itself(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a", n=1)))

    good, bad = await asyncio.gather(
        runtime.ledger.append(batch("w", draft("b"))),
        runtime.ledger.append(batch("w", draft("c"), draft("a", n=2))),
        return_exceptions=True,
    )

    assert good[0].seq == 2
    assert bad.reason_code == "different_content"
    assert await ids(runtime) == ["a", "b"]


async def test_a_worker_that_another_process_stopped_takes_nothing(runtime, other):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a")))
    await other.ledger.append(batch("w", draft("end", "worker.stopped")))

    with pytest.raises(Conflict) as refusal:
        await runtime.ledger.append(batch("w", draft("b")))

    assert refusal.value.reason_code == "worker_stopped"
    assert await ids(runtime) == ["a", "end"]


async def test_a_lease_that_went_to_another_machine_elsewhere_fences(runtime, other):
    former = await leased(runtime)
    await executed(former, "a", 1)
    await other.pool.execute("update lease set expires_at = clock_timestamp() - interval '1 second'")
    second = Companion(other, "m2")
    await second.register()
    assert (await second.claim("w")).status == 200

    answer = await executed(former, "b", 2)

    assert (answer.status, answer.reason) == (409, "fenced")
    assert "b" not in await ids(runtime)


async def test_a_count_that_moved_without_a_row_elsewhere_is_seen(runtime, other):
    companion = await leased(runtime)
    elsewhere = Companion(other)
    elsewhere.generations = companion.generations
    await executed(companion, "a", 1)
    assert (await executed(elsewhere, "beat", 2, "worker.heartbeat")).status == 202

    behind, right = await executed(companion, "b", 2), await executed(companion, "c", 3)

    assert (behind.status, behind.reason) == (409, "gap")
    assert right.status == 202
    assert (await ids(runtime))[-1] == "c"


@pytest.mark.parametrize("moved_to", [1, 2])
async def test_a_count_that_moves_while_the_statement_waits_for_the_head_is_seen(runtime, other, moved_to):
    companion = await leased(runtime)
    await executed(companion, "a", 1)

    async with other.pool.acquire() as conn, asyncio.TaskGroup() as tasks, conn.transaction():
        await conn.execute("select from worker_head for update")
        await conn.execute("update producer set producer_seq = $1", moved_to)
        appending = tasks.create_task(executed(companion, "b", 2))
        await until(lambda: runtime.pool.fetchval(WAITS_FOR_A_LOCK))

    answer = appending.result()
    if moved_to == 1:
        assert answer.status == 202
    else:
        assert (answer.status, answer.reason) == (409, "gap")
    assert ("b" in await ids(runtime)) == (moved_to == 1)
    assert await runtime.pool.fetchval("select producer_seq from producer") == 2


async def test_a_lease_is_renewed_by_appends_that_need_but_one_statement_otherwise(runtime):
    companion = await leased(runtime)
    await executed(companion, "a", 1)
    renewed = await runtime.pool.fetchval("select expires_at from lease")
    await executed(companion, "b", 2)
    assert await runtime.pool.fetchval("select expires_at from lease") == renewed

    runtime.ledger._standing.forget()
    await runtime.pool.execute("update lease set expires_at = clock_timestamp() + interval '35 seconds'")
    await executed(companion, "c", 3)

    left = await runtime.pool.fetchval("select expires_at - clock_timestamp() from lease")
    assert left > timedelta(seconds=55)


async def test_a_connection_that_died_in_between_costs_nothing_but_time(runtime, database):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a")))
    killer = await asyncpg.connect(database)
    conn = await runtime.ledger._connection()
    await killer.execute("select pg_terminate_backend($1, 5000)", conn.get_server_pid())
    await killer.close()

    (outcome,) = await runtime.ledger.append(batch("w", draft("b")))

    assert (outcome.seq, outcome.duplicate) == (2, False)
    assert await ids(runtime) == ["a", "b"]


async def test_an_answer_lost_with_the_connection_is_not_recorded_twice(runtime, monkeypatch):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a")))
    commit = append_standing._commit

    async def commit_and_lose(conn, plan):
        assert await commit(conn, plan)
        conn.terminate()
        raise ConnectionResetError

    monkeypatch.setattr(append_standing, "_commit", commit_and_lose)
    (outcome,) = await runtime.ledger.append(batch("w", draft("b")))

    assert outcome.seq == 2
    assert await ids(runtime) == ["a", "b"]


async def test_time_is_the_databases_and_is_read_again(runtime, monkeypatch):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a")))
    began = await runtime.pool.fetchval("select clock_timestamp()")
    assert await statements_of(runtime, runtime.ledger.append(batch("w", draft("b")))) == STATEMENTS
    ended = await runtime.pool.fetchval("select clock_timestamp()")

    said = datetime.fromisoformat((await frames(runtime, "w"))[1]["occurredAt"])
    assert began - timedelta(seconds=append_standing.CLOCK_SECONDS) < said < ended

    monkeypatch.setattr(append_standing, "CLOCK_SECONDS", 0.0)
    assert await statements_of(runtime, runtime.ledger.append(batch("w", draft("c")))) > STATEMENTS


async def test_only_so_many_workers_are_remembered(runtime, monkeypatch):
    monkeypatch.setattr(append_standing, "MAX_WORKERS", 2)
    for name in "abc":
        await insert_worker(runtime, name)
        await runtime.ledger.append(batch(name, draft("first")))

    assert list(runtime.ledger._standing._workers) == ["b", "c"]
    assert await statements_of(runtime, runtime.ledger.append(batch("a", draft("second")))) > STATEMENTS
    assert await statements_of(runtime, runtime.ledger.append(batch("c", draft("second")))) == STATEMENTS

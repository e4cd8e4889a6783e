"""What a round of the sealer and a sweep of retention look at: what has changed, and by indexes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from autopilot.ops.clock import SystemClock
from autopilot.runtime import retention as retention_room
from autopilot.runtime import seal as sealing
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.seal import Sealer
from autopilot.runtime.seal_workers import NAME
from autopilot.runtime.seal_workers import SQL as SEALING
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.runtime import batch, draft, insert_worker

WORKERS = 50_000
CHANGED = 7
FILL = """
    insert into worker (worker_id, owner_user_id, created_at) select 'w' || n, 1, now() from generate_series(1, $1) n;
    insert into worker_head (worker_no, latest_seq, updated_at)
        select worker_no, 1, now() - interval '2 days' + worker_no * interval '1 second' from worker;
    insert into event (worker_no, seq, event_id, event_type, occurred_at, frame, end_byte)
        select worker_no, 1, 'e', 'worker.event', now(), '{}', 2 from worker;
    insert into seal (seal_no, source, log_no, log_id, from_seq, to_seq, state, sealed_at, previous, digest, key_id,
            signature)
        select worker_no, 'worker', worker_no, worker_id, 1, 1, '\\x00', now(), '\\x00', '\\x00', 'k', '\\x00'
        from worker;
"""


@pytest.fixture
async def quiet(settings: RuntimeSettings, database: str) -> AsyncIterator[Runtime]:
    """A runtime in whose background nothing is sealed."""
    runtime = await build(settings, dsn=database)
    runtime.background = [runtime.ledger.run]
    async with runtime:
        yield runtime


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


async def explained(runtime: Runtime, query: str, *values: object) -> list[dict[str, Any]]:
    """Every node of the plan as it ran."""
    found = await runtime.pool.fetchval(f"explain (analyze, buffers, timing off, format json) {query}", *values)
    return list(nodes(msgspec.json.decode(found)[0]["Plan"]))


def looked_at(plan: list[dict[str, Any]], table: str) -> float:
    """Rows read of a table, those that a filter threw away included."""
    scans = [node for node in plan if node.get("Relation Name") == table]
    return sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans)


@pytest.mark.slow
async def test_of_fifty_thousand_workers_a_round_looks_at_those_that_have_changed(quiet: Runtime) -> None:
    async with quiet.pool.acquire() as conn:
        for statement in FILL.replace("$1", str(WORKERS)).strip().rstrip(";").split(";"):
            await conn.execute(statement)
        since = await conn.fetchval("select clock_timestamp()")
        changed = "update worker_head set latest_seq = 2, updated_at = clock_timestamp() where worker_no <= $1"
        await conn.execute(changed, CHANGED)
        await conn.execute("analyze worker, worker_head, event, seal")

    waiting = await explained(quiet, SEALING.waiting, NAME, sealing.ROUND_LOGS, since)
    everything = await explained(quiet, SEALING.waiting, NAME, sealing.ROUND_LOGS, sealing.BEGINNING)
    walk = await explained(quiet, SEALING.walk, NAME, sealing.WALK_LOGS, 0)
    aged = await explained(quiet, retention_room.SQL.payloads_waiting, datetime(2020, 1, 1, tzinfo=UTC), 0, 100)
    cut = await explained(quiet, retention_room.SQL.events_waiting, datetime(2020, 1, 1, tzinfo=UTC), 0, 100)

    assert looked_at(waiting, "worker_head") == CHANGED
    assert looked_at(waiting, "seal") <= CHANGED
    assert waiting[0]["Shared Hit Blocks"] + waiting[0]["Shared Read Blocks"] < 30 * CHANGED
    assert looked_at(everything, "worker_head") >= WORKERS, "the first round of a process looks at all"
    assert looked_at(walk, "worker_head") <= sealing.WALK_LOGS
    assert looked_at(walk, "seal") <= sealing.WALK_LOGS
    for plan in (aged, cut):
        scans = {node["Node Type"] for node in plan if node.get("Relation Name") == "event"}
        assert scans <= {"Index Scan", "Index Only Scan"}, "no scan of all events"


def sealer_of(runtime: Runtime) -> Sealer:
    return Sealer(runtime.pool, b"s" * 32, SystemClock())


async def sealed(runtime: Runtime) -> list[tuple[str, int]]:
    records = await runtime.pool.fetch("select log_id, to_seq from seal order by seal_no")
    return [(record["log_id"], record["to_seq"]) for record in records]


@pytest.fixture
def no_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found but by the mark."""
    monkeypatch.setattr(sealing, "WALK_LOGS", 0)


@pytest.mark.usefixtures("no_walk")
async def test_what_commits_late_is_sealed_although_it_was_stamped_before_the_round(quiet: Runtime) -> None:
    sealer = sealer_of(quiet)
    for worker_id in ("late", "other"):
        await insert_worker(quiet, worker_id)
    async with quiet.ledger.transaction() as tx:
        worker = await tx.lock_worker("late")
        await tx.append(worker, [draft("e1")])
        for number in range(3):
            await quiet.ledger.append(batch("other", draft(f"o{number}")))
            await sealer.seal_all()
    await sealer.seal_all()

    assert await sealed(quiet) == [("other", 1), ("other", 2), ("other", 3), ("late", 1)]


@pytest.mark.usefixtures("no_walk")
async def test_a_log_that_a_full_round_did_not_reach_keeps_its_place(
    quiet: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "ROUND_LOGS", 2)
    monkeypatch.setattr(sealing, "ROUND_ENTRIES", 3)
    sealer = sealer_of(quiet)
    for worker_id in "abcde":
        await insert_worker(quiet, worker_id)
        await quiet.ledger.append(batch(worker_id, *(draft(f"{worker_id}{n}") for n in range(4))))

    assert await sealer.seal_all() == 20
    assert dict(await sealed(quiet)) == dict.fromkeys("abcde", 4)


async def test_what_a_mark_misses_is_found_in_turn(quiet: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "WALK_LOGS", 2)
    sealer = sealer_of(quiet)
    for worker_id in "abcde":
        await insert_worker(quiet, worker_id)
    await sealer.seal_round()
    await quiet.ledger.append(batch("e", draft("e1")))
    old = datetime.now(UTC) - timedelta(days=3)
    await quiet.pool.execute("update worker_head set updated_at = $1", old)

    rounds = [await sealer.seal_round() for _ in range(4)]

    assert sum(rounds) == 1
    assert await sealed(quiet) == [("e", 1)]

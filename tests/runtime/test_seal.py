"""Logs are sealed behind the appends, and any change to what was sealed is found."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import pytest

from autopilot.ops.clock import SystemClock
from autopilot.runtime import seal as sealing
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.retention import Retention
from autopilot.runtime.seal import ChainBroken, Sealer, head_of
from autopilot.runtime.seal_keys import PublicKeys, SealKey
from autopilot.runtime.seal_verify import Kept, Report, Verifier
from autopilot.runtime.seal_workers import WorkerLogs
from autopilot.runtime.settings import RuntimeChoices, RuntimeSettings
from autopilot.testing.runtime import batch, draft, insert_worker

KEY = SealKey(b"s" * 32)
ODD = {"text": "ünï 😀", "payload": {"payload": ',"occurredAt":"x', "big": 2**70}, "none": None}


@asynccontextmanager
async def snapshot(runtime: Runtime) -> AsyncIterator[asyncpg.Connection]:
    async with runtime.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        yield conn


async def verify(runtime: Runtime, log_id: str | None = None, kept: Sequence[Kept] = ()) -> Report:
    async with snapshot(runtime) as conn:
        return await Verifier(conn, PublicKeys([KEY.public])).verify(log_id, kept)


def sealer_of(runtime: Runtime, seed: bytes = b"s" * 32) -> Sealer:
    return Sealer(runtime.pool, seed, SystemClock())


async def fill(runtime: Runtime, worker_id: str, first: int, count: int) -> None:
    events = [draft(f"e{n}", method=f"item/{n}", n=n, **ODD) for n in range(first, first + count)]
    await runtime.ledger.append(batch(worker_id, *events))


@pytest.fixture
async def sealed(settings: RuntimeSettings, database: str) -> AsyncIterator[Runtime]:
    """Two workers of ten events in two seals each, some pruned, some below the floor; nothing in the background."""
    runtime = await build(settings, dsn=database)
    runtime.background = [runtime.ledger.run]
    async with runtime:
        sealer = sealer_of(runtime)
        for worker_id in ("w", "v"):
            await insert_worker(runtime, worker_id)
            await fill(runtime, worker_id, 1, 5)
            await sealer.seal_all()
            await fill(runtime, worker_id, 6, 5)
            await sealer.seal_all()
        retention = Retention(runtime.ledger, runtime.pool, runtime.settings, SystemClock())
        await retention.prune_payloads("w", below_seq=7)
        await retention.raise_floor("w", floor_seq=4)
        yield runtime


async def test_what_nobody_touched_verifies_pruned_and_cut_off_as_it_is(sealed: Runtime) -> None:
    report = await verify(sealed)

    assert report.findings == []
    assert (report.logs, report.seals, report.events, report.pruned) == (2, 4, 17, 3)
    assert report.unsealed == []
    assert report.head is not None
    assert report.head.seal_no == 4


async def test_anybody_can_compute_the_chain_from_the_protocol_alone(sealed: Runtime) -> None:
    def written(kind: str, *fields: bytes | int | None) -> bytes:
        parts = [b"autopilot " + kind.encode() + b" 1\0"]
        for field in fields:
            raw = field.to_bytes(8, "big") if isinstance(field, int) else field
            parts.append(b"\xff" * 4 if raw is None else len(raw).to_bytes(4, "big") + raw)
        return b"".join(parts)

    def sha(message: bytes) -> bytes:
        return hashlib.sha256(message).digest()

    seal = await sealed.pool.fetchrow(
        "select *, (extract(epoch from sealed_at) * 1000000)::bigint as us from seal"
        " where log_id = 'v' order by seal_no"
    )
    events = await sealed.pool.fetch(
        "select *, (extract(epoch from occurred_at) * 1000000)::bigint as us from event"
        " where worker_no = $1 and seq <= $2 order by seq",
        seal["log_no"],
        seal["to_seq"],
    )
    state = sha(written("log", b"worker", b"v"))
    for event in events:
        envelope = json.loads(event["frame"])
        payload = event["frame"].partition(',"payload":')[2].rpartition(',"occurredAt":')[0]
        stub = json.dumps({"method": envelope["payload"]["method"], "pruned": True}, separators=(",", ":"))
        kept = event["frame"].replace(payload, stub)
        columns = (event["event_id"].encode(), event["event_type"].encode(), event["us"], event["end_byte"])
        leaf = written("event", event["seq"], *columns, event["digest"], kept.encode(), sha(payload.encode()))
        state = sha(state + sha(leaf))
    place = (seal["seal_no"], b"worker", seal["log_no"], b"v", seal["from_seq"], seal["to_seq"])
    digest = sha(written("seal", *place, state, seal["us"], seal["previous"], seal["key_id"].encode()))

    assert seal["digest"] == digest
    assert PublicKeys([KEY.public]).verifies(seal["key_id"], seal["signature"], written("signature", digest))


async def test_what_no_seal_covers_is_said_as_such(sealed: Runtime) -> None:
    await fill(sealed, "v", 11, 3)

    report = await verify(sealed)

    assert report.whole
    assert [(tail.log_id, tail.events) for tail in report.unsealed] == [("v", 3)]


async def test_pruning_and_retention_go_on_and_the_rest_still_verifies(sealed: Runtime) -> None:
    retention = Retention(sealed.ledger, sealed.pool, sealed.settings, SystemClock())
    await fill(sealed, "w", 11, 3)
    await retention.prune_payloads("w", below_seq=13)
    assert await retention.raise_floor("w", floor_seq=12) == 8
    await fill(sealed, "w", 14, 1)
    await sealer_of(sealed).seal_all()

    report = await verify(sealed)

    assert report.findings == []
    assert report.unsealed == []


async def test_a_log_that_lost_its_previews_still_verifies(sealed: Runtime) -> None:
    delta = {"method": "item/agentMessage/delta", "params": {"turnId": "t", "itemId": "i", "delta": "a"}}
    done = {"method": "item/completed", "params": {"turnId": "t", "item": {"id": "i"}}}
    await insert_worker(sealed, "p")
    await sealed.ledger.append(batch("p", draft("a", **delta), draft("b", **delta), draft("c", **done), draft("d")))
    await sealed.pool.execute(
        "update event set occurred_at = now() - interval '8 days' where event_id in ('a','b','c')"
    )
    await sealer_of(sealed).seal_all()
    settings = msgspec.structs.replace(sealed.settings, choices=RuntimeChoices(keep_previews_days=7))

    await Retention(sealed.ledger, sealed.pool, settings, SystemClock()).sweep()

    report = await verify(sealed, "p")
    assert report.findings == []
    assert (report.events, report.pruned) == (4, 2)


async def test_a_log_with_a_missing_row_is_not_cut_off_below_which_nobody_would_see_it(sealed: Runtime) -> None:
    await sealed.pool.execute("delete from event where seq = 7 and event_id = 'e7'")
    retention = Retention(sealed.ledger, sealed.pool, sealed.settings, SystemClock())

    assert await retention.raise_floor("w", floor_seq=9) == 0
    assert {finding.kind for finding in (await verify(sealed)).findings} == {"removed"}


W = "where worker_no = (select worker_no from worker where worker_id = 'w') and seq = 8"

BREAKS: dict[str, tuple[str, str]] = {
    "overwritten": (f"update event set frame = 'x' {W}", "altered"),
    "altered": (f"update event set frame = replace(frame, 'item/8', 'item/9') {W}", "altered"),
    "removed": (f"delete from event {W}", "removed"),
    "inserted": (
        "insert into event (worker_no, seq, event_id, event_type, occurred_at, frame, end_byte)"
        " select worker_no, 2, 'new', event_type, occurred_at, frame, end_byte from event " + W,
        "inserted",
    ),
    "beyond": (
        "insert into event (worker_no, seq, event_id, event_type, occurred_at, frame, end_byte)"
        " select worker_no, 11, 'new', event_type, occurred_at, frame, end_byte from event " + W,
        "inserted",
    ),
    "reordered": (
        (
            "with two as (select * from event where event_id in ('e8', 'e9')) update event e set frame = t.frame"
            " from two t where t.worker_no = e.worker_no and t.seq + e.seq = 17 and e.seq in (8, 9)"
        ),
        "moved",
    ),
    "emptied": (
        f"update event set pruned = true, pruned_proof = decode(repeat('00', 112), 'hex') {W}",
        "emptied",
    ),
    "cut off": ("delete from event where seq >= 9", "cut_off"),
    "removed seal": ("delete from seal where seal_no = 2", "seal_removed"),
    "altered seal": ("update seal set to_seq = 9 where seal_no = 2", "seal_altered"),
    "forged seal": ("update seal set signature = decode(repeat('00', 64), 'hex') where seal_no = 4", "seal_forged"),
    "unknown key": ("update seal_floor set key_id = 'f'", "floor"),
    "removed log": ("delete from worker where worker_id = 'v'", "log_removed"),
}


@pytest.mark.parametrize("name", BREAKS)
async def test_each_kind_of_break_has_its_name(sealed: Runtime, name: str) -> None:
    statement, kind = BREAKS[name]
    await sealed.pool.execute(statement)

    findings = (await verify(sealed)).findings

    assert kind in {finding.kind for finding in findings}, findings
    assert all(finding.says.endswith(".") for finding in findings)


MUTABLE = {
    "event": [
        "seq",
        "event_id",
        "event_type",
        "digest",
        "occurred_at",
        "frame",
        "end_byte",
        "pruned",
        "pruned_proof",
        "content_digest",
    ],
    "seal": [
        "seal_no",
        "source",
        "log_no",
        "log_id",
        "from_seq",
        "to_seq",
        "state",
        "sealed_at",
        "previous",
        "digest",
        "key_id",
        "signature",
    ],
    "seal_floor": ["log_no", "source", "floor_seq", "state", "key_id", "signature"],
    "worker_head": ["latest_seq", "oldest_seq"],
    "worker": ["worker_id"],
}


def another(value: Any, rng: random.Random) -> Any:
    """A value of the same type that is another."""
    match value:
        case bool():
            return not value
        case int():
            return value + rng.choice([-2, -1, 1, 2, 1000])
        case bytes() if value:
            place = rng.randrange(len(value))
            return value[:place] + bytes([value[place] ^ rng.randrange(1, 256)]) + value[place + 1 :]
        case str():
            place = rng.randrange(len(value))
            new = rng.choice([letter for letter in 'ab1" ' if letter != value[place]])
            return value[:place] + new + value[place + 1 :]
        case None | b"":
            return b"x"
    return value.replace(microsecond=(value.microsecond + 1) % 1_000_000)


async def mutate(conn: Any, rng: random.Random) -> str:
    """Alter or remove one row of what is sealed, or of the seals; what was done."""
    table = rng.choice(["event", "event", "event", *MUTABLE])
    row = rng.choice(await conn.fetch(f"select ctid::text as ctid, * from {table} order by ctid"))
    if table in {"event", "seal", "seal_floor", "worker"} and rng.random() < 0.2:
        await conn.execute(f"delete from {table} where ctid = '{row['ctid']}'")
        return f"delete {dict(row)}"
    column = rng.choice(MUTABLE[table])
    value = another(row[column], rng)
    await conn.execute(f"update {table} set {column} = $1 where ctid = '{row['ctid']}'", value)
    return f"{table}.{column} = {value!r} of {dict(row)}"


@pytest.mark.seeds(3, 100)
async def test_any_single_change_of_a_row_is_found(sealed: Runtime, seed: int) -> None:
    rng = random.Random(seed)
    async with sealed.pool.acquire() as conn:
        head = await head_of(conn)
    assert head is not None
    kept = [Kept("this machine", head)]
    for _ in range(40):
        async with sealed.pool.acquire() as conn:
            change = conn.transaction()
            await change.start()
            try:
                done = await mutate(conn, rng)
            except asyncpg.IntegrityConstraintViolationError:
                continue
            else:
                report = await Verifier(conn, PublicKeys([KEY.public])).verify(kept=kept)
            finally:
                await change.rollback()
        assert report.findings, done


async def test_a_chain_that_was_cut_back_or_made_anew_is_found_by_a_head_kept_elsewhere(sealed: Runtime) -> None:
    async with sealed.pool.acquire() as conn:
        head = await head_of(conn)
    assert head is not None
    kept = [Kept("this machine", head)]

    await sealed.pool.execute("delete from seal where seal_no = 4")
    cut = await verify(sealed, kept=kept)
    await sealer_of(sealed).seal_all()
    anew = await verify(sealed, kept=kept)

    assert [finding.kind for finding in cut.findings] == ["rolled_back"]
    assert [finding.kind for finding in anew.findings] == ["rolled_back"]
    assert (await verify(sealed)).whole, "the database alone can't tell"


async def test_a_sealer_does_not_paper_over_a_chain_that_lost_what_it_saw(sealed: Runtime) -> None:
    sealer = sealer_of(sealed)
    await fill(sealed, "w", 11, 1)
    await sealer.seal_all()
    await sealed.pool.execute("delete from seal where seal_no >= 4")
    await fill(sealed, "w", 12, 1)

    with pytest.raises(ChainBroken):
        await sealer.seal_all()


async def test_a_replaced_key_goes_on_and_what_the_old_one_signed_still_verifies(sealed: Runtime) -> None:
    await fill(sealed, "w", 11, 1)
    newer = sealer_of(sealed, b"t" * 32)
    await newer.seal_all()

    async with snapshot(sealed) as conn:
        both = await Verifier(conn, PublicKeys([KEY.public, newer.key.public])).verify()
        new_only = await Verifier(conn, PublicKeys([newer.key.public])).verify()

    assert both.findings == []
    assert {finding.kind for finding in new_only.findings} == {"seal_forged", "floor", "emptied"}


async def test_two_runtimes_append_and_seal_at_once_and_the_chain_is_one(
    settings: RuntimeSettings, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "ROUND_ENTRIES", 20)
    async with await build(settings, dsn=database) as one, await build(settings, dsn=database) as two:
        for name in "abc":
            await insert_worker(one, name)

        async def write(runtime: Runtime, name: str, side: str) -> None:
            for n in range(20):
                await runtime.ledger.append(batch(name, draft(f"{side}{n}", n=n), draft(f"{side}{n}b", n=n)))

        async def seal(runtime: Runtime) -> None:
            for _ in range(10):
                await sealer_of(runtime).seal_all()

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(write(one, name, "one"))
                group.create_task(write(two, name, "two"))
            group.create_task(seal(one))
            group.create_task(seal(two))
        await sealer_of(one).seal_log(WorkerLogs(), "a", 80)
        await sealer_of(one).seal_all()
        while await one.pool.fetchval("select 240 > (select sum(to_seq - from_seq + 1) from seal)"):
            await sealer_of(one).seal_all()

        report = await verify(one)

    assert report.findings == []
    assert (report.events, report.unsealed) == (240, [])


@pytest.mark.parametrize("moment", ["before the seal", "after the seal"])
async def test_a_sealer_that_dies_in_the_middle_leaves_nothing_and_holds_nobody_up(
    sealed: Runtime, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    await fill(sealed, "w", 11, 2)
    add: Callable[..., Awaitable[None]] = Sealer._add

    async def cut(self: Sealer, conn: Any, *rest: Any, **named: Any) -> None:
        if moment == "after the seal":
            await add(self, conn, *rest, **named)
        conn.terminate()  # what kill -9 does to the process's connection
        raise ConnectionError

    with monkeypatch.context() as dying:
        dying.setattr(Sealer, "_add", cut)
        with pytest.raises((ConnectionError, asyncpg.InterfaceError)):
            await sealer_of(sealed).seal_all()
    async with asyncio.timeout(30):
        assert await sealer_of(sealed).seal_log(WorkerLogs(), "w", 12) == 12

    assert (await verify(sealed)).findings == []


async def test_sealing_waits_for_no_lock_of_a_log(sealed: Runtime) -> None:
    await fill(sealed, "w", 11, 2)
    async with asyncio.timeout(30), sealed.ledger.transaction() as tx:
        await tx.lock_worker("w")

        assert await sealer_of(sealed).seal_all() == 2

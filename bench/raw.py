"""The limit for appends and replay: asyncpg with the very same rows of the very same schema, and nothing else.

Same tables, indexes, row locks and durability (fsync on, synchronous_commit on) as the runtime's ledger, in the same
Postgres server; but no HTTP, no validation, no receipts, no redaction, no dedupe beyond the unique index, and frames
encoded beforehand.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import time

import asyncpg

DIGEST = b""
"""As the ledger keeps of an event that is stored as it was sent."""

APPEND = """
with raised as (
    update runtime.worker_head
    set latest_seq = latest_seq + cardinality($2::text[]), log_bytes = log_bytes + $6, updated_at = $3
    where worker_no = $1
    returning latest_seq - cardinality($2::text[]) as base, log_bytes - $6 as log_bytes
)
insert into runtime.event (worker_no, seq, event_id, event_type, digest, frame, end_byte, occurred_at)
select $1, raised.base + n, id, 'worker.event', digest, frame, raised.log_bytes + n * octet_length(frame), $3
from raised, unnest($2::text[], $4::text[], $5::bytea[]) with ordinality as e (id, frame, digest, n)
"""


async def make_worker(connection: asyncpg.Connection, name: str) -> int:
    """A bare worker row to append to; returns its worker_no."""
    number = await connection.fetchval(
        "insert into runtime.worker (worker_id, owner_user_id, created_at) values ($1, 1, now()) returning worker_no",
        name,
    )
    await connection.execute("insert into runtime.worker_head (worker_no, updated_at) values ($1, now())", number)
    return int(number)


async def append(dsn: str, *, writers: int, batch: int, frame: str, seconds: float, tag: str) -> float:
    """Events per second that `writers` connections append, each to its own worker, `batch` events a transaction."""
    connections = [await asyncpg.connect(dsn) for _ in range(writers)]
    numbers = [await make_worker(connection, f"raw-{tag}-{k}") for k, connection in enumerate(connections)]
    moment = dt.datetime.now(dt.UTC)

    async def write(connection: asyncpg.Connection, number: int) -> int:
        statement = await connection.prepare(APPEND)
        count, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            ids = [f"item:{tag}:{number}:{count + k}:completed" for k in range(batch)]
            size = batch * len(frame)
            await statement.fetch(number, ids, moment, [frame] * batch, [DIGEST] * batch, size)
            count += batch
        return count

    began = time.monotonic()
    counts = await asyncio.gather(*(write(c, n) for c, n in zip(connections, numbers, strict=True)))
    rate = sum(counts) / (time.monotonic() - began)
    for connection in connections:
        await connection.close()
    return rate


async def copy_out(dsn: str, worker_id: str) -> tuple[int, float]:
    """COPY the frames of a worker's log TO STDOUT; returns bytes and seconds."""
    connection = await asyncpg.connect(dsn)
    received = 0

    async def sink(data: bytes) -> None:
        nonlocal received
        received += len(data)

    query = (
        "select e.seq, e.event_type, e.frame from runtime.event e join runtime.worker w using (worker_no) "
        "where w.worker_id = $1 order by e.seq"
    )
    began = time.monotonic()
    await connection.copy_from_query(query, worker_id, output=sink)
    took = time.monotonic() - began
    await connection.close()
    return received, took

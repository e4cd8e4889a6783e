"""Takes artifacts in, piece by piece: redacted before they are stored, bounded, and checked when they are whole.

Owns the tables `artifact` and `artifact_chunk`, but for announcements (artifacts_events.py) and retention. A piece is
taken under the worker's lock, so that who may append is who may store. A piece is taken up to a border that no
credential lies across (contract/redaction_stream.py); the rest comes again. Repeating anything is harmless.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any

import asyncpg

from autopilot.contract import ArtifactPart, StoreArtifacts, StoredPart
from autopilot.contract.errors import Conflict, Unprocessable
from autopilot.contract.port import Claims
from autopilot.contract.redaction_stream import redact_piece
from autopilot.runtime import permissions
from autopilot.runtime.artifacts_events import SQL
from autopilot.runtime.ledger import Ledger, LedgerTx
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.settings import RuntimeSettings

CHUNK_BYTES = 256 * 1024
AT_ONCE = 100
"""Chunks that are deleted, or artifacts that are finished, in one step."""
LEAST_PIECE_BYTES = 64 * 1024
JSON = "application/json"
UNKNOWN, PENDING, STORED, LOST = "unknown", "pending", "stored", "lost"
AWAITED = frozenset({PENDING, LOST})
"""States of what is not whole: what is brought is taken, also where nobody expected it any more."""


class ArtifactStore:
    """Writes artifacts."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool, settings: RuntimeSettings) -> None:
        self._ledger = ledger
        self._pool = pool
        self._choices = settings.choices

    async def store(self, claims: Claims, worker_id: str, body: StoreArtifacts) -> list[StoredPart]:
        """Take these pieces; what became of each.

        Raises:
            NotFound, Forbidden: no such worker, or not the caller's to write.
            Conflict: `fenced`; `different_content` where what arrived is not what its event says: it begins again.
            Unprocessable: a piece that goes beyond its artifact's end, or is too short to get anywhere.
        """
        taken: list[tuple[StoredPart, int | None]] = []
        async with self._ledger.transaction() as tx:
            worker = await tx.lock_worker(worker_id)
            permissions.store(claims, worker, body.generation)
            for index, part in enumerate(body.artifacts):
                taken.append(await self._take(tx, worker, index, part))
        results: list[StoredPart] = []
        refused: Conflict | None = None
        for part, whole in taken:
            if whole is None:
                results.append(part)
                continue
            try:
                state, received = await finish(self._pool, whole)
            except Conflict as conflict:  # the others are finished all the same
                refused = refused or conflict
            else:
                results.append(StoredPart(artifact_id=part.artifact_id, state=state, next_offset=received))
        if refused is not None:
            await collect(self._pool)
            raise refused
        return results

    async def _take(
        self, tx: LedgerTx, worker: Worker, index: int, part: ArtifactPart
    ) -> tuple[StoredPart, int | None]:
        """One piece; with the artifact's number where all of it is there now."""
        row = await tx.conn.fetchrow(SQL.lock, worker.worker_no, part.artifact_id)
        if row is None:
            return StoredPart(artifact_id=part.artifact_id, state=UNKNOWN, next_offset=0), None
        received = row["received_bytes"]
        is_awaited = row["state"] in AWAITED
        if is_awaited and part.offset == received and part.text:
            received, is_whole = await self._add(tx, worker, row, index, part.text)
        else:
            is_whole = is_awaited and received == row["bytes"]  # nobody finished it
        state = PENDING if is_awaited else row["state"]
        told = StoredPart(artifact_id=part.artifact_id, state=state, next_offset=received)
        return told, row["artifact_no"] if is_whole else None

    async def _add(self, tx: LedgerTx, worker: Worker, row: asyncpg.Record, index: int, text: str) -> tuple[int, bool]:
        """Redact and store a piece; how many bytes of the whole have arrived, and whether no more are wanted."""
        size = len(text.encode())
        is_last = _is_last(row, index, size)
        is_json = row["media_type"] == JSON
        piece = redact_piece(text, inside=row["inside"], last=is_last, is_json=is_json)
        taken = text[: piece.taken]
        received = row["received_bytes"] + len(taken.encode())
        kept = piece.text.encode()
        room = await self._room(tx, worker, row)
        is_full = len(kept) > room
        if is_full:
            kept = kept[:room].decode(errors="ignore").encode()
            received = row["bytes"]
        await self._write(tx.conn, row, kept)
        await tx.conn.execute(
            SQL.received,
            row["artifact_no"],
            received,
            row["stored_bytes"] + len(kept),
            piece.inside,
            row["redacted"] or piece.text != taken,
            row["truncated"] or is_full,
        )
        return received, received == row["bytes"]

    async def _write(self, conn: Any, row: asyncpg.Record, kept: bytes) -> None:
        chunks = [kept[start : start + CHUNK_BYTES] for start in range(0, len(kept), CHUNK_BYTES)]
        starts = [row["stored_bytes"] + number * CHUNK_BYTES for number in range(len(chunks))]
        await conn.execute(SQL.add_chunks, row["artifact_no"], starts, chunks, row["attempt"])

    async def _room(self, tx: LedgerTx, worker: Worker, row: asyncpg.Record) -> int:
        """Bytes that may still be stored of it."""
        all_stored = await tx.conn.fetchval(SQL.stored_of_worker, worker.worker_no) or 0
        own = self._choices.max_artifact_bytes - row["stored_bytes"]
        return max(0, min(own, self._choices.max_worker_artifact_bytes - all_stored))


async def finish(pool: asyncpg.Pool, number: int) -> tuple[str, int]:
    """Make what has arrived readable, if it is what its event says: its state then, and what of it is there.

    Another call of the same executor, or retention, may have been at it since it was looked at.

    Raises:
        Conflict: it is not; it was thrown away, and begins again.
    """
    digest, version = None, None  # read without a lock: appends of events that refer to it would wait
    async with pool.acquire() as conn:
        seen = await conn.fetchrow(SQL.as_it_stands, number)
        if seen is not None and seen["state"] in AWAITED and seen["received_bytes"] == seen["bytes"]:
            digest, version = await digest_of(conn, seen), seen["version"]
    async with pool.acquire() as conn, conn.transaction():
        row = await conn.fetchrow(SQL.lock_number, number)
        if row is None:
            return UNKNOWN, 0
        if row["state"] not in AWAITED or row["received_bytes"] != row["bytes"]:
            return row["state"], row["received_bytes"]
        if digest is None or row["version"] != version:  # rare: somebody was at it in between
            digest = await digest_of(conn, row)
        if digest == row["sha256"] or row["redacted"] or row["truncated"]:
            await conn.execute(SQL.stored, number, digest)
            return STORED, row["received_bytes"]
        await conn.execute(SQL.begin_again, number)
    raise Conflict(
        "what arrived is not what the event says: send it again from the beginning",
        reason_code="different_content",
        artifact_id=row["artifact_id"],
    )


async def finish_left(pool: asyncpg.Pool) -> None:
    """Finish what has all arrived and whose caller was cut off before it was looked at."""
    after = 0
    while rows := await pool.fetch(SQL.unfinished, after, AT_ONCE):
        for row in rows:
            after = row["artifact_no"]
            with contextlib.suppress(Conflict):  # it begins again, should anybody bring it
                await finish(pool, after)


async def collect(pool: asyncpg.Pool) -> None:
    """Delete content that nothing has any more, a bounded step at a time, with no lock that anybody waits for."""
    while (row := await pool.fetchrow(SQL.remains)) is not None:
        while await pool.execute(SQL.delete_remains, *row, AT_ONCE) == f"DELETE {AT_ONCE}":
            pass
        await pool.execute(SQL.forget_remains, *row)


async def digest_of(conn: Any, row: asyncpg.Record) -> bytes:
    """SHA-256 of what is stored of an artifact (`artifact_no`, `attempt`, `stored_bytes`), read chunk by chunk."""
    digest, position = hashlib.sha256(), 0
    while position < row["stored_bytes"]:
        chunk = await conn.fetchrow(SQL.chunk, row["artifact_no"], position, row["attempt"])
        if chunk is None or chunk["start_byte"] != position or not chunk["content"]:
            break  # one is missing: the digest is of something else, and says so
        digest.update(chunk["content"])
        position += len(chunk["content"])
    return digest.digest()


async def release(conn: Any, worker_no: int, seqs: Sequence[int]) -> None:
    """These events lose their payload: what no other event refers to loses its content, and keeps its digest.

    `conn` is in a transaction. The artifacts are locked before they are looked at: an event that refers to one of them
    meanwhile is either seen, or finds it pruned and wants it again. The content itself goes with `collect`, afterwards.
    """
    released = sorted({record[0] for record in await conn.fetch(SQL.release, worker_no, list(seqs))})
    if released:
        await conn.fetch(SQL.lock_numbers, released)
        unused = [record[0] for record in await conn.fetch(SQL.unused, released)]
        await conn.execute(SQL.pruned, unused)


async def forget_below(conn: Any, worker_no: int, floor_seq: int) -> None:
    """Events below the floor are gone, and with them the artifacts that only they refer to; `collect` afterwards."""
    await conn.execute(SQL.release_below, worker_no, floor_seq)
    await conn.execute(SQL.delete_below, worker_no, floor_seq)


def _is_last(row: asyncpg.Record, index: int, size: int) -> bool:
    """Whether a piece of this size is the artifact's last.

    Raises:
        Unprocessable: it goes beyond the end, or is short without being the last.
    """
    left = row["bytes"] - row["received_bytes"]
    if size > left or LEAST_PIECE_BYTES > size != left:
        field = f"artifacts[{index}].text"
        message = f"must have the {left} bytes that are left, or from {LEAST_PIECE_BYTES} bytes to less than them"
        raise Unprocessable(f"{field} {message}", reason_code="invalid_value", field=field)
    return size == left

"""Worker logs as a source of seals: what of an event never changes, and what retention may take of it.

An event's leaf covers its columns, its envelope as it is after pruning, and the digest of its payload. So a pruned row,
which keeps that digest, has the same leaf as before. That it was retention which pruned it is signed: a row that
somebody else emptied is found. Relies on the frame as ledger_rows.py builds it, and cuts it without decoding it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from autopilot.db.queries import load
from autopilot.runtime.ledger_rows import payload_bounds, text
from autopilot.runtime.seal_chain import digest_of, written
from autopilot.runtime.seal_keys import KEY_ID_LENGTH, PublicKeys, SealKey
from autopilot.runtime.seal_sources import MALFORMED, Entry, Log, Waiting

SQL = load("autopilot.runtime", "seal_workers")
NAME = "worker"
PAGE_ROWS = 200
PAGE_BYTES = 4 * 1024 * 1024
_DIGEST_BYTES = 32


class _Method(msgspec.Struct):
    method: Any = None


_METHOD = msgspec.json.Decoder(_Method)


def pruned_frame(frame: str) -> str:
    """The envelope with nothing left of its payload but the method.

    Raises:
        ValueError: it is no frame of ours.
    """
    begin, end = payload_bounds(frame)
    return f"{frame[:begin]}{_stub(frame[begin:end].encode(errors='replace'))}{frame[end:]}"


def _stub(payload: bytes) -> str:
    """What a payload becomes."""
    try:
        method = _METHOD.decode(payload).method
    except msgspec.DecodeError:  # admitted by a laxer reader: it has no method that could be shown
        method = None
    shown = text(method) if isinstance(method, str) else json.dumps(method, ensure_ascii=False, separators=(",", ":"))
    return f'{{"method":{shown},"pruned":true}}'


def leaf_of(record: Any) -> bytes:
    """The leaf of a row of `event`.

    Raises:
        ValueError: what is stored there is no frame of ours.
    """
    frame = record["frame"]
    if record["pruned"]:
        kept, payload = frame, (record["pruned_proof"] or b"")[:_DIGEST_BYTES]
    else:
        begin, end = payload_bounds(frame)
        raw = frame[begin:end].encode()
        kept, payload = f"{frame[:begin]}{_stub(raw)}{frame[end:]}", hashlib.sha256(raw).digest()
    return digest_of(
        "event",
        record["seq"],
        record["event_id"],
        record["event_type"],
        record["occurred_at"],
        record["end_byte"],
        record["digest"],
        kept,
        payload,
    )


def proof_of(key: SealKey, log_id: str, record: Any, content_digest: bytes | None) -> bytes:
    """What a row gets when retention prunes it: its payload's digest, and the signed word that it was retention.

    `content_digest`: what the row gets beside it.
    """
    begin, end = payload_bounds(record["frame"])
    payload = hashlib.sha256(record["frame"][begin:end].encode()).digest()
    return payload + key.key_id.encode() + key.sign(_pruned(log_id, leaf_of(record), content_digest))


def _pruned(log_id: str, leaf: bytes, content_digest: bytes | None) -> bytes:
    """What retention signs of a row that it prunes."""
    return written("pruned", log_id, leaf, *([] if content_digest is None else [content_digest]))


class WorkerLogs:
    """See `Source`."""

    name = NAME

    async def waiting(self, conn: Any, since: datetime, limit: int) -> Sequence[Waiting]:
        """See `Source`."""
        return [_waiting(record) for record in await conn.fetch(SQL.waiting, NAME, limit, since)]

    async def walk(self, conn: Any, after_no: int, limit: int) -> Sequence[Waiting]:
        """See `Source`."""
        return [_waiting(record) for record in await conn.fetch(SQL.walk, NAME, limit, after_no)]

    async def log(self, conn: Any, log_id: str) -> Log | None:
        """See `Source`."""
        record = await conn.fetchrow(SQL.log, log_id)
        return None if record is None else _log(record)

    async def logs(self, conn: Any) -> AsyncIterator[Log]:
        """See `Source`."""
        async for record in conn.cursor(SQL.logs):
            yield _log(record)

    async def gone(self, conn: Any, limit: int) -> Sequence[str]:
        """See `Source`."""
        return [record["log_id"] for record in await conn.fetch(SQL.gone, NAME, limit)]

    async def entries(self, conn: Any, log: Log, after: int, proofs: PublicKeys | None = None) -> Sequence[Entry]:
        """See `Source`."""
        records = await conn.fetch(SQL.entries, log.log_no, after, PAGE_ROWS, PAGE_BYTES)
        return [_entry(log, record, proofs) for record in records]


def _waiting(record: Any) -> Waiting:
    return Waiting(_log(record), record["sealed_seq"], record["updated_at"])


def _log(record: Any) -> Log:
    return Log(
        log_no=record["worker_no"],
        log_id=record["worker_id"],
        oldest_seq=record["oldest_seq"],
        latest_seq=record["latest_seq"],
    )


def _entry(log: Log, record: Any, proofs: PublicKeys | None) -> Entry:
    trouble: str | None = None
    try:
        leaf = leaf_of(record)
    except ValueError:  # there is no leaf that any seal can have been over
        leaf, trouble = bytes(_DIGEST_BYTES), MALFORMED
    if proofs is not None and trouble is None:
        trouble = _trouble(log, record, leaf, proofs)
    return Entry(record["seq"], leaf, record["occurred_at"], trouble, record["pruned"])


def _trouble(log: Log, record: Any, leaf: bytes, proofs: PublicKeys) -> str | None:
    place = f'{{"workerId":"{log.log_id}","seq":{record["seq"]},"eventType":"{record["event_type"]}","payload":'
    if not record["frame"].startswith(place):
        return "stands in a place that is not its own: it was moved, or its envelope was altered"
    proof = record["pruned_proof"]
    if proof is None:  # emptied before there were seals, or not at all: its leaf says which
        return None if record["content_digest"] is None else "has a digest of its content that retention did not make"
    signed = proof[_DIGEST_BYTES + KEY_ID_LENGTH :]
    key_id = proof[_DIGEST_BYTES:][:KEY_ID_LENGTH].decode(errors="replace")
    if not record["pruned"] or not proofs.verifies(key_id, signed, _pruned(log.log_id, leaf, record["content_digest"])):
        return "was emptied, but not by retention"
    return None

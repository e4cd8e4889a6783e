"""Handshakes: what makes an event one, and that each is asked and answered once.

Owns the table `handshake`. Relies on permissions for who may answer, and on the worker's lock. Never decides whether an
answer came in time: that is the asker's, by its own clock. Source: docs/protocol.md, "Handshake".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from autopilot.contract.errors import Conflict, Unprocessable
from autopilot.db import queries
from autopilot.runtime.ledger_rows import Batch, Draft, Row, Worker

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

ASK = "ios/handshake"
ACK = "desktop/handshake_ack"

_SQL = queries.load("autopilot.runtime", "handshakes")
_REQUIRED = {
    ASK: ("source", "handshake_id", "device_id", "occurred_at"),
    ACK: ("source", "handshake_id", "desktop_session_id", "occurred_at"),
}
METHODS = frozenset(_REQUIRED)
"""What is no handshake needs only one look."""
_MAX_ID_CHARACTERS = 255
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")

Key = tuple[str, str]
"""worker_id and handshake_id."""


class Known:
    """What one transaction knows of the handshakes its events name: seqs of question and answer."""

    __slots__ = ("acked", "asked", "pending")

    def __init__(self) -> None:
        self.asked: dict[Key, int] = {}
        self.acked: dict[Key, int] = {}
        self.pending: dict[tuple[str, Key], Draft] = {}
        """Questions and answers on their way in this same transaction, by method."""


def is_handshake(draft: Draft) -> bool:
    """Whether this event asks or answers: its method alone says so."""
    return draft.method in _REQUIRED and draft.event_type == "worker.event"


def check(payload: dict[str, Any]) -> None:
    """The other four fields.

    Raises:
        Unprocessable: one detail for each that is missing, empty, too long, or no time.
    """
    method = payload["method"]
    faults = [
        {"reason_code": "handshake_field", "field": f"payload.{name}"}
        for name in _REQUIRED[method]
        if not _fits(name, payload.get(name))
    ]
    if faults:
        raise Unprocessable(f"{method} lacks what makes it a handshake", details=faults)


async def load(tx: LedgerTx, batches: Iterable[Batch]) -> Known:
    """Read what is known of all handshakes that `batches` name."""
    keys = {
        (batch.worker_id, draft.value["handshake_id"])
        for batch in batches
        for draft in batch.drafts
        if draft.method in METHODS and is_handshake(draft) and _fits("handshake_id", draft.value.get("handshake_id"))
    }
    known = Known()
    if not keys:
        return known
    workers, handshakes = zip(*sorted(keys), strict=True)
    for record in await tx.conn.fetch(_SQL.known, list(workers), list(handshakes)):
        key = (record["worker_id"], record["handshake_id"])
        known.asked[key] = record["asked_seq"]
        if record["acked_seq"] is not None:
            known.acked[key] = record["acked_seq"]
    return known


def before(known: Known, worker: Worker, draft: Draft) -> int | None:
    """The seq of the row that already asks or answers this, or None.

    Raises:
        Unprocessable: a field is missing.
        Conflict: an answer without its question; the same one twice at the same moment.
    """
    if not is_handshake(draft):
        return None
    check(draft.value)
    method, key = draft.value["method"], (worker.worker_id, draft.value["handshake_id"])
    recorded = (known.asked if method == ASK else known.acked).get(key)
    if recorded is not None:
        return recorded
    if method == ACK and key not in known.asked and (ASK, key) not in known.pending:
        raise Conflict("nobody asked for this handshake", reason_code="unknown_handshake", handshake_id=key[1])
    if known.pending.setdefault((method, key), draft) is not draft:
        raise Conflict("the same handshake is being recorded", reason_code="handshake_repeated", handshake_id=key[1])
    return None


async def after(tx: LedgerTx, rows: Sequence[Row]) -> None:
    """Remember who asked and who answered."""
    shakes = [row for row in rows if row.draft.method in METHODS and is_handshake(row.draft)]
    asks = [row for row in shakes if row.draft.method == ASK]
    acks = [row for row in shakes if row.draft.method == ACK]
    if asks:
        columns = zip(
            *((r.worker.worker_no, r.draft.value["handshake_id"], r.seq, r.worker.now) for r in asks), strict=True
        )
        await tx.conn.execute(_SQL.ask, *map(list, columns))
    if acks:
        columns = zip(*((r.worker.worker_no, r.draft.value["handshake_id"], r.seq) for r in acks), strict=True)
        await tx.conn.execute(_SQL.ack, *map(list, columns))


def _fits(name: str, value: object) -> bool:
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_ID_CHARACTERS or "\x00" in value:
        return False  # a NUL is no character to the database
    return name != "occurred_at" or _is_time(value)


def _is_time(value: str) -> bool:
    if _RFC_3339.fullmatch(value) is None:
        return False
    try:
        datetime.fromisoformat(value[:19])
    except ValueError:
        return False
    return True

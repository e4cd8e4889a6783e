"""The hops of a trace, from rows of receipts, approvals, the audit and workers' logs. Pure.

Source: docs/protocol.md, "Trace".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import asyncpg
import msgspec

from autopilot.runtime.ledger_rows import instant

STEPS = ("delivered", "acknowledged")
"""Of a receipt, each with a time of its own."""


class Hop(NamedTuple):
    """One thing that happened; ordered by its time."""

    at: str
    order: int
    """Of those at the same time, by where they are known from."""
    body: dict[str, Any]


def of_receipt(row: asyncpg.Record) -> Iterator[Hop]:
    """Its steps, as far as it has kept their times."""
    about = {
        "worker_id": row["target_id"] if row["target_kind"] == "worker" else None,
        "machine_id": row["machine_id"],
        "request_id": row["request_id"],
        "method": row["method"],
        "x_request_id": row["x_request_id"],
    }
    actor = msgspec.json.decode(row["actor"])
    yield _hop(row["created_at"], 0, "receipt", "accepted", **about, actor=actor, seq=row["accepted_seq"])
    for step in STEPS:
        if row[f"{step}_at"] is not None:
            yield _hop(row[f"{step}_at"], 2, "receipt", step, **about)
    if row["ended_at"] is not None:
        error = None if row["error"] is None else msgspec.json.decode(row["error"])
        message = error.get("message") if isinstance(error, dict) else None
        yield _hop(row["ended_at"], 4, "receipt", row["state"], **about, detail=message)


def of_approval(row: asyncpg.Record) -> Hop:
    """Its decision."""
    return _hop(
        row["decided_at"],
        1,
        "approval",
        "decided",
        worker_id=row["worker_id"],
        machine_id=row["machine_id"],
        approval_id=row["approval_id"],
        seq=row["decided_seq"],
        x_request_id=row["x_request_id"],
        actor=None if row["decided_by"] is None else msgspec.json.decode(row["decided_by"]),
        detail=row["decided_option"],
    )


def of_line(row: asyncpg.Record) -> Hop:
    """An act of the audit."""
    actor = {name: row[name] for name in ("user_id", "device_id", "machine_id", "surface", "guest_scope")}
    what = row["action"] if row["outcome"] == "done" else f"{row['action']} ({row['outcome']})"
    return _hop(row["at"], 1, "audit", what, actor=actor, x_request_id=row["x_request_id"], detail=row["subject"])


def of_event(worker_id: str, row: asyncpg.Record, names: Collection[str]) -> Hop | None:
    """An event; None where one of the names stands in it, but does not name it."""
    envelope = msgspec.json.decode(row["frame"])
    payload = envelope["payload"]
    approval = payload.get("approval")
    asked = approval.get("approval_id") if isinstance(approval, dict) else None
    named = {"request_id": payload.get("request_id"), "approval_id": payload.get("approval_id") or asked}
    said = {name: value for name, value in named.items() if isinstance(value, str)}
    if not {*said.values(), envelope.get("xRequestId")}.intersection(names):
        return None
    method = payload.get("method")
    at: str = envelope["occurredAt"]
    body = {
        "at": at,
        "source": "event",
        "what": envelope["eventType"],
        "worker_id": worker_id,
        "seq": row["seq"],
        "method": method if isinstance(method, str) else None,
        "actor": envelope.get("actor"),
        "x_request_id": envelope.get("xRequestId"),
        **said,
    }
    return Hop(at, 3, body)


def _hop(at: Any, order: int, source: str, what: str, **facts: Any) -> Hop:
    moment = instant(at)
    return Hop(moment, order, {"at": moment, "source": source, "what": what, **facts})

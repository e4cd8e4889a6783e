"""The audit log: what was done about accounts, devices and policies; append-only, sealed with the workers' logs.

Owns `audit_head` and `audit_entry`. The API hands its lines over (audit_routes.py), the runtime writes its own in the
transaction of the act (`note`). What is in a worker's log already (requests, decisions, stops) is not written again:
the search reads both. An answer that was refused and a decision that was taken back are in no row it could read: they
get a line. Lock order: the audit's head comes last. Source: docs/decisions/0014-one-audit.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from autopilot.contract.port import Claims
from autopilot.contract.redaction import redact
from autopilot.db.queries import load

SQL = load("autopilot.runtime", "audit")

RuntimeAction = Literal[
    "account_emptied",
    "policy_set",
    "prices_set",
    "machine_registered",
    "machine_shared",
    "machine_unshared",
    "answer_refused",
    "decision_taken_back",
]
"""What the runtime itself writes; the API's words are in autopilot.api.audit."""


class Line(msgspec.Struct, kw_only=True, frozen=True):
    """One act."""

    audit_id: str
    action: str
    outcome: Literal["done", "refused"]
    at: datetime | None = None
    """None: now, by the ledger's clock."""
    user_id: int | None = None
    guest_scope: str | None = None
    device_id: str | None = None
    session_id: str | None = None
    machine_id: str | None = None
    surface: str | None = None
    address: str | None = None
    x_request_id: str | None = None
    subject: str | None = None
    detail: dict[str, Any] = msgspec.field(default_factory=dict)


async def append(conn: Any, lines: Sequence[Line]) -> int:
    """Add those of these lines that are not here yet, in the caller's transaction; how many it were."""
    head = await conn.fetchrow(SQL.lock)
    known = {row["audit_id"] for row in await conn.fetch(SQL.known, [line.audit_id for line in lines])}
    new = {line.audit_id: line for line in lines if line.audit_id not in known}
    if new:
        first = head["latest_seq"] + 1
        rows = [(seq, *_columns(line, head["updated_at"])) for seq, line in enumerate(new.values(), first)]
        await conn.executemany(SQL.add, rows)
        await conn.execute(SQL.set_end, rows[-1][0])
    return len(new)


async def note(
    conn: Any,
    claims: Claims,
    action: RuntimeAction,
    *,
    x_request_id: str | None,
    subject: str,
    detail: Mapping[str, Any],
    outcome: Literal["done", "refused"] = "done",
) -> None:
    """Write down an act of the runtime's own, in its transaction."""
    line = Line(
        audit_id=f"aud_{uuid.uuid4().hex}",
        action=action,
        outcome=outcome,
        user_id=claims.user_id,
        guest_scope=claims.guest_scope,
        device_id=claims.device_id,
        session_id=claims.session_id,
        machine_id=claims.machine_id,
        surface=claims.surface,
        address=claims.address,
        x_request_id=x_request_id,
        subject=subject,
        detail=redact(dict(detail)),
    )
    await append(conn, [line])


def _columns(line: Line, now: datetime) -> tuple[Any, ...]:
    return (
        line.audit_id,
        now,
        line.at or now,
        line.action,
        line.outcome,
        line.user_id,
        line.guest_scope,
        line.device_id,
        line.session_id,
        line.machine_id,
        line.surface,
        line.address,
        line.x_request_id,
        line.subject,
        msgspec.json.encode(line.detail).decode(),
    )

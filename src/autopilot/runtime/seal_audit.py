"""The audit log as a source of seals: one log, whose entries never go and never change.

An entry's leaf covers every column of its row. Retention takes nothing of it, so there are no floors and nothing
pruned. Never writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from autopilot.db.queries import load
from autopilot.runtime.seal_chain import digest_of
from autopilot.runtime.seal_keys import PublicKeys
from autopilot.runtime.seal_sources import Entry, Log, Waiting

SQL = load("autopilot.runtime", "seal_audit")
NAME = "audit"
LOG_ID = "audit"
PAGE_ROWS = 500
COVERED = (
    "seq", "audit_id", "recorded_at", "at", "action", "outcome", "user_id", "guest_scope", "device_id", "session_id",
    "machine_id", "surface", "address", "x_request_id", "subject", "detail",
)  # fmt: skip
"""The columns, in the order in which the leaf has them."""


class AuditLog:
    """See `Source`."""

    name = NAME

    async def waiting(self, conn: Any, since: datetime, limit: int) -> Sequence[Waiting]:  # noqa: ARG002 - there is only one log, and its head is one row
        """See `Source`."""
        record = await conn.fetchrow(SQL.log, NAME)
        if record is None or record["latest_seq"] <= record["sealed_seq"]:
            return []
        return [Waiting(_log(record), record["sealed_seq"], record["updated_at"])]

    async def walk(self, conn: Any, after_no: int, limit: int) -> Sequence[Waiting]:  # noqa: ARG002 - `waiting` always looks
        """See `Source`."""
        return []

    async def log(self, conn: Any, log_id: str) -> Log | None:
        """See `Source`."""
        record = await conn.fetchrow(SQL.log, NAME) if log_id == LOG_ID else None
        return None if record is None else _log(record)

    async def logs(self, conn: Any) -> AsyncIterator[Log]:
        """See `Source`."""
        found = await self.log(conn, LOG_ID)
        if found is not None:
            yield found

    async def gone(self, conn: Any, limit: int) -> Sequence[str]:  # noqa: ARG002 - there is only one
        """See `Source`."""
        return [LOG_ID] if await conn.fetchval(SQL.is_gone, NAME) else []

    async def entries(self, conn: Any, log: Log, after: int, proofs: PublicKeys | None = None) -> Sequence[Entry]:  # noqa: ARG002 - nothing of it is ever pruned
        """See `Source`."""
        records = await conn.fetch(SQL.entries, after, PAGE_ROWS)
        return [Entry(record["seq"], leaf_of(record), record["recorded_at"]) for record in records]


def leaf_of(record: Any) -> bytes:
    """The leaf of a row of `audit_entry`."""
    return digest_of("audit", *(record[name] for name in COVERED))


def _log(record: Any) -> Log:
    return Log(log_no=record["log_no"], log_id=LOG_ID, oldest_seq=1, latest_seq=record["latest_seq"])

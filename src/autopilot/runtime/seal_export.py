"""What happened, line by line, for people who audit: each event with who caused it and the seal that covers it.

Only reads, in one snapshot, in bounded memory. Says nothing about whether a log is whole: seal_verify.py does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from autopilot.db.queries import load
from autopilot.runtime.ledger_rows import instant

SQL = load("autopilot.runtime", "seal_export")


async def lines(
    conn: Any, *, log_id: str | None = None, from_seq: int | None = None, to_seq: int | None = None
) -> AsyncIterator[dict[str, Any]]:
    """Events in the order of workers and seqs, in a transaction; bounds are inclusive.

    `seal` is null where no seal covers the event yet, `policy_version` where no policy decided.
    """
    async for record in conn.cursor(SQL.events, log_id, from_seq, to_seq, prefetch=100):
        envelope = msgspec.json.decode(record["frame"])
        payload = envelope["payload"]
        yield {
            "source": "worker",
            "worker_id": record["worker_id"],
            "seq": record["seq"],
            "seal": record["seal_no"],
            "event_id": record["event_id"],
            "event_type": record["event_type"],
            "method": payload.get("method"),
            "occurred_at": instant(record["occurred_at"]),
            "actor": envelope.get("actor"),
            "device_id": (envelope.get("actor") or {}).get("device_id"),
            "request_id": payload.get("request_id"),
            "x_request_id": envelope.get("xRequestId"),
            "policy_version": payload.get("policy_version"),
            "pruned": record["pruned"],
        }

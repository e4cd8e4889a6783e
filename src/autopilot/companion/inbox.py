"""Requests from the feed, on the companion's file: stored before they are acknowledged, done once, remembered.

Owns the table `inbox`. Synchronous functions inside a transaction of the caller's, like the outbox.

    received ──▶ executing ──▶ answered ──▶ ended
        └──────────────────────────────────▶ ended     (it was over before it began)

`executing` is stored before Codex is asked, the answer in the transaction that puts it on its way: what is found
`executing` after a crash may or may not have reached Codex.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec

from autopilot.contract import FeedRequest

URGENT = frozenset({"worker/stop", "turn/interrupt"})
REMEMBERED_SECONDS = 14 * 86400.0
"""Ended requests are forgotten after this: the runtime does not hand them out again."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it was asked."""

    target: str
    """`worker` or `machine`."""
    worker_id: str
    """Empty for a request to the machine."""
    request_id: str
    method: str
    params: dict[str, Any]
    state: str
    x_request_id: str | None = None
    traceparent: str | None = None
    outcome: dict[str, Any] | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Its identity."""
        return (self.target, self.worker_id, self.request_id)

    @property
    def urgent(self) -> bool:
        """Whether it goes before everything else."""
        return self.method in URGENT


def receive(db: sqlite3.Connection, asked: FeedRequest) -> bool:
    """Store what is new; False for what was here before (an urgent entry comes twice, a feed may repeat)."""
    # Python's own JSON keeps integers of any size, and the order of keys.
    params = json.dumps(asked.params or {}, ensure_ascii=False).encode("utf-8", "surrogatepass")
    arrived = db.execute("select coalesce(max(arrived), 0) + 1 from inbox").fetchone()[0]
    return (
        db.execute(
            "insert into inbox (target, target_id, request_id, method, params, urgent, x_request_id, traceparent,"
            " arrived) values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
            (
                *(asked.target, asked.worker_id or "" if asked.target == "worker" else "", asked.request_id),
                *(asked.method, params, asked.method in URGENT, asked.x_request_id, asked.traceparent, arrived),
            ),
        ).rowcount
        == 1
    )


def pending(db: sqlite3.Connection) -> list[Request]:
    """What has not ended, urgent ones first, else in the order of arrival."""
    rows = db.execute("select * from inbox where state <> 'ended' order by urgent desc, arrived")
    return [_request(row) for row in rows]


def mark(db: sqlite3.Connection, request: Request, state: str) -> None:
    """Move it on."""
    db.execute(
        "update inbox set state = ? where target = ? and target_id = ? and request_id = ?", (state, *request.key)
    )


def answered(db: sqlite3.Connection, request: Request, outcome: dict[str, Any]) -> None:
    """Keep what is to be reported; what was asked is not needed any more."""
    db.execute(
        "update inbox set state = 'answered', outcome = ?, params = x'7b7d'"
        " where target = ? and target_id = ? and request_id = ?",
        (msgspec.json.encode(outcome), *request.key),
    )


def ended(db: sqlite3.Connection, request: Request, now: float) -> None:
    """Nothing is left to do; only its id is remembered."""
    db.execute(
        "update inbox set state = 'ended', outcome = null, params = x'7b7d', ended_at = ?"
        " where target = ? and target_id = ? and request_id = ?",
        (now, *request.key),
    )
    db.execute("delete from inbox where ended_at < ?", (now - REMEMBERED_SECONDS,))


def _request(row: sqlite3.Row) -> Request:
    return Request(
        target=row["target"],
        worker_id=row["target_id"],
        request_id=row["request_id"],
        method=row["method"],
        params=json.loads(bytes(row["params"]).decode("utf-8", "surrogatepass")),
        state=row["state"],
        x_request_id=row["x_request_id"],
        traceparent=row["traceparent"],
        outcome=None if row["outcome"] is None else msgspec.json.decode(row["outcome"]),
    )

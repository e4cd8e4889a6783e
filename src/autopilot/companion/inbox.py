"""Requests from the feed, on the companion's file: stored before they are acknowledged, done once, remembered.

Owns the table `inbox`. Synchronous functions inside a transaction of the caller's, like the outbox.

    received ──▶ executing ──▶ answered ──▶ ended
        └──────────────────────────────────▶ ended     (it was over before it began)

One that is not begun in time goes from `received` to `answered`, with what is to be reported instead.

`executing` is stored before Codex is asked, the answer in the transaction that puts it on its way: what is found
`executing` after a crash may or may not have reached Codex.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
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
    expires_at: datetime | None = None
    """By the server's clock: not to be begun then, or later; None: never too late."""
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
            " arrived, expires_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
            (
                *(asked.target, asked.worker_id or "" if asked.target == "worker" else "", asked.request_id),
                *(asked.method, params, asked.method in URGENT, asked.x_request_id, asked.traceparent, arrived),
                asked.expires_at,
            ),
        ).rowcount
        == 1
    )


def pending(db: sqlite3.Connection) -> list[Request]:
    """What has not ended, urgent ones first, else in the order of arrival."""
    rows = db.execute("select * from inbox where state <> 'ended' order by urgent desc, arrived")
    return [_request(row) for row in rows]


def begin(db: sqlite3.Connection, request: Request) -> bool:
    """From now on Codex may have been asked; False where it was over before."""
    changed = db.execute(
        "update inbox set state = 'executing' where target = ? and target_id = ? and request_id = ?"
        " and state = 'received'",
        request.key,
    )
    return changed.rowcount == 1


def forget(db: sqlite3.Connection, worker_id: str | None, request_id: str, now: float) -> bool:
    """Its receipt ended elsewhere; False where it was begun, or is not here: what was begun is reported as it is."""
    key = ("machine", "", request_id) if worker_id is None else ("worker", worker_id, request_id)
    changed = db.execute(
        "update inbox set state = 'ended', params = x'7b7d', ended_at = ?"
        " where target = ? and target_id = ? and request_id = ? and state = 'received'",
        (now, *key),
    )
    return changed.rowcount == 1


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
        expires_at=None if row["expires_at"] is None else datetime.fromisoformat(row["expires_at"]),
        outcome=None if row["outcome"] is None else msgspec.json.decode(row["outcome"]),
    )

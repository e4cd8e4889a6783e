"""Events on their way to the ledger: put, number, take, settle. Synchronous functions on the companion's file.

An event is put before anything else happens with it, gets its number (`producer_seq`) when it is first sent, and goes
when the ledger has it. What is put twice under one id is put once. When the file is full, previews go first, and what
Codex keeps in its history anyway is left to be read from there; both are counted, and said in the log of each worker.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autopilot.companion import artifacts
from autopilot.companion.codex.translate import Event

MAX_BYTES = 256 * 1024 * 1024
"""Of payloads and artifacts waiting, before previews are dropped."""
MAX_KNOWN = 1_000_000
"""Ids remembered; about 60 MB."""
BATCH_EVENTS = 200
BATCH_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event of one worker, numbered, on its way."""

    position: int
    event_id: str
    event_type: str
    method: str
    payload: bytes
    producer_seq: int
    late: bool


class Outbox:
    """The table `outbox`. Every method runs inside a transaction of the caller's."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self.bytes = 0
        """Of payloads and artifacts waiting."""

    def load(self, db: sqlite3.Connection) -> None:
        """Find out how much waits: after opening, and now and then: a transaction that failed left its part counted."""
        self.bytes = db.execute(
            "select (select coalesce(sum(length(payload)), 0) from outbox)"
            " + (select coalesce(sum(length(content)), 0) from artifact)"
        ).fetchone()[0]

    def put(self, db: sqlite3.Connection, worker_id: str, events: Iterable[Event], *, parked: bool = False) -> int:
        """Store what is new of `events`; how many that was."""
        return sum(self._put_one(db, worker_id, event, parked=parked) for event in events)

    def take(self, db: sqlite3.Connection, worker_id: str) -> list[Waiting]:
        """The next batch of a worker, oldest first, each event with its number."""
        rows = db.execute(
            "select * from outbox where worker_id = ? and not parked order by position limit ?",
            (worker_id, BATCH_EVENTS),
        ).fetchall()
        batch: list[Waiting] = []
        size = 0
        for row in rows:
            size += len(row["payload"])
            if batch and size > BATCH_BYTES:
                break
            batch.append(_waiting(row, self._number(db, worker_id, row)))
        return batch

    def settle(self, db: sqlite3.Connection, positions: Sequence[int]) -> None:
        """The ledger has these: they go."""
        for position in positions:
            row = db.execute(
                "delete from outbox where position = ? returning length(payload) as size", (position,)
            ).fetchone()
            if row is not None:
                self.bytes -= row["size"]

    def settle_artifacts(self, db: sqlite3.Connection, worker_id: str, artifact_ids: Sequence[str]) -> None:
        """The ledger has these artifacts, or will never want them: they go."""
        self.bytes -= artifacts.settle(db, worker_id, artifact_ids)

    def holds(self, db: sqlite3.Connection, worker_id: str) -> bool:
        """Whether any event of this worker is still here, parked ones included."""
        return db.execute("select 1 from outbox where worker_id = ? limit 1", (worker_id,)).fetchone() is not None

    def renumber(self, db: sqlite3.Connection, worker_id: str, expected: int) -> None:
        """The ledger counts otherwise (one side was restored from a backup): go on at `expected`."""
        db.execute("update outbox set producer_seq = null where worker_id = ?", (worker_id,))
        db.execute("update thread set producer_seq = ? where worker_id = ?", (expected - 1, worker_id))

    def park(self, db: sqlite3.Connection, worker_id: str) -> int:
        """The worker is stopped: keep what waits until it is reattached; how many that is."""
        self._forget_numbers(db, worker_id)
        return db.execute(
            "update outbox set parked = 1, late = 1 where worker_id = ? and not parked", (worker_id,)
        ).rowcount

    def unpark(self, db: sqlite3.Connection, worker_id: str) -> int:
        """The worker is open again: send what was parked; how many that is."""
        return db.execute("update outbox set parked = 0 where worker_id = ? and parked", (worker_id,)).rowcount

    def workers(self, db: sqlite3.Connection) -> list[str]:
        """Workers for which something is to be sent, the longest waiting first."""
        rows = db.execute("select worker_id from outbox where not parked group by worker_id order by min(position)")
        return [row[0] for row in rows]

    def depth(self, db: sqlite3.Connection, worker_id: str | None = None) -> int:
        """How many events wait to be sent, parked ones aside."""
        where, given = ("", ()) if worker_id is None else (" and worker_id = ?", (worker_id,))
        return db.execute(f"select count(*) from outbox where not parked{where}", given).fetchone()[0]  # noqa: S608  # a constant

    def knows(self, db: sqlite3.Connection, worker_id: str, event_id: str) -> bool:
        """Whether an event was ever put under this id."""
        found = db.execute("select 1 from known where identity = ?", (_identity(worker_id, event_id),))
        return found.fetchone() is not None

    def forget(self, db: sqlite3.Connection, worker_id: str, event_id: str) -> None:
        """Allow an id to be put again."""
        db.execute("delete from known where identity = ?", (_identity(worker_id, event_id),))

    def forget_all(self, db: sqlite3.Connection, worker_id: str) -> None:
        """Allow every id of this worker to be put again: the ledger has lost some of them."""
        first = _of_worker(worker_id)
        db.execute("delete from known where identity between ? and ?", (first, first + b"\xff" * _EVENT_BYTES))

    def drop(self, db: sqlite3.Connection, worker_id: str) -> int:
        """Somebody else tells all this: nothing of it is to be sent, and all may be put again; how many went."""
        rows = db.execute("select position from outbox where worker_id = ?", (worker_id,)).fetchall()
        self.settle(db, [row["position"] for row in rows])
        self.bytes -= artifacts.settle(db, worker_id)
        self.forget_all(db, worker_id)
        return len(rows)

    def trim(self, db: sqlite3.Connection) -> None:
        """Forget the oldest ids beyond the bound."""
        db.execute("delete from known where position <= (select max(position) from known) - ?", (MAX_KNOWN,))

    def left_out(self, db: sqlite3.Connection) -> dict[str, int]:
        """What had to be left out and was not said yet, by worker, once half of the room is free again."""
        if self.bytes > self._max_bytes // 2:
            return {}
        return {row["worker_id"]: row["events"] for row in db.execute("select * from left_out")}

    def said_left_out(self, db: sqlite3.Connection, worker_id: str, events: int) -> None:
        """So many of them are said now, in the transaction that puts the event which says so."""
        db.execute("update left_out set events = events - ? where worker_id = ?", (events, worker_id))
        db.execute("delete from left_out where worker_id = ? and events <= 0", (worker_id,))

    def _put_one(self, db: sqlite3.Connection, worker_id: str, event: Event, *, parked: bool) -> int:
        if self.bytes >= self._max_bytes and not self._make_room(db, event):
            _leave_out(db, worker_id)
            return 0
        new = db.execute(
            "insert into known (identity) values (?) on conflict do nothing", (_identity(worker_id, event.event_id),)
        ).rowcount
        if not new:
            return 0
        db.execute(
            "insert into outbox (worker_id, event_id, event_type, method, payload, preview, late, parked)"
            " values (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(worker_id, event.event_id, event.event_type, event.method),
                *(event.payload, event.preview, parked, parked),
            ),
        )
        self.bytes += len(event.payload) + artifacts.put(db, worker_id, event.artifacts)
        return 1

    def _make_room(self, db: sqlite3.Connection, event: Event) -> bool:
        """Whether `event` may be stored although the file is full: previews make way for everything else."""
        if event.preview:
            return False
        dropped = db.execute(
            "delete from outbox where preview and producer_seq is null returning worker_id, length(payload) as size"
        ).fetchall()
        for row in dropped:
            self.bytes -= row["size"]
            _leave_out(db, row["worker_id"])
        # What has no copy in Codex's history gets a tenth more; an item is read from there when there is room again.
        hard = self._max_bytes + (0 if event.item_id else self._max_bytes // 10)
        return self.bytes < hard

    def _number(self, db: sqlite3.Connection, worker_id: str, row: sqlite3.Row) -> int:
        if row["producer_seq"] is not None:
            return row["producer_seq"]
        number = db.execute(
            "update thread set producer_seq = producer_seq + 1 where worker_id = ? returning producer_seq", (worker_id,)
        ).fetchone()[0]
        db.execute("update outbox set producer_seq = ? where position = ?", (number, row["position"]))
        return number

    def _forget_numbers(self, db: sqlite3.Connection, worker_id: str) -> None:
        """Numbers of what the ledger refused are given out again, so that no gap is left."""
        first = db.execute(
            "select min(producer_seq) from outbox where worker_id = ? and producer_seq is not null", (worker_id,)
        ).fetchone()[0]
        if first is not None:
            self.renumber(db, worker_id, first)


def _waiting(row: sqlite3.Row, number: int) -> Waiting:
    return Waiting(
        row["position"], row["event_id"], row["event_type"], row["method"], row["payload"], number, bool(row["late"])
    )


def _leave_out(db: sqlite3.Connection, worker_id: str) -> None:
    db.execute(
        "insert into left_out values (?, 1) on conflict (worker_id) do update set events = events + 1", (worker_id,)
    )


_WORKER_BYTES, _EVENT_BYTES = 8, 12


def _of_worker(worker_id: str) -> bytes:
    return hashlib.blake2b(worker_id.encode(), digest_size=_WORKER_BYTES).digest()


def _identity(worker_id: str, event_id: str) -> bytes:
    return _of_worker(worker_id) + hashlib.blake2b(event_id.encode(), digest_size=_EVENT_BYTES).digest()

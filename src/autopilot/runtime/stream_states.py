"""What a principal's one stream says: workers, machines, approvals, receipts; all of it first, then what has changed.

What was told of others' workers and machines and may be read no more is told as gone.

Owns the comparison with what was sent before; what only grows older is no change. A receipt that was told as open is
told again when it ends, whatever was heard or missed in between. Relies on the rooms' own queries and bodies. Every
state is read from the database at the moment it is sent.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterable, Sequence
from typing import Any

import asyncpg
import msgspec

from autopilot.contract.port import Claims
from autopilot.db.queries import load
from autopilot.runtime import permissions, receipts, snapshots
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.machines import Machines
from autopilot.runtime.permissions import Belonging
from autopilot.runtime.stream_approvals import ApprovalStates

SQL = load("autopilot.runtime", "states")

MAX_WORKERS = 1000
"""Workers whose state is sent at first, newest activity first; older ones appear when they become active."""
MAX_RECEIPTS = 500
"""Receipts a look reads: the newest of the open ones, and the last of those that ended."""
MAX_RECEIPT_BYTES = 8 * 1024 * 1024
"""About what a look reads of receipts that have ended: an answer may have a megabyte."""
ENDED_SECONDS = 600.0
"""How far back the first look tells of receipts that have ended: to a reader who was away for less, all of them."""
OVERLAP_SECONDS = 30.0
"""How far later looks reach back beyond the last: a transaction may commit this long after it took the time."""
MAX_REMEMBERED = 4 * (MAX_WORKERS + MAX_RECEIPTS)
"""What was told longest ago is forgotten beyond this; it may be told once more."""

AGEING = ("heartbeat_age_ms", "last_heartbeat_at", "updated_at", "health", "backend", "machine", "lease")
"""Parts of a summary that hold ages and times; of these only what they amount to is compared."""

State = tuple[str, bytes]
"""Kind (`worker`, `machine`, `approval`, `receipt`, `gone`) and JSON."""


Identity = tuple[str, str, str]
"""A receipt's: target kind, target id, request id."""


class States:
    """What one stream has told so far, and what it has to tell now."""

    def __init__(self, pool: asyncpg.Pool, machines: Machines, claims: Claims, hearing: Hearing) -> None:
        self.machine_ids: list[str] = []
        """The principal's machines, as of the last look."""
        self.complete = True
        """Whether the last look at everything came to the end of it: what it did not name is not open."""
        self.lost: set[int] = set()
        """worker_nos that may be read no more."""
        self._lent: dict[str, int] = {}
        """Workers of others that were told, or are followed: they may be gone one day."""
        self._lent_machines: set[str] = set()
        self._pool = pool
        self._machines = machines
        self._claims = claims
        self._reach = permissions.reach_of(claims)
        self._approvals = ApprovalStates(pool, claims, hearing)
        self._hearing = hearing
        self._sent: dict[tuple[str, object], object] = {}
        self._open: dict[Identity, None] = {}
        self._looked: float | None = None

    async def all(self) -> list[State]:
        """Everything that is, or that has changed since it was last told."""
        began, seconds = time.monotonic(), self._ended_within()
        machines = await self._others()
        rows = await self._pool.fetch(SQL.workers_of, *self._owner, MAX_WORKERS, self._reach)
        ended = await self._pool.fetch(
            SQL.ended_receipts, *self._owner, seconds, MAX_RECEIPTS, self._reach, MAX_RECEIPT_BYTES
        )
        shown = {row["worker_no"] for row in rows}
        gone = await self._gone([number for number in self._lent.values() if number not in shown])
        approvals = await self._asked(seconds)
        receipts_told, open_count = await self._requests(ended)
        self.complete = len(rows) < MAX_WORKERS and open_count < MAX_RECEIPTS and self._approvals.complete
        self._looked = began
        return [*machines, *gone, *self._workers(rows), *approvals, *receipts_told]

    def lend(self, worker: Worker) -> None:
        """Keep an eye on a worker that is followed: where it is somebody else's, it may be gone one day."""
        if not permissions.owns(self._claims, worker):
            self._lent[worker.worker_id] = worker.worker_no

    async def changed(self, worker_nos: Sequence[int]) -> list[State]:
        """What has changed of these workers, and of machines, approvals and receipts."""
        machines = await self._others()
        rows = await self._pool.fetch(SQL.workers, list(worker_nos), *self._owner, self._reach) if worker_nos else []
        names = [row["worker_id"] for row in rows]
        shown = {row["worker_no"] for row in rows}
        gone = self._say_gone({number for number in worker_nos if number not in shown})
        seconds = self._ended_within()
        ended = await self._pool.fetch(
            SQL.ended_receipts_of, names, *self._owner, seconds, MAX_RECEIPTS, self._reach, MAX_RECEIPT_BYTES
        )
        receipts_told, _ = await self._requests(ended)
        return [*machines, *gone, *self._workers(rows), *await self._asked(seconds), *receipts_told]

    @property
    def _owner(self) -> tuple[int | None, str | None]:
        return self._claims.user_id, self._claims.guest_scope

    def _ended_within(self) -> float:
        """Seconds back to the last look at everything, and a little more."""
        return ENDED_SECONDS if self._looked is None else time.monotonic() - self._looked + OVERLAP_SECONDS

    async def _others(self) -> list[State]:
        made = []
        machines = await self._machines.of(self._claims)
        self.machine_ids = [machine.machine_id for machine in machines]
        for machine_id in self._lent_machines.difference(self.machine_ids):
            self._sent.pop(("machine", machine_id), None)
            made.append(("gone", msgspec.json.encode({"kind": "machine", "id": machine_id})))
        self._lent_machines = {one.machine_id for one in machines if not permissions.owns(self._claims, one)}
        for machine in machines:
            body = machine.body(self._claims)
            if self._is_news("machine", machine.machine_id, body):
                made.append(("machine", msgspec.json.encode(body)))
        return made

    async def _asked(self, ended_within_seconds: float) -> list[State]:
        return [("approval", body) for body in await self._approvals.news(ended_within_seconds)]

    def _workers(self, rows: Iterable[asyncpg.Record]) -> Iterable[State]:
        for row in rows:
            belonging = Belonging.of(row)
            role = permissions.role_of(self._claims, belonging)
            if not permissions.owns(self._claims, belonging):
                self._lent.pop(row["worker_id"], None)
                self._lent[row["worker_id"]] = row["worker_no"]
                if len(self._lent) > MAX_REMEMBERED:
                    del self._lent[next(iter(self._lent))]
            self.lost.discard(row["worker_no"])
            body = snapshots.summary(row, role=role, hearing=self._hearing)
            if self._is_news("worker", row["worker_id"], _essence(body)):
                yield "worker", msgspec.json.encode(body)

    async def _gone(self, worker_nos: Sequence[int]) -> list[State]:
        """Those of these, told before, that may be read no more."""
        if not worker_nos:
            return []
        left = await self._pool.fetch(SQL.left, list(worker_nos), *self._owner, self._reach)
        return self._say_gone(set(worker_nos) - {row["worker_no"] for row in left})

    def _say_gone(self, worker_nos: Container[int]) -> list[State]:
        made = []
        for worker_id, number in [item for item in self._lent.items() if item[1] in worker_nos]:
            del self._lent[worker_id]
            self._sent.pop(("worker", worker_id), None)
            self.lost.add(number)
            made.append(("gone", msgspec.json.encode({"kind": "worker", "id": worker_id})))
        return made

    async def _requests(self, ended: list[asyncpg.Record]) -> tuple[list[State], int]:
        """Receipts to tell: what ended, oldest first, what is open, and what was told as open and is not among it."""
        rows = await self._pool.fetch(SQL.open_receipts, *self._owner, MAX_RECEIPTS, self._reach)
        told = [*self._receipts(reversed(ended)), *self._receipts(reversed(rows))]
        present = {_identity(row) for row in rows}
        if missing := [identity for identity in self._open if identity not in present]:
            columns = map(list, zip(*missing, strict=True))
            found = await self._pool.fetch(SQL.receipts, *columns, *self._owner, self._reach)
            told += self._receipts(found)
            for identity in set(missing).difference(map(_identity, found)):
                self._open.pop(identity, None)  # it may be read no more
        return told, len(rows)

    def _receipts(self, rows: Iterable[asyncpg.Record]) -> list[State]:
        made = []
        for row in rows:
            identity = _identity(row)
            self._open.pop(identity, None)
            if row["ended_at"] is None:
                self._open[identity] = None
                if len(self._open) > MAX_REMEMBERED:
                    del self._open[next(iter(self._open))]
            if self._is_news("receipt", identity, row["state"]):
                made.append(("receipt", msgspec.json.encode(receipts.body(row))))
        return made

    def _is_news(self, kind: str, name: object, said: object) -> bool:
        if self._sent.get((kind, name)) == said:
            return False
        self._sent.pop((kind, name), None)
        self._sent[kind, name] = said
        if len(self._sent) > MAX_REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return True


def _identity(row: asyncpg.Record) -> Identity:
    return row["target_kind"], row["target_id"], row["request_id"]


def _essence(body: dict[str, Any]) -> object:
    """A summary without what only grows older."""
    kept = {name: value for name, value in body.items() if name not in AGEING}
    kept["metadata"] = bytes(body["metadata"])
    kept["health"] = [fact["state"] for name, fact in body["health"].items() if name != "data"]
    kept["codex"] = body["health"]["codex"]["detail"]
    kept["machine"] = None if body["machine"] is None else (body["machine"]["machine_id"], body["machine"]["name"])
    kept["lease"] = [body["lease"][name] for name in ("machine_id", "generation", "state")]
    kept["backend"] = None if body["backend"] is None else body["backend"]["state"]
    return kept

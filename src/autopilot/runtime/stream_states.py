"""What a principal's one stream says of workers, machines and receipts: all of it first, then what has changed.

Owns the comparison with what was sent before; what only grows older is no change. Relies on the rooms' own queries and
bodies. Every state is read from the database at the moment it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
import msgspec

from autopilot.contract.port import Claims
from autopilot.db.queries import load
from autopilot.runtime import receipts, snapshots
from autopilot.runtime.machines import Machines
from autopilot.runtime.settings import RuntimeSettings

SQL = load("autopilot.runtime", "states")

MAX_WORKERS = 1000
"""Workers whose state is sent at first, newest activity first; older ones appear when they become active."""
MAX_RECEIPTS = 500
MAX_REMEMBERED = 4 * (MAX_WORKERS + MAX_RECEIPTS)
"""What was told longest ago is forgotten beyond this; it may be told once more."""

AGEING = ("heartbeat_age_ms", "last_heartbeat_at", "updated_at", "health", "backend", "machine", "lease")
"""Parts of a summary that hold ages and times; of these only what they amount to is compared."""

State = tuple[str, bytes]
"""Kind (`worker`, `machine`, `receipt`) and JSON."""


class States:
    """What one stream has told so far, and what it has to tell now."""

    def __init__(self, pool: asyncpg.Pool, machines: Machines, claims: Claims, settings: RuntimeSettings) -> None:
        self._pool = pool
        self._machines = machines
        self._claims = claims
        self._stale_after_ms = settings.choices.heartbeat_stale_after_ms
        self._sent: dict[tuple[str, str], object] = {}

    async def machine_ids(self) -> list[str]:
        """The principal's machines."""
        return [machine.machine_id for machine in await self._machines.of(self._claims)]

    async def all(self) -> list[State]:
        """Everything that is, or that has changed since it was last told."""
        rows = await self._pool.fetch(SQL.workers_of, *self._owner, MAX_WORKERS)
        return [*await self._others(), *self._workers(rows), *await self._open_receipts()]

    async def changed(self, worker_nos: Sequence[int]) -> list[State]:
        """What has changed of these workers, and of machines and receipts."""
        rows = await self._pool.fetch(SQL.workers, list(worker_nos), *self._owner) if worker_nos else []
        names = [row["worker_id"] for row in rows]
        recent = await self._pool.fetch(SQL.recent_receipts, names, *self._owner, MAX_RECEIPTS)
        return [*await self._others(), *self._workers(rows), *self._receipts(recent), *await self._open_receipts()]

    @property
    def _owner(self) -> tuple[int | None, str | None]:
        return self._claims.user_id, self._claims.guest_scope

    async def _others(self) -> Iterable[State]:
        made = []
        for machine in await self._machines.of(self._claims):
            body = machine.body()
            if self._is_news("machine", machine.machine_id, body):
                made.append(("machine", msgspec.json.encode(body)))
        return made

    def _workers(self, rows: Iterable[asyncpg.Record]) -> Iterable[State]:
        for row in rows:
            body = snapshots.summary(row, role="owner", stale_after_ms=self._stale_after_ms)
            if self._is_news("worker", row["worker_id"], _essence(body)):
                yield "worker", msgspec.json.encode(body)

    async def _open_receipts(self) -> Iterable[State]:
        return self._receipts(await self._pool.fetch(SQL.open_receipts, *self._owner, MAX_RECEIPTS))

    def _receipts(self, rows: Iterable[asyncpg.Record]) -> Iterable[State]:
        for row in rows:
            name = " ".join((row["target_kind"], row["target_id"], row["request_id"]))
            if self._is_news("receipt", name, row["state"]):
                yield "receipt", msgspec.json.encode(receipts.body(row))

    def _is_news(self, kind: str, name: str, said: object) -> bool:
        if self._sent.get((kind, name)) == said:
            return False
        self._sent.pop((kind, name), None)
        self._sent[kind, name] = said
        if len(self._sent) > MAX_REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return True


def _essence(body: dict[str, Any]) -> object:
    """A summary without what only grows older."""
    kept = {name: value for name, value in body.items() if name not in AGEING}
    kept["metadata"] = bytes(body["metadata"])
    kept["health"] = [fact["state"] for name, fact in body["health"].items() if name != "data"]
    kept["lease"] = [body["lease"][name] for name in ("machine_id", "generation", "state")]
    kept["backend"] = None if body["backend"] is None else body["backend"]["state"]
    return kept

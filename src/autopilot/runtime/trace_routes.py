"""The route of traces: every hop of a request that its principal may read, from wherever it is kept.

A name leads to receipts, decisions and lines of the audit by indexes; from there on a bounded part of a worker's log is
looked through. A call that only appended an event is in no index: the newest events of the logs that grew last are
looked through for it, or more of the log that is named. Logs of processes are not seen from here. Only reads.
Source: docs/protocol.md, "Trace".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from autopilot.contract.errors import NotFound, Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.db.queries import load
from autopilot.runtime import permissions
from autopilot.runtime.requests_bodies import identifier
from autopilot.runtime.router import Match, Route, data_response, query_of
from autopilot.runtime.trace_hops import Hop, of_approval, of_event, of_line, of_receipt

SQL = load("autopilot.runtime", "trace")

MAX_NAME = 200
MOST_FOUND = 20
"""Receipts, and approvals, of one name."""
MOST_HOPS = 500
LOOKED_AT = 10_000
"""Events of one log, after a request's place or back from the end of the one that is named."""
RECENT_WORKERS = 50
NEWEST = 200
"""Events of each of these that are looked at."""


class TraceRoutes:
    """What people call."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [Route("GET", "/trace/{request_id}", self.show)]

    async def show(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and the hops, in the order of time.

        Raises:
            NotFound: nothing that the principal may read has this name.
        """
        permissions.require_scope(request.claims, "observe")
        name, worker_id = match["request_id"], query_of(request).get("worker_id")
        if not name or len(name) > MAX_NAME or "\x00" in name:
            raise Unprocessable("this is no id", reason_code="invalid_value", field="requestId")
        if worker_id is not None:
            identifier(worker_id, "worker_id")
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            trace = _Trace(conn, request.claims, {name: None})
            await trace.look(worker_id)
        if not trace.hops:
            raise NotFound("nothing that you may see has this name", reason_code="no_such_request")
        return data_response(200, trace.body())


@dataclass(slots=True)
class _Trace:
    """What is known so far."""

    conn: Any
    claims: Claims
    names: dict[str, None]
    """In the order in which they became known."""
    hops: list[Hop] = field(default_factory=list)
    cut_off: bool = False

    async def look(self, worker_id: str | None) -> None:
        """Follow the name to its receipts and decisions; where there are none, to the logs."""
        receipts = await self._receipts()
        approvals = await self._found(SQL.approvals)
        if not receipts and (worker_id is not None or not approvals) and await self._newest(worker_id):
            receipts = await self._receipts()
        self.hops += [hop for row in receipts for hop in of_receipt(row)]
        self.hops += [of_approval(row) for row in approvals]
        await self._lines()
        for row in receipts:
            if row["worker_no"] is not None and row["accepted_seq"] is not None:
                await self._events(row["worker_no"], row["target_id"], row["accepted_seq"], LOOKED_AT)
        for row in approvals:
            self.names.setdefault(row["approval_id"])
            await self._events(row["worker_no"], row["worker_id"], row["decided_seq"], LOOKED_AT)

    def body(self) -> dict[str, Any]:
        """As the contract shows it."""
        once = {repr(hop.body): hop for hop in self.hops}
        ordered = sorted(once.values(), key=lambda hop: hop[:2])
        self.cut_off = self.cut_off or len(ordered) > MOST_HOPS
        return {"ids": list(self.names), "hops": [hop.body for hop in ordered[:MOST_HOPS]], "cut_off": self.cut_off}

    async def _receipts(self) -> list[asyncpg.Record]:
        rows = await self._found(SQL.receipts)
        for row in rows:
            self.names.setdefault(row["request_id"])
            if row["x_request_id"] is not None:
                self.names.setdefault(row["x_request_id"])
        return rows

    async def _found(self, query: str) -> list[asyncpg.Record]:
        rows = await self.conn.fetch(query, list(self.names), *self._reach(), MOST_FOUND + 1)
        self.cut_off = self.cut_off or len(rows) > MOST_FOUND
        return rows[:MOST_FOUND]

    async def _lines(self) -> None:
        sees_all = "admin" in self.claims.scopes and self.claims.step_up
        whose = (None, None) if sees_all else (self.claims.user_id, self.claims.guest_scope)
        rows = await self.conn.fetch(SQL.lines, list(self.names), *whose, MOST_HOPS)
        self.hops += [of_line(row) for row in rows]

    async def _newest(self, worker_id: str | None) -> bool:
        """Look through the ends of logs; whether a request's name was found there."""
        known = len(self.names)
        deep = NEWEST if worker_id is None else LOOKED_AT
        for row in await self.conn.fetch(SQL.recent, *self._reach(), worker_id, RECENT_WORKERS):
            first = max(1, row["latest_seq"] - deep + 1)
            await self._events(row["worker_no"], row["worker_id"], first, deep)
        return len(self.names) > known

    async def _events(self, worker_no: int, worker_id: str, first: int, count: int) -> None:
        quoted = [f'"{name}"' for name in self.names]
        rows = await self.conn.fetch(SQL.events, worker_no, first, first + count - 1, quoted, MOST_HOPS)
        self.cut_off = self.cut_off or len(rows) == MOST_HOPS
        found = [hop for row in rows if (hop := of_event(worker_id, row, self.names)) is not None]
        self.hops += found
        for hop in found:
            if "request_id" in hop.body:
                self.names.setdefault(hop.body["request_id"])

    def _reach(self) -> tuple[int | None, str | None, Sequence[str]]:
        return self.claims.user_id, self.claims.guest_scope, permissions.teams_of(self.claims)

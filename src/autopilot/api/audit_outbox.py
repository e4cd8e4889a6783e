"""Hands the audit to the runtime, whose log of it is sealed with all others. At least once, in order of writing.

A line that the runtime refuses is handed over again later; those after it don't wait.
Owns the rows of `api.untold_audit`, which the database adds with each line of the audit: one is deleted after the
runtime's answer, not before. So a runtime that is away, or an API that dies in between, makes it later, never
forgotten; the runtime knows a line again by its `audit_id`. Source: docs/runtime-contract.md, "Audit".
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import asyncpg

from autopilot.api import untold
from autopilot.api.audit import SQL
from autopilot.api.untold import Outcome, Setbacks
from autopilot.contract.instants import instant
from autopilot.contract.port import Claims, RuntimePort, RuntimeRequest
from autopilot.ops.clock import Clock

INTERVAL_SECONDS = 2.0
AT_ONCE = 200
THE_API = Claims(guest_scope="audit", surface="runtime")
"""In whose name lines are handed over; no client can have these claims, nor reach the path."""
FIELDS = (
    "audit_id", "action", "outcome", "user_id", "guest_scope", "device_id", "session_id", "machine_id", "surface",
    "address", "x_request_id", "subject",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuditOutbox:
    """Keep `run` running."""

    pool: asyncpg.Pool
    port: RuntimePort
    clock: Clock
    setbacks: Setbacks

    async def run(self) -> None:
        """Tell what is untold, every two seconds, until cancelled; also what another process left."""
        while True:
            while await self.tell() == AT_ONCE:
                pass
            await self.clock.sleep(INTERVAL_SECONDS)

    async def tell(self) -> int:
        """Tell the oldest of what the runtime does not know; of how many lines it is known what becomes of them."""
        rows = await self.pool.fetch(SQL.untold, AT_ONCE, self.setbacks.left_out())
        return await self._tell(rows) if rows else 0

    async def _tell(self, rows: list[Any]) -> int:
        """Tell these at once; where they are refused, their halves, down to the one line that is at fault."""
        outcome = await self._ask(rows)
        numbers = [row["audit_no"] for row in rows]
        if outcome == "taken":
            await self.pool.execute(SQL.told, numbers)
            self.setbacks.taken(numbers)
            return len(rows)
        if outcome == "away":
            return 0
        if len(rows) == 1:
            self.setbacks.refused(numbers[0])
            return 1
        half = len(rows) // 2
        told = await self._tell(rows[:half])
        return told + await self._tell(rows[half:]) if told == half else told

    async def _ask(self, rows: list[Any]) -> Outcome:
        request = RuntimeRequest(
            claims=THE_API,
            method="POST",
            path="/audit/records",
            headers={"x-request-id": uuid.uuid4().hex},
            body=json.dumps({"records": [_body(row) for row in rows]}).encode(),
        )
        return await untold.ask(self.port, request, "audit", lines=len(rows))


def _body(row: Any) -> dict[str, Any]:
    at = instant(row["at"])
    return {**{name: row[name] for name in FIELDS}, "at": at, "detail": json.loads(row["detail"])}

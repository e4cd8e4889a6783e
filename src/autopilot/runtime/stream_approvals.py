"""What a principal's one stream says of approvals: the open ones at first, then every change, ends included.

Owns the comparison with what was told before; an approval that was told as open is told again when it ends, whatever
was heard or missed in between. Every state is read from the database at the moment it is told.
"""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg
import msgspec

from autopilot.contract.port import Claims
from autopilot.runtime import permissions
from autopilot.runtime.approvals_body import approval_body, is_reachable, role_of
from autopilot.runtime.approvals_rows import SQL
from autopilot.runtime.hearing import Hearing

MAX_APPROVALS = 500
"""What a look reads: the oldest of the open ones, and the last of those that ended."""
MAX_BYTES = 8 * 1024 * 1024
"""About what a look reads of the open ones, and of those that ended."""
MAX_REMEMBERED = 4 * MAX_APPROVALS
"""What was told longest ago is forgotten beyond this; it may be told once more."""

Said = tuple[str, bool | None, str | None]
"""State, whether the machine is heard, and the reader's role."""


class ApprovalStates:
    """What one stream has told of approvals so far, and what it has to tell now."""

    def __init__(self, pool: asyncpg.Pool, claims: Claims, hearing: Hearing) -> None:
        self.complete = True
        """Whether the last look came to the end of what is open."""
        self._pool = pool
        self._claims = claims
        self._owner = (claims.user_id, claims.guest_scope)
        self._reach = permissions.reach_of(claims)
        self._hearing = hearing
        self._told: dict[str, Said] = {}
        self._open: dict[str, None] = {}

    async def news(self, ended_within_seconds: float) -> list[bytes]:
        """Bodies to tell: what ended, oldest first, what is open, and what was told as open and is not among it."""
        rows = await self._pool.fetch(
            SQL.told_of, *self._owner, ended_within_seconds, MAX_APPROVALS, MAX_BYTES, self._reach
        )
        open_rows = [row for row in rows if row["ended_at"] is None]
        self.complete = not open_rows or open_rows[0]["found"] == len(open_rows) < MAX_APPROVALS
        told = list(self._new(rows))
        present = {row["approval_id"] for row in open_rows}
        if missing := [approval_id for approval_id in self._open if approval_id not in present]:
            found = await self._pool.fetch(SQL.approvals, missing)
            mine = [row for row in found if role_of(row, self._claims) is not None]
            told += self._new(mine)
            for approval_id in set(missing).difference(row["approval_id"] for row in mine):
                self._open.pop(approval_id, None)  # it may be read no more
        return told

    def _new(self, rows: Iterable[asyncpg.Record]) -> Iterable[bytes]:
        for row in rows:
            approval_id = row["approval_id"]
            self._open.pop(approval_id, None)
            if row["ended_at"] is None:
                self._open[approval_id] = None
            is_heard = None if row["ended_at"] else is_reachable(row, self._hearing)
            said = (row["state"], is_heard, role_of(row, self._claims))
            if self._told.get(approval_id) != said:
                self._told.pop(approval_id, None)
                self._told[approval_id] = said
                if len(self._told) > MAX_REMEMBERED:
                    forgotten = next(iter(self._told))
                    del self._told[forgotten]
                    self._open.pop(forgotten, None)
                yield msgspec.json.encode(approval_body(row, claims=self._claims, hearing=self._hearing))

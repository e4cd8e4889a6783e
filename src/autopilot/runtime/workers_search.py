"""What a list of workers is asked for, and the rows that answer it.

Status, workspace, machine and kind of place are columns. Words and activity are in the facts, which are text that no
operator of Postgres for JSON is safe with (an escaped NUL): rows are looked through from the newest on, so many at a
time, and what was not reached is the next page's. Relies on `visible` in SQL for whose workers there are.
Source: docs/protocol.md, "Workers".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import Activity, BackendKind, WorkerStatus, worker_search
from autopilot.contract.errors import Unprocessable
from autopilot.contract.port import Claims
from autopilot.db.queries import load
from autopilot.runtime import permissions
from autopilot.runtime.snapshots import DESKTOP

SQL = load("autopilot.runtime", "workers")

MAX_REF = 255
MAX_MACHINE_ID = 200
LOOKED_AT_ONCE = 500
MOST_LOOKED_AT = 10 * LOOKED_AT_ONCE
"""Workers that a search looks at before it says how far it came."""
UNKNOWN = "unknown"
"""The activity of a worker whose log says nothing of it."""
_SETS: dict[str, frozenset[str]] = {
    "status": frozenset(WorkerStatus),
    "backend": frozenset(BackendKind),
    "activity": frozenset(Activity),
}
_LONGEST = {"workspace_ref": (0, MAX_REF), "machine_id": (1, MAX_MACHINE_ID), "q": (1, worker_search.MOST_CHARACTERS)}

Row = asyncpg.Record
Place = tuple[datetime, int] | tuple[None, None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which workers."""

    status: str | None = None
    workspace_ref: str | None = None
    machine_id: str | None = None
    backend: str | None = None
    activity: str | None = None
    words: tuple[str, ...] = ()

    @property
    def is_looked_for(self) -> bool:
        """Whether the facts of each worker have to be read."""
        return bool(self.words) or self.activity is not None

    def fits(self, row: Row) -> bool:
        """Whether its facts are what is wanted."""
        facts = msgspec.json.decode(row["facts"])
        if self.activity is not None and facts.get("activity", {}).get("value", UNKNOWN) != self.activity:
            return False
        if not self.words:
            return True
        told = (facts.get(name, {}).get("value") for name in worker_search.FACTS)
        text = worker_search.searched(*told, row["workspace_ref"], row["worker_id"])
        return all(word in text for word in self.words)


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """What the query asks for.

    Raises:
        Unprocessable: a value is out of its set or length.
    """
    for name, known in _SETS.items():
        if name in query and query[name] not in known:
            raise Unprocessable(f"{name} is none of the known", reason_code="invalid_value", field=name)
    for name, (shortest, longest) in _LONGEST.items():
        text = query.get(name)
        if text is not None and ("\0" in text or not shortest <= len(text) <= longest):
            words = f"{name} must be {shortest} to {longest} characters, none of them NUL"
            raise Unprocessable(words, reason_code="invalid_value", field=name)
    columns = {name: query.get(name) for name in ("status", "workspace_ref", "machine_id", "backend", "activity")}
    return Wanted(**columns, words=worker_search.words_of(query.get("q", "")))


@dataclass(frozen=True, slots=True)
class Page:
    """Some of them, newest activity first."""

    rows: Sequence[Row]
    """Of `worker_view`, with `read_at`."""
    last: Row | None
    """Where the next page goes on after; None: there is none."""


@dataclass(frozen=True, slots=True)
class Searched:
    """The workers of one principal that are wanted."""

    claims: Claims
    wanted: Wanted

    async def page(self, conn: Any, place: Place, limit: int) -> Page:
        """Up to so many after this place. It may be fewer, even none, while there is a next."""
        if self.wanted.backend not in (None, DESKTOP):
            return Page([], None)  # no place of another kind has ever been made
        if not self.wanted.is_looked_for:
            rows = await self._rows(conn, SQL.page, place, limit + 1)
            return Page(rows[:limit], rows[limit - 1] if len(rows) > limit else None)
        found, last = await self._found(conn, place, limit)
        whole = await conn.fetch(SQL.those, [row["worker_no"] for row in found])
        by_number = {row["worker_no"]: row for row in whole}
        return Page([by_number[row["worker_no"]] for row in found], last)

    async def _found(self, conn: Any, place: Place, limit: int) -> tuple[list[Row], Row | None]:
        found: list[Row] = []
        last: Row | None = None
        for _ in range(MOST_LOOKED_AT // LOOKED_AT_ONCE):
            rows = await self._rows(conn, SQL.look, place, LOOKED_AT_ONCE)
            for row in rows:
                if not self.wanted.fits(row):
                    continue
                if len(found) == limit:
                    return found, found[-1]
                found.append(row)
            if len(rows) < LOOKED_AT_ONCE:
                return found, None
            last = rows[-1]
            place = (last["updated_at"], last["worker_no"])
        return found, last

    async def _rows(self, conn: Any, query: str, place: Place, most: int) -> list[Row]:
        claims, wanted = self.claims, self.wanted
        return await conn.fetch(
            query,
            claims.user_id,
            claims.guest_scope,
            wanted.status,
            wanted.workspace_ref,
            permissions.only_machine(claims),
            *place,
            most,
            permissions.reach_of(claims),
            wanted.machine_id,
            wanted.backend is not None,
        )

"""Spend, counted in the transaction that appends a report of usage, under its worker's lock.

Owns the tables `spend_thread` and `spend_day`. Both follow from the log alone, by spend_counts.py: whoever reads a
whole log from its beginning finds the same numbers (spend_rebuild.py). Source: docs/protocol.md, "Spend".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from autopilot.db import queries
from autopilot.runtime import spend_counts
from autopilot.runtime.ledger_rows import Row
from autopilot.runtime.permissions import EVENT
from autopilot.runtime.spend_counts import METHODS, Counts, Place, Told

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

SQL = queries.load("autopilot.runtime", "spend")

Thread = tuple[int, str]
"""worker_no and thread_id."""
Day = tuple[int, date, str, str, str, str]
"""worker_no, day, thread_id, model, machine_id, team_id: the key of `spend_day`."""


@dataclass(slots=True)
class Tally:
    """Where threads stand, and what was used on each day, as events are counted one after the other."""

    places: dict[Thread, Place] = field(default_factory=dict)
    days: dict[Day, Counts] = field(default_factory=dict)
    moved: set[Thread] = field(default_factory=set)
    """Those whose place is another than it was."""

    def count(self, worker_no: int, told: Told) -> None:
        """Count one event; in the order of the log."""
        thread = (worker_no, told.thread_id)
        before = self.places.get(thread)
        after, new = spend_counts.step(before, told)
        if after is not None and after is not before:
            self.places[thread] = after
            self.moved.add(thread)
        if new is not None:
            model = spend_counts.word(told.model)
            on = told.at.astimezone(UTC).date()
            day: Day = (worker_no, on, told.thread_id, model, told.machine_id, told.team_id)
            self.days[day] = self.days.get(day, Counts()).plus(new)

    async def save(self, conn: Any) -> None:
        """Store what moved, and add what was used."""
        if self.moved:
            moved = sorted(self.moved)
            places = [self.places[thread] for thread in moved]
            await conn.execute(
                SQL.save_places,
                [worker_no for worker_no, _ in moved],
                [thread_id for _, thread_id in moved],
                [place.seq for place in places],
                [place.turn_id for place in places],
                [place.said_at for place in places],
                *_columns([place.totals for place in places]),
            )
        if self.days:
            days = sorted(self.days)
            keys = [list(column) for column in zip(*days, strict=True)]
            await conn.execute(SQL.add, *keys, *_columns([self.days[day] for day in days]))


async def after(tx: LedgerTx, rows: Sequence[Row]) -> set[int]:
    """Count what these rows report; the workers (worker_no) for whom anything was counted."""
    telling = [row for row in rows if may_tell(row.draft.event_type, row.draft.method) and _is_report(row)]
    if not telling:
        return set()
    told = [(row.worker.worker_no, told_by(row)) for row in telling]
    threads = sorted({(worker_no, one.thread_id) for worker_no, one in told})
    tally = Tally(await places(tx.conn, threads))
    for worker_no, one in told:
        tally.count(worker_no, one)
    await tally.save(tx.conn)
    return {day[0] for day in tally.days}


def may_tell(event_type: str, method: str | None) -> bool:
    """Whether an event has to be looked at here; known without its payload."""
    return event_type == EVENT and method in METHODS


async def places(conn: Any, threads: Sequence[Thread]) -> dict[Thread, Place]:
    """Where these threads stand; those that nothing was heard of are absent."""
    columns = [list(column) for column in zip(*threads, strict=True)]
    return places_of(await conn.fetch(SQL.places, *columns))


def places_of(records: Iterable[asyncpg.Record]) -> dict[Thread, Place]:
    """Rows of `spend_thread`."""
    return {
        (record["worker_no"], record["thread_id"]): Place(
            record["seq"],
            record["turn_id"],
            record["said_at"],
            None if record["total_tokens"] is None else counts_of(record),
        )
        for record in records
    }


def counts_of(record: asyncpg.Record) -> Counts:
    """The counts of a row that has them."""
    return Counts(*(record[name] for name in Counts._fields))


def told_by(row: Row) -> Told:
    """A row of a transaction, as spend sees it."""
    actor = msgspec.json.decode(row.draft.actor)
    return Told(
        row.seq,
        row.worker.now,
        row.draft.value,
        actor.get("machine_id") or "",
        row.model,
        late=row.draft.late,
        team_id=row.worker.team_id or "",
    )


def _is_report(row: Row) -> bool:
    return row.draft.value.get("source") == spend_counts.SOURCE


def _columns(rows: Sequence[Counts | None]) -> list[list[int | None]]:
    found = [row or (None,) * len(Counts._fields) for row in rows]
    return [list(column) for column in zip(*found, strict=True)]

"""The common append: one statement, for workers that stand where this process left them.

Owns what is remembered of workers between commits. What decides about an append (owner, status, lease, facts) changes
only in transactions that raise the worker's head too: a head that has not moved proves the rest. (The time a lease runs
out moves by itself, but only away; a team does too, so that only owners' appends are decided here, and all is forgotten
when one moves, since a commit is told to whom its workers belong.) The statement checks the heads under their locks and
stores everything or nothing.
Whatever is refused, asks for more than rows, or finds a head or a counter moved goes the long way (ledger.py), which
reads under the locks: nothing is decided here that it would decide otherwise, and forgetting costs time only.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

import asyncpg

from autopilot.contract.errors import Problem
from autopilot.db.queries import load
from autopilot.runtime import append_plan, consequences, permissions
from autopilot.runtime.append_identity import AS_STORED, DIGEST_BYTES
from autopilot.runtime.append_plan import Producer, Reading
from autopilot.runtime.ledger_rows import Batch, Outcome, Span, Worker, spans_of

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

SQL = load("autopilot.runtime", "ledger")

MAX_WORKERS = 2000
"""Remembered at a time; the one not heard of for longest is forgotten first."""
_NO_DIGEST, _AS_STORED = bytes(DIGEST_BYTES), b"\xff" * DIGEST_BYTES
"""What stands among digests for a row that has none, or needs none."""
Pack = tuple[str, bytes | None, str, str]
"""event_ids, digests, frames and end_bytes, as the statement takes them apart again: the driver would look at each
element of seven arrays, which takes a quarter of the time that Postgres takes to store it."""
CLOCK_SECONDS = 5.0
"""For so long the database's time is told from one reading of it, so that a step of its clock shows."""


class DatabaseTime:
    """The database's time without asking it: never ahead of what it would say, behind by less than a round trip."""

    __slots__ = ("_monotonic", "_read_at")

    def __init__(self, read_at: datetime) -> None:
        """`read_at`: what the database has just said."""
        self._read_at = read_at
        self._monotonic = time.monotonic()

    def now(self) -> datetime | None:
        """None where the reading is too old to tell."""
        passed = time.monotonic() - self._monotonic
        return self._read_at + timedelta(seconds=passed) if passed < CLOCK_SECONDS else None


@dataclass(slots=True)
class _Remembered:
    worker: Worker
    producers: dict[Producer, int]


@dataclass(slots=True)
class _Plan:
    """What one statement is to do, and what it takes for granted."""

    workers: list[Worker]
    heads: list[int]
    """The workers' latest_seq before."""
    spans: list[Span]
    results: list[list[Outcome]]
    counted: dict[Producer, tuple[int, int]]
    """Each producer_seq that moves: from, to."""

    @property
    def rows(self) -> int:
        """How many are to be stored."""
        return sum(len(span.frames) for span in self.spans)

    def packs(self) -> list[Pack]:
        """The rows of each of `workers`, in order."""
        by_worker: dict[int, list[Span]] = {worker.worker_no: [] for worker in self.workers}
        for span in self.spans:
            by_worker[span.worker.worker_no].append(span)
        return [_pack(worker, by_worker[worker.worker_no]) for worker in self.workers]


class Standing:
    """What one committer remembers of the workers it appended to."""

    def __init__(self) -> None:
        self._workers: OrderedDict[str, _Remembered] = OrderedDict()
        self._time: DatabaseTime | None = None
        self.era = 0
        """Moves with each `forget`: what was read in an earlier one is not remembered."""

    def keep(self, tx: LedgerTx, era: int) -> None:
        """Remember the workers of a transaction that began in this era, and has committed."""
        self._time = tx.time or self._time
        if era != self.era:
            return
        producers: Mapping[Producer, int] = {} if tx.reading is None else tx.reading.producers
        for worker in tx.workers.values():
            if worker.is_open:
                self._keep(worker, producers)

    def forget(self) -> None:
        """Remember nothing: the database may not be where it was, or workers may not belong to whom they did."""
        self.era += 1
        self._workers.clear()

    async def append(self, tx: LedgerTx, batches: Sequence[Batch]) -> list[list[Outcome]] | None:
        """Append all batches in one statement, which is a transaction: `tx` has its rows then, as after any other.

        None where that can't be: nothing was done.
        """
        era, plan = self.era, self._plan(tx, batches)
        if plan is None or not await _commit(tx.conn, plan):
            return None
        tx.spans = plan.spans
        if era != self.era:
            return plan.results
        producers = {producer: moved for producer, (_, moved) in plan.counted.items()}
        for worker in plan.workers:
            self._keep(worker, producers)
        return plan.results

    def _keep(self, worker: Worker, producers: Mapping[Producer, int]) -> None:
        theirs = {producer: seq for producer, seq in producers.items() if producer[0] == worker.worker_no}
        self._workers[worker.worker_id] = _Remembered(worker, theirs)
        if len(self._workers) > MAX_WORKERS:
            self._workers.popitem(last=False)

    def _plan(self, tx: LedgerTx, batches: Sequence[Batch]) -> _Plan | None:
        """Decide from memory alone. The workers of `batches` are forgotten: whoever commits remembers them again."""
        worker_ids = dict.fromkeys(batch.worker_id for batch in batches)  # a worker may have several of them
        taken = {worker_id: self._workers.pop(worker_id, None) for worker_id in worker_ids}
        known = {worker_id: remembered for worker_id, remembered in taken.items() if remembered is not None}
        now = None if self._time is None else self._time.now()
        if len(known) < len(taken) or now is None:
            return None
        reading = Reading()
        for remembered in known.values():
            remembered.worker.stand_at(now)
            reading.producers |= remembered.producers
        before = dict(reading.producers)
        workers = [remembered.worker for remembered in known.values()]
        plan = _Plan(workers, [worker.latest_seq for worker in workers], [], [], {})
        for batch in batches:
            worker = known[batch.worker_id].worker
            if consequences.may_follow(worker, batch) or not permissions.owns(batch.claims, worker):
                return None
            try:
                _place(tx, worker, batch, plan, reading)
            except Problem:
                return None
        if (
            not plan.spans
            or any(worker.state_changed for worker in workers)
            or reading.producers.keys() > before.keys()
        ):
            return None
        plan.counted = {key: (before[key], seq) for key, seq in reading.producers.items() if seq != before[key]}
        return plan


def _place(tx: LedgerTx, worker: Worker, batch: Batch, plan: _Plan, reading: Reading) -> None:
    """Give a batch its places in the plan.

    Raises:
        Problem: it is refused.
    """
    span = append_plan.run(worker, batch, reading)
    if span is not None:
        plan.spans.append(span)
        plan.results.append(
            [Outcome(draft, seq, worker.stamp) for seq, draft in enumerate(batch.drafts, span.first_seq)]
        )
        return
    admitted = append_plan.admit(tx, worker, batch, reading)
    outcomes, rows = append_plan.settle(worker, batch, admitted, reading)
    plan.spans += spans_of(rows)
    plan.results.append(outcomes)


async def _commit(conn: asyncpg.Connection, plan: _Plan) -> bool:
    """Store the rows where every head and counter still is what the plan takes for granted."""
    packs = plan.packs()
    try:
        if len(packs) == 1 and not packs[0][1] and len(plan.counted) <= 1:
            done = await _append_to_one(conn, plan, packs[0])
        else:
            done = await _append_to_all(conn, plan, packs)
    except asyncpg.UniqueViolationError:
        return False  # one of the events is recorded already
    return done == f"INSERT 0 {plan.rows}"


async def _append_to_one(conn: asyncpg.Connection, plan: _Plan, pack: Pack) -> str:
    """By a statement that joins no lists, since nearly all groups are rows of one worker, alike in their digest."""
    (worker,), (head,) = plan.workers, plan.heads
    place = worker.worker_no, head, worker.latest_seq, worker.log_bytes, worker.updated_at
    if not plan.counted:
        return await conn.execute(SQL.append_to_one, *place, *pack, worker.now)
    (((_, machine_id), (from_seq, to_seq)),) = plan.counted.items()
    return await conn.execute(SQL.append_to_one_counted, *place, *pack, worker.now, machine_id, from_seq, to_seq)


async def _append_to_all(conn: asyncpg.Connection, plan: _Plan, packs: Sequence[Pack]) -> str:
    workers, counted = plan.workers, plan.counted
    return await conn.execute(
        SQL.append_standing,
        [worker.worker_no for worker in workers],
        plan.heads,
        [worker.latest_seq for worker in workers],
        [worker.log_bytes for worker in workers],
        [worker.updated_at for worker in workers],
        *map(list, zip(*packs, strict=True)),
        max(worker.now for worker in workers),
        [number for number, _ in counted],
        [machine for _, machine in counted],
        [seq for seq, _ in counted.values()],
        [seq for _, seq in counted.values()],
    )


def _pack(worker: Worker, spans: Sequence[Span]) -> Pack:
    """Rows of one worker in as few values as there are columns; moves its `log_bytes` to the end of them."""
    frames = [frame for span in spans for frame in span.frames]
    drafts = [draft for span in spans for draft in span.drafts]
    joined = "\n".join(frames)
    sizes = map(len, frames if joined.isascii() else [frame.encode() for frame in frames])
    ends = list(accumulate(sizes, initial=worker.log_bytes))
    worker.log_bytes = ends[-1]
    return (
        " ".join([draft.event_id for draft in drafts]),
        _digests([draft.digest for draft in drafts]),
        joined,
        f"{{{str(ends[1:])[1:-1]}}}",
    )


def _digests(digests: Sequence[bytes | None]) -> bytes | None:
    """Empty where all rows are stored as they were sent, None where none has one, else so many bytes for each."""
    kinds = set(digests)
    if kinds <= {AS_STORED}:
        return AS_STORED
    if kinds == {None}:
        return None
    return b"".join([_NO_DIGEST if digest is None else digest or _AS_STORED for digest in digests])

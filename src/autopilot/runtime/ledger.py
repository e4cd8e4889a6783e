"""The ledger: the only writer of worker logs.

Owns the transaction in which an event gets its seq, under the row locks of its workers (taken in worker_id order), and
what must change with it. Relies on append_plan.py for the rules, on append_standing.py for the short way that most
appends go, on consequences.py for what follows from an event, on append_group.py for coalescing callers, on
tail_workers.py to tell followers after the commit. Never gives a seq outside a worker's lock, never publishes what is
not committed, never notifies inside a transaction.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg

from autopilot.contract import ApprovalRequest
from autopilot.contract.errors import NotFound, Problem
from autopilot.db.away import AWAY
from autopilot.db.queries import load
from autopilot.runtime import append_plan, append_repeats, consequences
from autopilot.runtime.append_group import Group
from autopilot.runtime.append_plan import Reading
from autopilot.runtime.append_standing import DatabaseTime, Standing
from autopilot.runtime.feed_entries import Entry
from autopilot.runtime.ledger_rows import (
    Batch,
    Draft,
    Known,
    Outcome,
    Row,
    Span,
    Worker,
    columns_of,
    instant,
    spans_of,
    worker_of,
)
from autopilot.runtime.policy_rules import Decided
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.tail_workers import WorkerTail

if TYPE_CHECKING:
    from autopilot.runtime.machines import Machine

SQL = load("autopilot.runtime", "ledger")

PREPARE = "set enable_seqscan = off; set plan_cache_mode = force_generic_plan"
"""Every read of an append is by key, however many there are: one plan is right for all of them, and a plan made while a
table was small must not outlive that."""

Interrupt = Callable[["LedgerTx", Worker, str], Awaitable[Entry | None]]
"""Ask, on a transaction, a locked worker to end this turn; once. What its machine is handed."""

Decide = Callable[["LedgerTx", Worker, asyncpg.Record, ApprovalRequest, Decided], Awaitable[Entry | None]]
"""Write down, on a transaction, what a rule decided of an approval of a locked worker; what its machine is handed."""


class LedgerTx:
    """One transaction of the ledger: locks, appends, and whatever else belongs to it on `conn`.

    What is appended is published after the commit. An exception rolls everything back.
    """

    def __init__(self, conn: Any, interrupt: Interrupt | None = None, decide: Decide | None = None) -> None:
        self.conn: asyncpg.Connection = conn
        self.interrupt = interrupt
        """Asks a worker's machine to end a turn, as part of this transaction."""
        self.decide = decide
        """Records what a policy's rule decides, as part of this transaction."""
        self.denied: list[str] = []
        """What policies refused in this transaction: a word for each."""
        self.rows: list[Row] = []
        """All rows appended so far, in order."""
        self.spans: list[Span] = []
        """The same by worker, once it has committed."""
        self.memo: dict[str, Any] = {}
        """What consequences.py read for this transaction."""
        self.heard: dict[int, Worker] = {}
        """By worker_no: workers whose lease holder was heard in this transaction."""
        self.workers: dict[str, Worker] = {}
        """The workers whose locks are held."""
        self.reading: Reading | None = None
        """What `read` has read."""
        self.machines_moved: list[Machine] = []
        """Those that this transaction put into a team or took out of one, as they were before."""
        self.teams_moved: set[str] = set()
        """The teams that gained or lost workers by it."""
        self.time: DatabaseTime | None = None
        """The database's, as of the reading of the workers."""

    def moves_between(self, *team_ids: str | None) -> None:
        """Workers leave one of these teams for the other, as part of this transaction."""
        self.teams_moved |= {team_id for team_id in team_ids if team_id is not None}

    async def lock_workers(self, worker_ids: Iterable[str]) -> dict[str, Worker]:
        """Lock and read workers, in worker_id order; unknown ids are absent. Call once a transaction."""
        numbers = [record[0] for record in await self.conn.fetch(SQL.lock_workers, list(worker_ids))]
        if numbers:
            for record in await self.conn.fetch(SQL.read_workers, numbers):
                worker = worker_of(record)
                self.workers[worker.worker_id] = worker
                self.time = DatabaseTime(record["read_at"])
        return self.workers

    async def lock_worker(self, worker_id: str) -> Worker:
        """Lock and read one worker.

        Raises:
            NotFound: there is none.
        """
        workers = await self.lock_workers([worker_id])
        if worker_id not in workers:
            raise no_such_worker()
        return workers[worker_id]

    async def append(self, worker: Worker, drafts: list[Draft]) -> list[Row]:
        """Append the runtime's own events: no rule binds them, and their ids are new by construction."""
        rows = append_plan.place(worker, drafts)
        await self.write(rows, [worker])
        return rows

    async def append_batch(self, worker: Worker, batch: Batch, reading: Reading) -> list[Outcome]:
        """Append a caller's events one segment after the other, closing the span before a `worker.stopped`.

        Raises:
            Problem: the batch is refused; roll back.
        """
        outcomes: list[Outcome] = []
        for segment in _segments(batch):
            admitted = append_plan.admit(self, worker, segment, reading)
            if admitted.is_news and segment.drafts[0].event_type == append_plan.STOPPED:
                await self.append(worker, await consequences.closing(self, worker))
            settled, rows = append_plan.settle(worker, segment, admitted, reading)
            await self.write(rows, [worker], reading=reading, heard=[segment])
            outcomes += settled
        return outcomes

    async def read(self, batches: Sequence[Batch]) -> Reading:
        """Read what deciding about `batches` takes; their workers must be locked."""
        reading = self.reading = Reading()
        drafts = [
            (worker.worker_no, batch, draft)
            for batch in batches
            if (worker := self.workers.get(batch.worker_id)) is not None
            for draft in batch.drafts
        ]
        numbers, ids = [number for number, _, _ in drafts], [draft.event_id for _, _, draft in drafts]
        found = await self.conn.fetch(SQL.find_events, numbers, ids)
        for record in found:
            known = Known(record["seq"], record["digest"], instant(record["occurred_at"]))
            reading.known[record["worker_no"]][record["event_id"]] = known
        await append_repeats.read(self.conn, found, [draft for _, _, draft in drafts], reading)
        machines = {
            (number, batch.claims.machine_id)
            for number, batch, draft in drafts
            if draft.producer_seq is not None and batch.claims.machine_id is not None
        }
        if machines:
            pairs = [list(column) for column in zip(*machines, strict=True)]
            for record in await self.conn.fetch(SQL.find_producers, *pairs):
                reading.producers[record["worker_no"], record["machine_id"]] = record["producer_seq"]
        await consequences.load(self, batches)
        return reading

    async def write(
        self,
        rows: list[Row],
        workers: Iterable[Worker],
        *,
        reading: Reading | None = None,
        heard: Iterable[Batch] = (),
    ) -> None:
        """Store placed rows and what moved with them: heads, states, beats, producers, and all consequences."""
        beats = self._hear(heard)
        if rows:
            await self._insert(rows)
            self.rows += rows
        changed = [worker for worker in workers if worker.state_changed]
        if changed:
            await self.save_states(changed)
        if reading is not None and reading.producers:
            await self._save_producers(reading)
        if beats:
            await self.conn.execute(SQL.save_beats, beats)
        if rows or self.heard:
            await consequences.after(self, rows)

    async def save_states(self, workers: Sequence[Worker]) -> None:
        """Store status, stop and facts of locked workers."""
        await self.conn.execute(
            SQL.save_states,
            [worker.worker_no for worker in workers],
            [worker.status for worker in workers],
            [worker.started_at for worker in workers],
            [worker.stopped_at for worker in workers],
            [worker.stop_reason for worker in workers],
            [worker.stop_verified for worker in workers],
            [worker.facts for worker in workers],
        )
        for worker in workers:
            worker.state_changed = False

    def _hear(self, batches: Iterable[Batch]) -> list[int]:
        """Note whose lease holder speaks; the numbers of workers whose heart beat."""
        beats = set()
        for batch in batches:
            worker = self.workers[batch.worker_id]
            if worker.lease is not None and batch.claims.machine_id == worker.lease.machine_id:
                self.heard[worker.worker_no] = worker
            if any(draft.event_type == append_plan.HEARTBEAT for draft in batch.drafts):
                beats.add(worker.worker_no)
        return sorted(beats)

    async def _insert(self, rows: list[Row]) -> None:
        columns = columns_of(rows)
        workers = list({row.worker.worker_no: row.worker for row in rows}.values())
        await self.conn.execute(
            SQL.insert_events,
            [worker.worker_no for worker in workers],
            [worker.latest_seq for worker in workers],
            [worker.log_bytes for worker in workers],
            [worker.updated_at for worker in workers],
            *columns,
            max(worker.now for worker in workers),
        )

    async def _save_producers(self, reading: Reading) -> None:
        numbers, machines = zip(*reading.producers, strict=True)
        await self.conn.execute(SQL.save_producers, list(numbers), list(machines), list(reading.producers.values()))


class Ledger:
    """Worker logs: append to them, singly or in a transaction with other state."""

    def __init__(self, pool: asyncpg.Pool, tail: WorkerTail, settings: RuntimeSettings) -> None:
        self._pool = pool
        self._tail = tail
        self._group = Group(settings, self._append_group)
        self.interrupt: Interrupt | None = None
        """What transactions of this ledger end turns by; the room of requests sets it."""
        self.decide: Decide | None = None
        """What they record the decisions of rules by; the same room sets it."""
        self.on_commit: list[Callable[[LedgerTx], None]] = []
        """Called after each commit, before its caller goes on: to wake those who wait for more than rows."""
        self._committer: Any = None
        """The connection of the group commit, kept while it is sound."""
        self._standing = Standing()

    def forget(self) -> None:
        """Remember nothing of workers between appends: what they share has changed."""
        self._standing.forget()

    async def run(self) -> None:
        """Commit what `append` is given, for as long as the runtime lives."""
        try:
            await self._group.run()
        finally:
            await self._let_go()

    async def append(self, batch: Batch) -> list[Outcome]:
        """Append a caller's events: all or nothing, committed together with what others append meanwhile.

        Raises:
            NotFound: no such worker.
            Forbidden, Conflict: the batch is refused (docs/protocol.md, "Events").
            Unavailable: too much is waiting (`not_recorded`), or the database can't be reached.
        """
        return await self._group.append(batch)

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[LedgerTx]:
        """A transaction of the ledger; it commits when the block ends, and its rows are published then."""
        async with self._pool.acquire() as conn:
            tx = LedgerTx(conn, self.interrupt, self.decide)
            async with conn.transaction():
                yield tx
        self._publish(tx)

    def _publish(self, tx: LedgerTx) -> None:
        if not tx.spans:
            tx.spans = spans_of(tx.rows)
        self._tail.publish(tx.spans)
        for tell in self.on_commit:
            tell(tx)

    async def _append_group(self, batches: Sequence[Batch]) -> Sequence[list[Outcome] | Problem]:
        """One transaction for many batches, one result each; those refused leave no trace."""
        conn, era = await self._connection(), self._standing.era
        try:
            tx = LedgerTx(conn, self.interrupt, self.decide)
            results: Sequence[list[Outcome] | Problem] | None = await self._standing.append(tx, batches)
            if results is None:
                tx = LedgerTx(conn, self.interrupt, self.decide)
                results = await _commit(tx, batches)
                self._standing.keep(tx, era)
        except Problem:
            raise  # rolled back: the connection is sound
        except BaseException:
            await self._let_go()
            raise
        self._publish(tx)
        return results

    async def _connection(self) -> Any:
        """The committer's, taken from the pool where it has none."""
        if self._committer is None:
            self._committer = await self._pool.acquire()
            await self._committer.execute(PREPARE)
        return self._committer

    async def _let_go(self) -> None:
        """Give the committer's connection back, whatever state it is in."""
        self._standing.forget()
        conn, self._committer = self._committer, None
        if conn is None:
            return
        try:
            if conn.is_in_transaction():
                await conn.execute("rollback")
        except AWAY:  # also where the pool has taken it back already, because it was closed
            with contextlib.suppress(asyncpg.InterfaceError):
                conn.terminate()
        finally:
            await self._pool.release(conn)


async def _commit(tx: LedgerTx, batches: Sequence[Batch]) -> list[list[Outcome] | Problem]:
    await tx.conn.execute("begin")
    try:
        results = await _decide(tx, batches)
    except Problem:
        await tx.conn.execute("rollback")
        raise
    await tx.conn.execute("commit")
    return results


async def _decide(tx: LedgerTx, batches: Sequence[Batch]) -> list[list[Outcome] | Problem]:
    workers = await tx.lock_workers({batch.worker_id for batch in batches})
    reading = await tx.read(batches)
    if len(batches) == 1 and batches[0].worker_id in workers:
        return [await tx.append_batch(workers[batches[0].worker_id], batches[0], reading)]
    results: list[list[Outcome] | Problem] = []
    rows: list[Row] = []
    settled: list[Batch] = []
    for batch in batches:
        worker = workers.get(batch.worker_id)
        try:
            if worker is None:
                raise no_such_worker()
            admitted = append_plan.admit(tx, worker, batch, reading)
        except Problem as problem:
            results.append(problem)
            continue
        outcomes, placed = append_plan.settle(worker, batch, admitted, reading)
        results.append(outcomes)
        rows += placed
        settled.append(batch)
    await tx.write(rows, workers.values(), reading=reading, heard=settled)
    return results


def _segments(batch: Batch) -> Iterable[Batch]:
    """The batch in pieces, each `worker.stopped` one of its own."""
    pieces: list[list[Draft]] = []
    for draft in batch.drafts:
        stop = draft.event_type == append_plan.STOPPED
        if stop or not pieces or pieces[-1][0].event_type == append_plan.STOPPED:
            pieces.append([])
        pieces[-1].append(draft)
    return [Batch(batch.worker_id, batch.claims, drafts, batch.generation) for drafts in pieces]


def no_such_worker() -> NotFound:
    """The answer to an unknown worker_id."""
    return NotFound("no such worker", reason_code="no_such_worker")

"""Gives drafts their places: the rules of idempotence, gaps, fencing and status, item by item, without I/O.

Two steps: `admit` decides about a batch and changes nothing; `settle` places what was admitted and moves the worker
forward. So a batch is all or nothing, and one that is refused leaves its neighbours alone. Relies on the worker's lock
being held, and on `Reading` having been read under it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from autopilot.contract import worker_facts
from autopilot.contract.errors import Conflict
from autopilot.runtime import consequences, permissions
from autopilot.runtime.ledger_rows import Batch, Draft, Known, Outcome, Row, Span, Worker, frame_of, frames_of

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

HEARTBEAT = "worker.heartbeat"
STARTED = "worker.started"
STOPPED = "worker.stopped"

Producer = tuple[int, str]
"""worker_no and machine_id."""


@dataclass(slots=True)
class Reading:
    """What was read under the locks, kept true as batches of the same transaction settle."""

    known: defaultdict[int, dict[str, Known]] = field(default_factory=lambda: defaultdict(dict))
    """By worker_no: what is recorded under the ids that were asked for."""
    producers: dict[Producer, int] = field(default_factory=dict)
    placed: dict[int, list[Span]] = field(default_factory=dict)
    """By worker_no: runs that were placed in this transaction, and are not in `known` yet."""

    def of(self, worker_no: int) -> dict[str, Known]:
        """What is known of one worker's log."""
        known = self.known[worker_no]
        for span in self.placed.pop(worker_no, ()):
            for seq, draft in enumerate(span.drafts, span.first_seq):
                known[draft.event_id] = Known(seq, draft, span.worker.stamp)
        return known


@dataclass(slots=True)
class Admitted:
    """What one batch may do."""

    drafts: list[tuple[Draft, int | None]]
    """Each draft, with the seq under which it is recorded already."""
    producer_seq: int | None = None
    """The machine's highest producer_seq after it, where it moves."""

    own: dict[str, Known] = field(default_factory=dict)
    """What of it is to be recorded, by event_id."""
    is_news: bool = False
    """Whether anything of it is not recorded yet."""


def admit(tx: LedgerTx, worker: Worker, batch: Batch, reading: Reading) -> Admitted:
    """Decide about a caller's batch.

    Raises:
        Forbidden: not the caller's to append.
        Conflict: `fenced`, `gap`, `different_content`, `worker_stopped`.
    """
    permissions.append(batch, worker)
    recorded, admitted = reading.of(worker.worker_no), Admitted([])
    own, seq = admitted.own, worker.latest_seq
    for draft in batch.drafts:
        known = recorded.get(draft.event_id) or own.get(draft.event_id)
        if known is not None:
            _require_same(draft, known)
            earlier: int | None = known.seq
        else:
            earlier = consequences.before(tx, worker, batch, draft)
        if draft.producer_seq is not None:
            _count(worker, batch, draft, admitted, reading, repeated=earlier is not None)
        admitted.drafts.append((draft, earlier))
        if earlier is None:
            admitted.is_news = True
            if draft.event_type != HEARTBEAT:
                seq += 1
                own[draft.event_id] = Known(seq, draft, worker.stamp)
    if admitted.is_news:
        permissions.fence(batch, worker)
        worker.require_open()
    return admitted


def settle(worker: Worker, batch: Batch, admitted: Admitted, reading: Reading) -> tuple[list[Outcome], list[Row]]:
    """Place what was admitted."""
    outcomes: list[Outcome] = []
    rows: list[Row] = []
    recorded, seq = reading.of(worker.worker_no), worker.latest_seq
    recorded.update(admitted.own)
    for draft, earlier in admitted.drafts:
        if earlier is not None:
            known = recorded.get(draft.event_id)
            outcomes.append(Outcome(draft, earlier, known.occurred_at if known else worker.stamp, duplicate=True))
            continue
        if draft.event_type != HEARTBEAT:
            seq += 1
            rows.append(Row(worker, seq, draft, frame_of(worker, seq, draft)))
        outcomes.append(Outcome(draft, seq, worker.stamp))
    if admitted.producer_seq is not None and batch.claims.machine_id is not None:
        reading.producers[worker.worker_no, batch.claims.machine_id] = admitted.producer_seq
    _move(worker, rows)
    return outcomes, rows


def run(worker: Worker, batch: Batch, reading: Reading) -> Span | None:
    """Admit and settle at once a batch that nothing follows from, neither consequences nor facts, as nearly all are.

    None where something of it has to be looked at by itself: nothing was done, and `admit` decides.

    Raises:
        Forbidden, Conflict: as `admit`.
    """
    ids = {draft.event_id for draft in batch.drafts}
    if (
        len(ids) < len(batch.drafts)
        or not worker_facts.METHODS.isdisjoint(batch.methods)
        or any([draft.late for draft in batch.drafts])  # noqa: C419 - twice as fast as a generator
        or not reading.of(worker.worker_no).keys().isdisjoint(ids)
    ):
        return None
    permissions.append(batch, worker)
    if not _count_run(worker, batch, reading):
        return None
    permissions.fence(batch, worker)
    worker.require_open()
    first_seq = worker.latest_seq + 1
    span = Span(worker, first_seq, batch.drafts, frames_of(worker, first_seq, batch.drafts))
    reading.placed.setdefault(worker.worker_no, []).append(span)
    worker.latest_seq += len(span.frames)
    worker.updated_at = worker.now
    return span


def _count_run(worker: Worker, batch: Batch, reading: Reading) -> bool:
    """Keep count of an executor's producer_seq, where they follow each other and the one before; else do nothing."""
    seqs = [draft.producer_seq for draft in batch.drafts]
    if seqs.count(None) == len(seqs) or batch.claims.machine_id is None:
        return True
    producer = worker.worker_no, batch.claims.machine_id
    last = reading.producers.get(producer, 0)
    if seqs != list(range(last + 1, last + 1 + len(seqs))):
        return False
    reading.producers[producer] = last + len(seqs)
    return True


def place(worker: Worker, drafts: list[Draft]) -> list[Row]:
    """Place the runtime's own drafts, which no rule binds."""
    rows = [
        Row(worker, seq, draft, frame_of(worker, seq, draft)) for seq, draft in enumerate(drafts, worker.latest_seq + 1)
    ]
    _move(worker, rows)
    return rows


def _require_same(draft: Draft, known: Known) -> None:
    """A repeated id repeats its content.

    Raises:
        Conflict: `different_content`.
    """
    if not known.is_said_by(draft):
        raise Conflict(
            "this event_id is recorded with other content",
            reason_code="different_content",
            event_id=draft.event_id,
            seq=known.seq,
        )


def _count(worker: Worker, batch: Batch, draft: Draft, admitted: Admitted, reading: Reading, *, repeated: bool) -> None:
    """Keep count of an executor's producer_seq.

    Raises:
        Conflict: `gap`, with the number that is expected next.
    """
    if batch.claims.machine_id is None:
        return
    last = admitted.producer_seq
    if last is None:
        last = reading.producers.get((worker.worker_no, batch.claims.machine_id), 0)
    if draft.producer_seq == last + 1:
        admitted.producer_seq = draft.producer_seq
    elif not (repeated and draft.producer_seq is not None and draft.producer_seq <= last):
        raise Conflict("events are missing before this one", reason_code="gap", expected=last + 1)


def _move(worker: Worker, rows: list[Row]) -> None:
    """Move the worker's head, status and facts forward over its new rows."""
    if not rows:
        return
    worker.latest_seq = rows[-1].seq
    worker.updated_at = worker.now
    telling = [row for row in rows if row.draft.method in worker_facts.METHODS or row.draft.event_type in _TURNS]
    if not telling:
        return
    before: worker_facts.Facts = msgspec.json.decode(worker.facts)
    facts = before
    for row in telling:
        _turn(worker, row.draft)
        facts = worker_facts.fold(facts, row.seq, row.draft.event_type, row.draft.value)
        if row.draft.method == worker_facts.USAGE and "model" in facts:
            row.model = facts["model"]["value"]
    if facts is not before:
        worker.facts = msgspec.json.encode(facts).decode()
        worker.state_changed = True


def _turn(worker: Worker, draft: Draft) -> None:
    """Move the status where the event is a turning point."""
    if draft.event_type == STARTED:
        worker.status, worker.started_at, worker.state_changed = "running", worker.now, True
        worker.stopped_at = worker.stop_reason = worker.stop_verified = None
    elif draft.event_type == STOPPED:
        worker.status, worker.stopped_at, worker.state_changed = "stopped", worker.now, True
        reason = draft.value.get("reason")
        worker.stop_reason = reason[:255].replace("\x00", "") if isinstance(reason, str) else None
        worker.stop_verified = draft.value.get("verified") is not False


_TURNS = worker_facts.TYPES

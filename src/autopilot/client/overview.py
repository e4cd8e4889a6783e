"""All that is known of one's workers, machines, questions and requests: a fold over the stream of everything. Pure.

Owns what becomes of each told state, and what hangs together: who loses a worker loses its questions and requests too;
what was open and is not named any more is to be asked for. Relies on `told.py` for which state counts. Never reads a
clock, nor calls anybody: `overview_store.py` does. Source: docs/protocol.md, "The stream of everything".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from autopilot.client.approvals import has_approval_ended
from autopilot.client.everything import Entry
from autopilot.client.told import Told
from autopilot.client.workers import has_ended
from autopilot.contract import (
    Approval,
    Machine,
    Receipt,
    StateGone,
    StateRecovery,
    StreamCaughtUp,
    StreamOpen,
    WorkerSummary,
)

ReceiptKey: TypeAlias = tuple[str, str, str]
"""`worker` or `machine`, which one, and the request's id: another worker may have a request of the same id."""


@dataclass(frozen=True, slots=True)
class OverviewLimits:
    """How much is kept; what was active longest ago goes first, and what has ended before what is open."""

    workers: int = 1000
    machines: int = 500
    approvals: int = 600
    receipts: int = 700
    gone: int = 100
    bodies: bool = True
    """Whether what a question shows is kept with it; without, only what names it."""


@dataclass(frozen=True, slots=True)
class Overview:
    """One moment of everything of a principal, as far as it is known."""

    workers: tuple[WorkerSummary, ...] = ()
    """Newest activity first."""
    machines: tuple[Machine, ...] = ()
    """By name."""
    approvals: tuple[Approval, ...] = ()
    """The open ones, those that ask longest first; `pending` are those that wait for a person."""
    ended_approvals: tuple[Approval, ...] = ()
    """What ended lately, the last first."""
    receipts: tuple[Receipt, ...] = ()
    """Requests that are open or ended lately, one's own and others', the newest first."""
    recoveries: tuple[StateRecovery, ...] = ()
    """Devices that came in without a passkey and are held."""
    gone: tuple[StateGone, ...] = ()
    """Workers and machines that may be read no more, the last ones last."""
    unsettled: frozenset[str] = frozenset()
    """Ids of questions and requests that are shown as open, are not any more, and are just being asked for."""
    is_known: bool = False
    """Whether all state was told at least once; False with rows: what an earlier run knew."""
    is_caught_up: bool = False
    """Whether the present connection has told all that it tells first."""
    is_whole: bool = False
    """Whether everything was named; else there is more in the lists."""

    @property
    def pending(self) -> tuple[Approval, ...]:
        """The questions that wait for a person."""
        return tuple(one for one in self.approvals if one.state == "pending" and one.approval_id not in self.unsettled)

    @property
    def open_receipts(self) -> tuple[Receipt, ...]:
        """The requests of which more is to come."""
        return tuple(one for one in self.receipts if not has_ended(one) and one.request_id not in self.unsettled)

    def receipts_of(self, user_id: int | None) -> tuple[Receipt, ...]:
        """The requests that this user made."""
        return tuple(one for one in self.receipts if one.actor is not None and one.actor.user_id == user_id)

    def worker(self, worker_id: str) -> WorkerSummary | None:
        """One of the workers."""
        return next((worker for worker in self.workers if worker.worker_id == worker_id), None)

    def machine(self, machine_id: str) -> Machine | None:
        """One of the machines."""
        return next((machine for machine in self.machines if machine.machine_id == machine_id), None)

    def approval(self, approval_id: str) -> Approval | None:
        """One of the questions, open or ended."""
        both = (*self.approvals, *self.ended_approvals)
        return next((approval for approval in both if approval.approval_id == approval_id), None)

    def receipt(self, request_id: str) -> Receipt | None:
        """One of the requests."""
        return next((receipt for receipt in self.receipts if receipt.request_id == request_id), None)

    def count(self, activity: str) -> int:
        """How many running workers do this (`running`, `waiting_for_approval`, …)."""
        active = [worker.activity for worker in self.workers if worker.status == "running"]
        return sum(1 for fact in active if fact is not None and fact.value == activity)


class OverviewFold:
    """Takes what is told, in order, and says what that amounts to."""

    def __init__(self, limits: OverviewLimits | None = None, *, known: Overview | None = None) -> None:
        """`known`: what an earlier run knew; it is shown until the first opening is caught up."""
        self._limits = limits = limits or OverviewLimits()
        self._workers: Told[str, WorkerSummary] = Told(limits.workers, _is_older_worker, _activity)
        self._machines: Told[str, Machine] = Told(
            limits.machines, _is_older_machine, lambda one: one.last_heard_at or ""
        )
        self._approvals: Told[str, Approval] = Told(limits.approvals, _is_older_approval, _asked)
        self._receipts: Told[ReceiptKey, Receipt] = Told(limits.receipts, _is_older_receipt, _made)
        self._recoveries: Told[str, StateRecovery] = Told(limits.gone, lambda *_: False, lambda one: one.began_at)
        self._gone: dict[tuple[str, str], StateGone] = {}
        self._unsettled: dict[str | ReceiptKey, Approval | Receipt] = {}
        self._now = 0
        self._is_gathering = self._is_begun = False
        self._is_known = self._is_whole = False
        self._overview: Overview | None = None
        if known is not None:
            self._restore(known)

    @property
    def overview(self) -> Overview:
        """What is known now; the same object until something changes."""
        if self._overview is None:
            approvals = sorted(self._approvals.values(), key=lambda one: (one.requested_at, one.approval_id))
            ended = [one for one in approvals if has_approval_ended(one)]
            self._overview = Overview(
                workers=tuple(sorted(self._workers.values(), key=_activity, reverse=True)),
                machines=tuple(sorted(self._machines.values(), key=lambda one: (one.name, one.machine_id))),
                approvals=tuple(one for one in approvals if not has_approval_ended(one)),
                ended_approvals=tuple(sorted(ended, key=lambda one: one.ended_at or "", reverse=True)),
                receipts=tuple(sorted(self._receipts.values(), key=lambda one: one.created_at, reverse=True)),
                recoveries=tuple(sorted(self._recoveries.values(), key=lambda one: (one.began_at, one.device_id))),
                gone=tuple(self._gone.values()),
                unsettled=frozenset(key if isinstance(key, str) else key[2] for key in self._unsettled),
                is_known=self._is_known,
                is_caught_up=self._is_known and not self._is_gathering,
                is_whole=self._is_whole,
            )
        return self._overview

    @property
    def is_known(self) -> bool:
        """Whether all state was told at least once."""
        return self._is_known

    @property
    def is_catching_up(self) -> bool:
        """Whether an opening is being told: what it tells is shown when it is caught up."""
        return self._is_gathering

    @property
    def pending_count(self) -> int:
        """How many questions wait for a person."""
        waiting = (one for one in self._approvals.values() if one.state == "pending")
        return sum(1 for one in waiting if one.approval_id not in self._unsettled)

    @property
    def unsettled(self) -> dict[str | ReceiptKey, Approval | Receipt]:
        """Known as open and not named any more: ask how they ended, and `settle` them."""
        return dict(self._unsettled)

    @property
    def ahead(self) -> dict[str, int]:
        """Workers of which the list said more than the stream has, and the seq that it said."""
        return {worker_id: worker.latest_seq for worker_id, worker in self._workers.ahead().items()}

    @property
    def now(self) -> int:
        """This moment, for whoever is about to ask: it goes with the answer."""
        return self._now

    def begin(self) -> None:
        """A connection is about to be opened, and tells everything anew; what is known stays shown meanwhile.

        To be called for each connection, or for none: then it begins with `StreamOpen`, and answers must not be merged,
        because one that came before it may be newer than what the opening tells.
        """
        self._begin()
        self._is_begun = True

    def _begin(self) -> None:
        self._now += 1
        for told in (self._workers, self._machines, self._approvals, self._receipts, self._recoveries):
            told.gather(self._now)
        self._is_gathering, self._is_begun = True, False
        self._overview = None

    def take(self, entry: Entry) -> bool:
        """Take the next entry of the stream; whether what is shown may be another."""
        self._now += 1
        changed = self._step(entry)
        if changed:
            self._overview = None
        return changed

    # What was asked for, beside the stream.

    def merge_workers(self, page: Sequence[WorkerSummary], asked: int, *, is_last: bool) -> bool:
        """Take the first page of the list (newest activity first), asked for at `asked`; whether it changed anything.

        Who would have to stand on it and doesn't may be read no more.
        """
        self._now += 1
        rows = {worker.worker_id: worker for worker in page}
        oldest = "" if is_last or not page else page[-1].updated_at
        lost = self._workers.missing(rows, asked, lambda one: is_last or one.updated_at > oldest)
        changed = [self._workers.merge(key, row, asked, self._now) for key, row in rows.items()]
        for worker_id in lost:
            self._lose("worker", worker_id)
        return self._changed(any(changed) or bool(lost))

    def merge_machines(self, machines: Iterable[Machine], asked: int) -> bool:
        """Take the list of machines, which is always whole."""
        self._now += 1
        rows = {machine.machine_id: machine for machine in machines}
        lost = self._machines.missing(rows, asked, lambda _one: True)
        changed = [self._machines.merge(key, row, asked, self._now) for key, row in rows.items()]
        for machine_id in lost:
            self._lose("machine", machine_id)
        return self._changed(any(changed) or bool(lost))

    def merge_approvals(self, page: Sequence[Approval], asked: int, *, is_last: bool) -> bool:
        """Take the first page of the open ones (oldest first); what is missing on it becomes `unsettled`."""
        self._now += 1
        rows = {approval.approval_id: self._slim(approval) for approval in page}
        newest = page[-1].requested_at if page else ""
        for key in self._approvals.missing(
            rows, asked, lambda one: not has_approval_ended(one) and (is_last or one.requested_at < newest)
        ):
            self._doubt(key, self._approvals.get(key))
        changed = [self._approvals.merge(key, row, asked, self._now) for key, row in rows.items()]
        for key in rows:
            self._unsettled.pop(key, None)
        return self._changed(any(changed) or bool(self._unsettled))

    def settle(self, key: str | ReceiptKey, found: Approval | Receipt | None, asked: int) -> bool:
        """What became of one that was `unsettled`, asked for at `asked`; None: it may be read no more."""
        self._now += 1
        self._unsettled.pop(key, None)
        self._overview = None
        if isinstance(key, str):
            if isinstance(found, Approval):
                return self._approvals.merge(key, self._slim(found), asked, self._now)
            return self._approvals.drop(key, self._now)
        if isinstance(found, Receipt):
            return self._receipts.merge(key, found, asked, self._now)
        return self._receipts.drop(key, self._now)

    # Inside.

    def _step(self, entry: Entry) -> bool:
        match entry:
            case StreamOpen():
                if not (self._is_gathering and self._is_begun):
                    self._begin()
                return True
            case StreamCaughtUp():
                self._swap(whole=entry.complete is not False)
                return True
            case StateGone():
                self._lose(entry.kind, entry.id)
                return True
            case _:
                return self._tell(entry)

    def _tell(self, entry: Entry) -> bool:
        match entry:
            case WorkerSummary():
                self._gone.pop(("worker", entry.worker_id), None)
                return self._workers.tell(entry.worker_id, entry, self._now)
            case Machine():
                self._gone.pop(("machine", entry.machine_id), None)
                return self._machines.tell(entry.machine_id, entry, self._now)
            case Approval():
                told = self._unsettled.pop(entry.approval_id, None) is not None
                return self._approvals.tell(entry.approval_id, self._slim(entry), self._now) or told
            case Receipt():
                told = self._unsettled.pop(receipt_key(entry), None) is not None
                return self._receipts.tell(receipt_key(entry), entry, self._now) or told
            case StateRecovery():
                is_over = entry.state == "over"
                told = self._recoveries
                return (
                    told.drop(entry.device_id, self._now) if is_over else told.tell(entry.device_id, entry, self._now)
                )
        return False

    def _swap(self, *, whole: bool) -> None:
        """The opening is told: what it did not name is gone, but for what has ended, which was no more to be told."""
        approvals = {one.approval_id: one for one in self._approvals.values()}
        receipts = {receipt_key(one): one for one in self._receipts.values()}
        lost_workers, lost_machines = self._workers.swap(whole=whole), self._machines.swap(whole=whole)
        self._recoveries.swap(whole=True)
        for approval_id in self._approvals.swap(whole=True):
            self._unnamed(self._approvals, approval_id, approvals[approval_id])
        for key in self._receipts.swap(whole=True):
            self._unnamed(self._receipts, key, receipts[key])
        if whole:
            for worker_id in lost_workers:
                self._lose("worker", worker_id)
            for machine_id in lost_machines:
                self._lose("machine", machine_id)
        for key in [key for key in self._unsettled if not self._is_shown(key)]:
            del self._unsettled[key]  # let go for what is newer: nobody sees it, so nobody has to ask
        self._is_gathering, self._is_known, self._is_whole = False, True, whole

    def _unnamed(self, told: Told[Any, Any], key: str | ReceiptKey, value: Approval | Receipt) -> None:
        told.keep(key, value, self._now)
        if not (has_approval_ended(value) if isinstance(value, Approval) else has_ended(value)):
            self._doubt(key, value)

    def _is_shown(self, key: str | ReceiptKey) -> bool:
        known = self._approvals.get(key) if isinstance(key, str) else self._receipts.get(key)
        return known is not None

    def _doubt(self, key: str | ReceiptKey, value: Approval | Receipt | None) -> None:
        if value is not None:
            self._unsettled[key] = value

    def _lose(self, kind: str, name: str) -> None:
        """A worker or machine may be read no more, nor what hangs on it."""
        told = self._workers if kind == "worker" else self._machines
        told.drop(name, self._now)
        self._gone.pop((kind, name), None)
        self._gone[kind, name] = StateGone(kind=kind, id=name)
        if len(self._gone) > self._limits.gone:
            del self._gone[next(iter(self._gone))]
        for key in [key for key in self._receipts.all() if key[:2] == (kind, name)]:
            self._receipts.drop(key, self._now)
            self._unsettled.pop(key, None)
        if kind == "worker":
            for approval_id in [key for key, one in self._approvals.all().items() if one.worker_id == name]:
                self._approvals.drop(approval_id, self._now)
                self._unsettled.pop(approval_id, None)

    def _changed(self, changed: bool) -> bool:  # noqa: FBT001 - what it says is what it takes
        if changed:
            self._overview = None
        return changed

    def _slim(self, approval: Approval) -> Approval:
        return approval if self._limits.bodies else replace(approval, params=None, evidence=None, form=None)

    def _restore(self, known: Overview) -> None:
        for worker in known.workers:
            self._workers.keep(worker.worker_id, worker, 0)
        for machine in known.machines:
            self._machines.keep(machine.machine_id, machine, 0)
        for approval in (*known.approvals, *known.ended_approvals):
            self._approvals.keep(approval.approval_id, approval, 0)
        for receipt in known.receipts:
            self._receipts.keep(receipt_key(receipt), receipt, 0)
        for recovery in known.recoveries:
            self._recoveries.keep(recovery.device_id, recovery, 0)


def receipt_key(receipt: Receipt) -> ReceiptKey:
    """What names a request among all."""
    name = receipt.worker_id if receipt.target == "worker" else receipt.machine_id
    return receipt.target, name or "", receipt.request_id


def _is_older_worker(new: WorkerSummary, known: WorkerSummary) -> bool:
    return new.latest_seq < known.latest_seq


def _is_older_machine(new: Machine, known: Machine) -> bool:
    return (new.last_heard_at or "") < (known.last_heard_at or "")


def _is_older_approval(new: Approval, known: Approval) -> bool:
    """An end is final; an answer may be taken back, so that before it the order decides."""
    return has_approval_ended(known) and not has_approval_ended(new)


_WAY = ("accepted", "delivered", "acknowledged")


def _is_older_receipt(new: Receipt, known: Receipt) -> bool:
    return _step_of(new) < _step_of(known)


def _step_of(receipt: Receipt) -> int:
    return _WAY.index(receipt.state) if receipt.state in _WAY else len(_WAY)


def _activity(worker: WorkerSummary) -> tuple[str, str]:
    return worker.updated_at, worker.worker_id


def _asked(approval: Approval) -> tuple[bool, str]:
    return not has_approval_ended(approval), approval.ended_at or approval.requested_at


def _made(receipt: Receipt) -> tuple[bool, str]:
    return not has_ended(receipt), receipt.ended_at or receipt.created_at

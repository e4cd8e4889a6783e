"""A principal's workers, machines, questions and requests in memory, and what the stream of everything says of them.

For tests whose subject is what a client makes of that stream. Keeps every state that ever was (`history`), so that a
test can ask whether what was shown was ever true. Knows no clock: a moment is a count.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from autopilot.client.approvals import has_approval_ended
from autopilot.client.everything import Entry
from autopilot.client.overview import receipt_key
from autopilot.client.workers import has_ended
from autopilot.contract import (
    Actor,
    Approval,
    Health,
    HealthFact,
    LeaseInfo,
    Machine,
    Receipt,
    SeqFact,
    StateGone,
    StateRecovery,
    StreamCaughtUp,
    StreamOpen,
    WorkerSummary,
)

WAY = ("accepted", "delivered", "acknowledged", "completed")
ACTIVITIES = ("running", "idle", "waiting_for_approval", "error")
State = WorkerSummary | Machine | Approval | Receipt | StateRecovery


class Principal:
    """What is, and a queue of what has changed for each stream that is open."""

    def __init__(self) -> None:
        self.workers: dict[str, WorkerSummary] = {}
        self.machines: dict[str, Machine] = {}
        self.approvals: dict[str, Approval] = {}
        self.receipts: dict[tuple[str, str, str], Receipt] = {}
        self.recoveries: dict[str, StateRecovery] = {}
        self.history: defaultdict[str, list[Any]] = defaultdict(list)
        """By id, every state that ever was."""
        self.changes: list[Entry] = []
        """Every change in order; a stream reads on from where it is."""
        self._moment = 0

    def instant(self) -> str:
        """A time later than every one before."""
        self._moment += 1
        return f"2026-01-01T{self._moment // 3600:02}:{self._moment // 60 % 60:02}:{self._moment % 60:02}.000000Z"

    def opening(self) -> list[Entry]:
        """What a stream that is opened now says first."""
        states = (self.workers, self.machines, self.approvals, self.receipts)
        told = [one for states_of_kind in states for one in states_of_kind.values()]
        held = list(self.recoveries.values())
        return [StreamOpen(latest_seq=0, oldest_seq=0), *held, *told, StreamCaughtUp(complete=True)]

    # What happens.

    def work(self, worker_id: str, activity: str = "running", **fields: Any) -> WorkerSummary:
        """The worker's log goes on, or begins."""
        said = self.history[worker_id]  # one that comes back has the log that it had
        known = said[-1] if said else blank(worker_id)
        seq = known.latest_seq + 1
        now = replace(
            known,
            latest_seq=seq,
            updated_at=self.instant(),
            activity=SeqFact(value=activity, seq=seq),
            pending_approvals=self._pending(worker_id),
            **fields,
        )
        self.workers[worker_id] = now
        self._said(worker_id, now)
        return now

    def hear(self, machine_id: str, **fields: Any) -> Machine:
        """The machine is heard."""
        known = self.machines.get(machine_id) or Machine(machine_id=machine_id, name=machine_id)
        now = replace(known, last_heard_at=self.instant(), **fields)
        self.machines[machine_id] = now
        self._said(machine_id, now)
        return now

    def ask(self, approval_id: str, worker_id: str, **fields: Any) -> Approval:
        """Codex asks."""
        made = Approval(
            approval_id=approval_id,
            worker_id=worker_id,
            incarnation="codex-1",
            codex_request_id=approval_id,
            kind="command",
            state="pending",
            requested_at=self.instant(),
            title="Run make?",
        )
        self.approvals[approval_id] = replace(made, **fields)
        self._said(approval_id, self.approvals[approval_id])
        return self.approvals[approval_id]

    def answer(self, approval_id: str, state: str) -> Approval:
        """An approval goes on."""
        known = self.approvals[approval_id]
        ended_at = self.instant() if state in ("applied", "superseded", "expired", "closed") else None
        self.approvals[approval_id] = now = replace(known, state=state, ended_at=ended_at)
        self._said(approval_id, now)
        return now

    def request(self, worker_id: str, request_id: str, method: str = "turn/start", **fields: Any) -> Receipt:
        """Somebody asks something of a worker."""
        made = Receipt(
            worker_id=worker_id,
            request_id=request_id,
            state="accepted",
            target="worker",
            method=method,
            actor=Actor(user_id=1, surface="ios"),
            created_at=self.instant(),
        )
        return self._keep(replace(made, **fields))

    def move(self, key: tuple[str, str, str], state: str) -> Receipt:
        """A receipt goes on."""
        ended_at = None if state in WAY[:-1] else self.instant()
        ok = None if ended_at is None else state == "completed"
        return self._keep(replace(self.receipts[key], state=state, ended_at=ended_at, ok=ok))

    def lose(self, kind: str, name: str) -> None:
        """A worker or machine may be read no more, nor what hangs on it."""
        (self.workers if kind == "worker" else self.machines).pop(name, None)
        self.approvals = {key: one for key, one in self.approvals.items() if (kind, one.worker_id) != ("worker", name)}
        self.receipts = {key: one for key, one in self.receipts.items() if key[:2] != (kind, name)}
        self.changes.append(StateGone(kind=kind, id=name))

    def hold(self, device_id: str, state: str = "held") -> None:
        """A device came in without a passkey, or is held no longer."""
        now = StateRecovery(
            state=state, device_id=device_id, surface="web", began_at=self.instant(), held_until="2026-01-02T00:00:00Z"
        )
        if state == "held":
            self.recoveries[device_id] = now
        else:
            self.recoveries.pop(device_id, None)
        self._said(device_id, now)

    def happen(self, rng: random.Random) -> None:
        """Something, drawn by chance."""
        rng.choices(
            (self._any_work, self._any_hearing, self._any_question, self._any_request, self._any_loss, self._any_hold),
            weights=(8, 2, 4, 4, 1, 1),
        )[0](rng)

    def _any_work(self, rng: random.Random) -> None:
        self.work(f"w{rng.randrange(8)}", rng.choice(ACTIVITIES))

    def _any_hearing(self, rng: random.Random) -> None:
        self.hear(f"m{rng.randrange(3)}")

    def _any_question(self, rng: random.Random) -> None:
        waiting = [one for one in self.approvals.values() if not has_approval_ended(one)]
        if self.workers and (not waiting or rng.random() < 0.5):  # noqa: PLR2004 - as often as not
            self.ask(f"ap{self._moment}", rng.choice(list(self.workers)))
        elif waiting:
            states = ("decided", "pending", "applied", "superseded", "closed")
            self.answer(rng.choice(waiting).approval_id, rng.choice(states))

    def _any_request(self, rng: random.Random) -> None:
        going = [key for key, one in self.receipts.items() if not has_ended(one)]
        if self.workers and (not going or rng.random() < 0.5):  # noqa: PLR2004 - as often as not
            self.request(rng.choice(list(self.workers)), f"r{self._moment}")
        elif going:
            key = rng.choice(going)
            after = WAY[WAY.index(self.receipts[key].state) + 1 :]
            self.move(key, rng.choice((*after, "failed", "indeterminate")))

    def _any_loss(self, rng: random.Random) -> None:
        kind = rng.choice(("worker", "machine"))
        if names := list(self.workers if kind == "worker" else self.machines):
            self.lose(kind, rng.choice(names))

    def _any_hold(self, rng: random.Random) -> None:
        self.hold(f"d{rng.randrange(2)}", rng.choice(("held", "over")))

    # Inside.

    def _pending(self, worker_id: str) -> int:
        return sum(1 for one in self.approvals.values() if (one.worker_id, one.state) == (worker_id, "pending"))

    def _keep(self, receipt: Receipt) -> Receipt:
        self.receipts[receipt_key(receipt)] = receipt
        self._said(receipt.request_id, receipt)
        return receipt

    def _said(self, name: str, state: Any) -> None:
        self.history[name].append(state)
        self.changes.append(state)


def blank(worker_id: str) -> WorkerSummary:
    """A worker of which nothing is known but that it is open."""
    unknown = HealthFact(state="unknown")
    return WorkerSummary(
        worker_id=worker_id,
        status="running",
        latest_seq=0,
        metadata={},
        updated_at="2026-01-01T00:00:00Z",
        heartbeat_stale_after_ms=120_000,
        heartbeat_state="missing",
        execution_mode="desktop",
        lease=LeaseInfo(state="never"),
        health=Health(api=unknown, machine=unknown, codex=unknown, data=unknown),
        pending_approvals=0,
    )


def every_state(overview: Any) -> Iterator[tuple[str, State]]:
    """All states of an Overview, each with its id."""
    for worker in overview.workers:
        yield worker.worker_id, worker
    for machine in overview.machines:
        yield machine.machine_id, machine
    for approval in (*overview.approvals, *overview.ended_approvals):
        yield approval.approval_id, approval
    for receipt in overview.receipts:
        yield receipt.request_id, receipt
    for recovery in overview.recoveries:
        yield recovery.device_id, recovery

"""What events say about their worker: a snapshot moved on, event by event. Pure.

`fold(snapshot at n, events after n)` equals a fresh snapshot at the same seq in every field of `FOLDED`; what depends
on the server's clock (heartbeat, health, the end of a lease) only a new snapshot tells. The facts are folded by the
very function that the runtime uses. Source: docs/protocol.md, "Status".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from autopilot.contract import Envelope, LeaseInfo, SeqFact, Spend, WorkerSnapshot, decode, worker_facts
from autopilot.contract.worker_facts import NAMES, SPEND

FOLDED = ("latest_seq", "updated_at", "status", "started_at", "stopped_at", *NAMES, SPEND)
"""The fields of a snapshot that its log determines."""

STOP_METHOD = "worker/stop"


def fold(snapshot: WorkerSnapshot, events: Iterable[Envelope]) -> WorkerSnapshot:
    """The snapshot after these events, in order; those it knows already change nothing."""
    for event in events:
        snapshot = step(snapshot, event)
    return snapshot


def step(snapshot: WorkerSnapshot, event: Envelope) -> WorkerSnapshot:
    """The snapshot after one event; the very same object where it knows it already."""
    if event.seq <= snapshot.latest_seq:
        return snapshot
    changed: dict[str, Any] = {"latest_seq": event.seq, "updated_at": event.occurredAt}
    changed |= _life(snapshot, event)
    changed |= _facts(snapshot, event)
    return replace(snapshot, **changed)


def _life(snapshot: WorkerSnapshot, event: Envelope) -> dict[str, Any]:
    match event.eventType:
        case "worker.started":
            return {"status": "running", "started_at": event.occurredAt, "stopped_at": None}
        case "worker.stopped":
            return {"status": "stopped", "stopped_at": event.occurredAt}
        case "worker.request.received" if event.payload.get("method") == STOP_METHOD:
            return {"status": "stopping"}
        case "worker.lease.claimed" | "worker.lease.released" | "worker.lease.expired":
            return {"lease": _lease(snapshot.lease, event)}
        case _:
            return {}


def _lease(lease: LeaseInfo, event: Envelope) -> LeaseInfo:
    state = {"claimed": "held"}.get(kind := event.eventType.rpartition(".")[2], kind)
    machine_id, generation = event.payload.get("machine_id"), event.payload.get("generation")
    return LeaseInfo(
        machine_id=machine_id if isinstance(machine_id, str) else lease.machine_id,
        generation=generation if isinstance(generation, int) else lease.generation,
        expires_at=lease.expires_at,
        state=state,
    )


def _facts(snapshot: WorkerSnapshot, event: Envelope) -> dict[str, SeqFact | Spend]:
    before: dict[str, dict[str, Any]] = {
        name: {"value": fact.value, "seq": fact.seq} for name in NAMES if (fact := getattr(snapshot, name))
    }
    after = worker_facts.fold(before, event.seq, event.eventType, event.payload)
    new = {name: fact for name, fact in after.items() if fact is not before.get(name)}
    changed: dict[str, SeqFact | Spend] = {name: SeqFact(**new[name]) for name in NAMES if name in new}
    if SPEND in new:
        changed[SPEND] = decode(Spend, {**new[SPEND]["value"], "seq": event.seq})
    return changed

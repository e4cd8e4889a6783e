"""Receipts: what became of a request, stored before anything acts on it.

Owns the table `receipt` and, through it, the life of `delivery` rows. Relies on the worker's lock for a worker's
receipts and on the receipt's own row lock for a machine's. Every change of state goes through `step`, so that none goes
back and every end deletes the sealed params. Source: docs/runtime-contract.md, "Receipts".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec

from autopilot.db import queries
from autopilot.runtime import artifacts_events
from autopilot.runtime.delivery import Target
from autopilot.runtime.ledger_rows import RUNTIME_ACTOR, Draft, Row, Worker, instant
from autopilot.runtime.receipts_states import ENDED, may_follow, outcome
from autopilot.runtime.requests_methods import STOP
from autopilot.runtime.requests_notes import note
from autopilot.runtime.requests_wakes import wakes_of

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

_SQL = queries.load("autopilot.runtime", "receipts")

RESULTS = {"worker.response": "completed", "worker.error": "failed"}
"""The executor's events that end a worker's receipt, where they name it."""
STOPPED = "worker.stopped"


_NULL = msgspec.Raw(b"null")


class _Result(msgspec.Struct):
    """The parts of a result's payload that its receipt keeps, as text."""

    response: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL
    artifacts: msgspec.Raw = _NULL


async def find(conn: Any, target: Target, request_id: str) -> asyncpg.Record | None:
    """The receipt of this request, if there is one."""
    return await conn.fetchrow(_SQL.receipt, target.kind, target.id, request_id)


async def find_locked(conn: Any, target: Target, request_id: str) -> asyncpg.Record | None:
    """The same, and nobody else changes it before this transaction ends."""
    return await conn.fetchrow(_SQL.receipt_locked, target.kind, target.id, request_id)


async def lock_machines(conn: Any, machine_id: str, request_ids: Iterable[str]) -> None:
    """Lock some of a machine's receipts before any of them is changed; a worker's lie under its worker's lock."""
    await conn.execute(_SQL.lock, "machine", machine_id, list(request_ids))


async def step(
    tx: LedgerTx,
    record: asyncpg.Record,
    state: str,
    *,
    now: datetime,
    response: str | None = None,
    error: str | None = None,
    artifacts: str | None = None,
) -> asyncpg.Record:
    """Take a receipt to a state that may follow its own; `response` and `error` are redacted JSON text.

    `artifacts`: references to what the response leaves out, JSON text too.

    Returns the receipt as it is now.
    """
    assert may_follow(record["state"], state), (record["state"], state)
    target = target_of(record)
    identity = (target.kind, target.id, record["request_id"])
    changed = await tx.conn.fetchrow(_SQL.step, *identity, state, response, error, now, state in ENDED, artifacts)
    assert changed is not None
    if state in ENDED:
        await tx.conn.execute(_SQL.drop_delivery, *identity)
    wakes_of(tx).receipts.add(identity)
    return changed


async def step_and_tell(
    tx: LedgerTx, worker: Worker, record: asyncpg.Record, state: str, *, error: dict[str, Any] | None = None
) -> asyncpg.Record:
    """The same for a worker's receipt, with the event that tells of it."""
    text = None if error is None else encoded(error)
    changed = await step(tx, record, state, now=worker.now, error=text)
    await tx.append(worker, [step_note(record, state, error)])
    return changed


def _named_request(row: Row) -> str | None:
    """The request that a result names. A payload is free: what can't be an id, NUL above all, names none."""
    request_id = row.draft.value.get("request_id")
    return request_id if isinstance(request_id, str) and request_id.isprintable() else None


async def after(tx: LedgerTx, rows: Sequence[Row]) -> None:
    """End the receipts that these rows are the results of; a stop's is ended by `closing`, and gets its result here."""
    for row in rows:
        if row.draft.event_type == STOPPED and (request_id := _named_request(row)) is not None:
            await tx.conn.execute(_SQL.keep_stopped, row.worker.worker_id, request_id, row.draft.payload)
    results = {
        (row.worker.worker_id, request_id): row
        for row in rows
        if row.draft.event_type in RESULTS and (request_id := _named_request(row)) is not None
    }
    if not results:
        return
    workers, requests = (list(column) for column in zip(*results, strict=True))
    for record in await tx.conn.fetch(_SQL.of_workers, workers, requests):
        row = results[record["target_id"], record["request_id"]]
        state = RESULTS[row.draft.event_type]
        if may_follow(record["state"], state):
            result = msgspec.json.decode(row.draft.payload.encode(), type=_Result)
            await step(
                tx,
                record,
                state,
                now=row.worker.now,
                response=_text(result.response),
                error=_object_text(result.error),
                artifacts=_text(result.artifacts) if artifacts_events.refers(row.draft) else None,
            )


async def closing(tx: LedgerTx, worker: Worker) -> list[Draft]:
    """End what is open before the worker's span ends, and return the events that tell of it.

    What no machine was handed is rejected; what one was, nobody can know. The stop itself is what is happening.
    """
    notes = []
    for record in await tx.conn.fetch(_SQL.open_of_worker, worker.worker_id):
        if record["method"] == STOP:
            await step(tx, record, "completed", now=worker.now)
            continue
        state = "rejected" if record["state"] == "accepted" else "indeterminate"
        error = {"code": "worker_stopped", "message": "the worker was stopped first"}
        await step(tx, record, state, now=worker.now, error=encoded(error))
        notes.append(step_note(record, state, error))
    return notes


def step_note(record: asyncpg.Record, state: str, error: dict[str, Any] | None = None) -> Draft:
    """The event that tells of a step, and why where there is a reason."""
    facts: dict[str, Any] = {"request_id": record["request_id"], "method": record["method"]}
    if error is not None:
        facts |= {"reason_code": error.get("code"), "error": error}
    return note(f"worker.request.{state}", facts, x_request_id=record["x_request_id"], actor=RUNTIME_ACTOR)


def target_of(record: asyncpg.Record) -> Target:
    """Who the request of this receipt is addressed to."""
    return Target(record["target_kind"], record["target_id"])


def body(record: asyncpg.Record) -> dict[str, Any]:
    """A receipt as the contract shows it; JSON texts stay what they are."""
    return {
        **outcome_body(record),
        "target": record["target_kind"],
        "method": record["method"],
        "params": _raw(record["params"]),
        "actor": _raw(record["actor"]),
        "x_request_id": record["x_request_id"],
        "accepted_seq": record["accepted_seq"],
        "created_at": instant(record["created_at"]),
        "expires_at": _instant(record["expires_at"]),
        "delivered_at": _instant(record["delivered_at"]),
        "acknowledged_at": _instant(record["acknowledged_at"]),
        "ended_at": _instant(record["ended_at"]),
    }


def outcome_body(record: asyncpg.Record) -> dict[str, Any]:
    """What a caller who waited is told of the end."""
    return {
        "worker_id": record["target_id"] if record["target_kind"] == "worker" else None,
        "request_id": record["request_id"],
        "ok": outcome(record["state"]),
        "response": _raw(record["response"]),
        "state": record["state"],
        "error": _raw(record["error"]),
        "machine_id": record["machine_id"],
        "artifacts": _raw(record["artifacts"]) or [],
    }


def encoded(value: object) -> str:
    """JSON text."""
    return msgspec.json.encode(value).decode()


def _text(raw: msgspec.Raw) -> str | None:
    return None if raw == _NULL else bytes(raw).decode()


def _object_text(raw: msgspec.Raw) -> str | None:
    """An error of a receipt is an object, whatever an executor called one."""
    text = _text(raw)
    return text if text is None or text.startswith("{") else f'{{"message":{text}}}'


def _raw(text: str | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text.encode())


def _instant(time: datetime | None) -> str | None:
    return None if time is None else instant(time)

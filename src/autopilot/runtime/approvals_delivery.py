"""Answers on their way to the executor: sealed when decided, opened when its feed is read, marked as handed over first.

Relies on delivery.py for the seal, which binds an answer to its worker and approval. Exact answers leave the runtime
here and nowhere else. Source: docs/runtime-contract.md, "Approvals".
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from autopilot.ops.log import get_logger
from autopilot.runtime.approvals_rows import SQL
from autopilot.runtime.delivery import DeliveryKeys, SealBroken, Target
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.ledger_rows import instant, text
from autopilot.runtime.requests_wakes import wakes_of

log = get_logger("autopilot.runtime.approvals")

Place = tuple[str, int]
"""worker_id and the seq of `worker.approval.decided`: what a feed entry of kind `decision` names."""


def sealed(
    keys: DeliveryKeys, worker_id: str, approval_id: str, content_text: str, message: str | None
) -> tuple[str, bytes]:
    """Key id and ciphertext of an answer's content (JSON text) and words."""
    exact = f'{{"content":{content_text},"message":{"null" if message is None else text(message)}}}'
    return keys.seal(_target(worker_id), approval_id, exact.encode())


class Answers:
    """The answers of a page of a machine's feed."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, keys: DeliveryKeys) -> None:
        self._pool = pool
        self._ledger = ledger
        self._keys = keys

    async def hand_over(self, machine_id: str, entries: Sequence[asyncpg.Record]) -> dict[Place, str]:
        """The bodies of these entries, as JSON text; delivered from this commit on. What has ended has none."""
        places = [(entry["worker_id"], entry["worker_seq"]) for entry in entries if entry["kind"] == "decision"]
        if not places:
            return {}
        columns = [list(column) for column in zip(*places, strict=True)]
        found = await self._pool.fetch(SQL.answers, *columns)
        if any(record["state"] == "decided" for record in found):
            await self._deliver(machine_id, found)
            found = await self._pool.fetch(SQL.answers, *columns)  # as committed: what ended in between has no answer
        bodies = {}
        for record in found:
            body = self._body(record) if record["machine_id"] == machine_id else None
            if body is not None:
                bodies[record["worker_id"], record["decided_seq"]] = body
        return bodies

    async def _deliver(self, machine_id: str, found: Sequence[asyncpg.Record]) -> None:
        fresh = [each for each in found if each["state"] == "decided" and each["machine_id"] == machine_id]
        async with self._ledger.transaction() as tx:
            workers = await tx.lock_workers({record["worker_id"] for record in fresh})
            if not workers:
                return
            now = max(worker.now for worker in workers.values())
            delivered = await tx.conn.fetch(SQL.deliver, [record["approval_id"] for record in fresh], now)
            changed = {record["worker_no"] for record in delivered}
            wakes_of(tx).workers |= {
                worker.worker_no: worker for worker in workers.values() if worker.worker_no in changed
            }

    def _body(self, record: asyncpg.Record) -> str | None:
        if record["state"] != "delivered" or record["ciphertext"] is None:
            return None
        worker_id, approval_id = record["worker_id"], record["approval_id"]
        try:
            exact = self._keys.open(_target(worker_id), approval_id, record["key_id"], record["ciphertext"])
        except SealBroken:
            log.exception("feed.answer_does_not_open", approval_id=approval_id)
            return None
        decision = msgspec.json.decode(record["decision"])
        return (
            f'{{"approval_id":{text(approval_id)},"worker_id":{text(worker_id)},'
            f'"option_id":{text(decision["option_id"])},{exact.decode()[1:-1]},'
            f'"x_request_id":{_text(record["x_request_id"])},"traceparent":{_text(record["traceparent"])},'
            f'"decided_at":{text(instant(record["decided_at"]))}}}'
        )


def _target(worker_id: str) -> Target:
    return Target("approval", worker_id)


def _text(value: str | None) -> str:
    return "null" if value is None else text(value)

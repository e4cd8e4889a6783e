"""Writing a first decision down, whoever makes it: row, event, sealed answer and feed entry, all or nothing.

Relies on its caller for the worker's lock, for whether the decision may be made, and for whether it fits the question.
Never looks at who was first: that is what the lock is for. Source: docs/runtime-contract.md, "Approvals".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from autopilot.contract import ApprovalRequest, DecideApproval
from autopilot.contract.port import Claims
from autopilot.runtime import approvals_answer, feed_entries, permissions
from autopilot.runtime.append_identity import Digests
from autopilot.runtime.approvals_answer import Answer
from autopilot.runtime.approvals_delivery import sealed
from autopilot.runtime.approvals_events import DECIDED
from autopilot.runtime.approvals_rows import SQL
from autopilot.runtime.delivery import DeliveryKeys
from autopilot.runtime.feed_entries import Entry
from autopilot.runtime.ledger import LedgerTx
from autopilot.runtime.ledger_rows import Worker, actor_of, instant
from autopilot.runtime.policy_requests import VERSIONS
from autopilot.runtime.policy_rules import Decided
from autopilot.runtime.requests import Asker
from autopilot.runtime.requests_notes import note


@dataclass(frozen=True, slots=True)
class Given:
    """An answer, whose it is, and what allowed it."""

    answer: Answer
    by: Asker
    judged_by: Mapping[str, int | None] | None
    """The versions of the policy documents in force."""
    rule: Mapping[str, Any] = field(default_factory=dict)
    """The rule that decided, where no person did."""


class Decisions:
    """Records decisions, and knows one again."""

    def __init__(self, keys: DeliveryKeys, digests: Digests) -> None:
        self._keys = keys
        self._digests = digests

    def is_the_same(self, record: asyncpg.Record, answer: Answer) -> bool:
        """Whether this is the decision that the approval has."""
        return self._digests.fits(record["decision_digest"], *_content(answer))

    async def record(
        self, tx: LedgerTx, worker: Worker, record: asyncpg.Record, asked: ApprovalRequest, given: Given
    ) -> None:
        """Write down the decision of a pending approval of this locked worker; hand it to the machine that asks."""
        entry = await self._write(tx, worker, record, asked, given)
        await feed_entries.add(tx, [] if entry is None else [entry], worker.now)

    async def by_rule(
        self, tx: LedgerTx, worker: Worker, record: asyncpg.Record, asked: ApprovalRequest, decided: Decided
    ) -> Entry | None:
        """Write down what a rule decided; what the machine that asks is to be handed, for the caller to add."""
        answer = Answer(DecideApproval(option_id=decided.option_id), "null")
        rule = {"rule_id": decided.rule_id, "document": decided.document, "version": decided.version}
        if decided.team_id is not None:
            rule["team_id"] = decided.team_id
        given = Given(answer, Asker(Claims(surface="runtime")), decided.judged_by, rule)
        return await self._write(tx, worker, record, asked, given)

    async def _write(
        self, tx: LedgerTx, worker: Worker, record: asyncpg.Record, asked: ApprovalRequest, given: Given
    ) -> Entry | None:
        answer, by = given.answer, given.by
        approval_id, actor = record["approval_id"], actor_of(by.claims)
        decision: dict[str, Any] = {
            **approvals_answer.shown(asked, answer.said),
            "actor": msgspec.Raw(actor.encode()),
            "decided_at": instant(worker.now),
            **given.rule,
        }
        facts = {"approval_id": approval_id, "decision": decision, "state": "decided", VERSIONS: given.judged_by}
        [row] = await tx.append(worker, [note(DECIDED, facts, x_request_id=by.x_request_id, actor=actor)])
        await tx.conn.execute(
            SQL.decide,
            approval_id,
            msgspec.json.encode(decision).decode(),
            self._digests.make(*_content(answer)),
            row.seq,
            worker.now,
            by.x_request_id,
            by.traceparent,
            actor,
            answer.said.option_id.replace("\0", "\ufffd"),  # which no text of Postgres can hold
            permissions.membership_of(by.claims, worker),
        )
        exact = sealed(self._keys, worker.worker_id, approval_id, answer.content_text, answer.said.message)
        await tx.conn.execute(SQL.put_answer, approval_id, *exact)
        machine_id = record["machine_id"]
        return None if machine_id is None else Entry(machine_id, "decision", False, worker.worker_id, row.seq, None)


def _content(answer: Answer) -> tuple[object, ...]:
    return answer.said.option_id, answer.said.content, answer.said.message

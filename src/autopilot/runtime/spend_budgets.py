"""Budgets: how many tokens may be used, judged at the door and wherever spend is counted.

A budget stands in a policy document (policy_document.py) and is used up when what was counted in its period reaches it:
the turn that crosses it is the last one. One in a team's document, or for each team, is of what was used for that team
while it had the worker; all others are of what one owner's workers used. All must leave something. Owns the table
`budget_notice`. Relies on spend.py for what was counted. Periods are days, weeks from Monday and months of UTC, by the
ledger's clock. Source: docs/protocol.md, "Budgets".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from autopilot.contract import worker_facts
from autopilot.runtime import policy, policy_store
from autopilot.runtime.feed_entries import Entry
from autopilot.runtime.ledger_rows import Row, Worker, instant
from autopilot.runtime.permissions import Owned
from autopilot.runtime.policy import Verdict
from autopilot.runtime.policy_document import TEAM, Budget, Document, Documents, Subject
from autopilot.runtime.requests_notes import note
from autopilot.runtime.spend import SQL
from autopilot.runtime.spend_counts import word

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx

SPENDS = frozenset(
    {
        "thread/start",
        "thread/compact/start",
        "thread/queue/add",
        "thread/queue/start",
        "thread/realtime/start",
        "thread/sample",
        "turn/start",
        "turn/steer",
        "review/start",
    }
)
"""What makes Codex use tokens: refused where a budget is used up."""
REACHED = "worker.policy.budget"
INTERRUPT = "interrupt"
EVER = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where tokens are used; None: not known yet, or not there."""

    owner: Owned
    worker: Worker | None
    machine_id: str | None
    model: str | None

    def key(self, per: str) -> str | None:
        """Who has a budget's amount for itself; None where that can't be told."""
        match per:
            case "team":
                return self.owner.team_id
            case "user":
                return _subject_of(self.owner).id
            case "worker":
                return None if self.worker is None else self.worker.worker_id
            case "machine":
                return self.machine_id
            case _:
                return word(self.model) or None


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a budget is used up."""

    document: Document
    index: int
    """Of the budget, in its document."""
    key: str
    used: int
    starts_on: date
    resets_at: datetime | None

    @property
    def budget(self) -> Budget:
        """Which one."""
        return self.document.contents.budgets[self.index]

    @property
    def level(self) -> str | None:
        """`exhausted`, `warning`, or nothing to tell."""
        budget = self.budget
        if self.used >= budget.tokens:
            return "exhausted"
        return "warning" if budget.warn_at is not None and self.used >= budget.warn_at * budget.tokens else None

    def facts(self) -> dict[str, Any]:
        """What errors and events tell of it."""
        budget = self.budget
        return {
            "budget": budget.name,
            "per": budget.per,
            "per_id": self.key,
            "period": budget.period,
            "used": self.used,
            "limit": budget.tokens,
            "resets_at": None if self.resets_at is None else instant(self.resets_at),
        }

    def verdict(self) -> Verdict:
        """The no of a budget that is used up."""
        budget = self.budget
        until = "" if self.resets_at is None else f" until {instant(self.resets_at)}"
        return Verdict(
            allowed=False,
            word="budget_exhausted",
            rule_id=f"budget[{self.index}]",
            document=self.document.subject.kind,
            team_id=self.document.subject.team_id,
            version=self.document.version,
            message=f"the budget {budget.name} is used up{until}: {self.used} of {budget.tokens} tokens",
            more=self.facts(),
        )


async def judge(conn: Any, documents: Documents, method: str, place: Place) -> Verdict:
    """Whether every budget leaves something to use."""
    if method not in SPENDS or not _sets_budgets(documents):
        return policy.YES
    now = await conn.fetchval("select clock_timestamp()")
    async for standing in _standings(conn, documents, place, now):
        if standing.level == "exhausted":
            return standing.verdict()
    return policy.YES


async def after(tx: LedgerTx, rows: Sequence[Row], counted: set[int]) -> list[Entry]:
    """Tell what these reports have used up, and end the turns that a budget ends; what their machines are handed."""
    reports = {row.worker.worker_no: row for row in rows if row.draft.method == worker_facts.USAGE}
    bound = [
        (reports[worker_no], await policy_store.in_force(tx.conn, reports[worker_no].worker))
        for worker_no in sorted(counted)
    ]
    bound = [(report, documents) for report, documents in bound if _sets_budgets(documents)]
    if not bound:
        return []
    await tx.conn.execute(SQL.one_by_one, sorted({one for report, _ in bound for one in _sharers(report.worker)}))
    looked = [await _look(tx, rows, report, documents) for report, documents in bound]
    return [entry for entry in looked if entry is not None]


def _sets_budgets(documents: Documents) -> bool:
    return any(document.contents.budgets for document in documents.all())


def _sharers(worker: Worker) -> list[str]:
    """Whose reports are to see each other's sums with this worker's: its owner's and its team's."""
    own = _subject_of(worker).id
    return [own] if worker.team_id is None else [own, f"team:{worker.team_id}"]


def _subject_of(owner: Owned) -> Subject:
    return policy_store.subject_of(owner.owner_user_id, owner.owner_guest_scope)


async def _look(tx: LedgerTx, rows: Sequence[Row], report: Row, documents: Documents) -> Entry | None:
    worker = report.worker
    machine_id = msgspec.json.decode(report.draft.actor).get("machine_id")
    place = Place(worker, worker, machine_id, report.model)
    ends = False
    async for standing in _standings(tx.conn, documents, place, worker.now):
        if standing.level is None:
            continue
        ends = ends or (standing.level == "exhausted" and standing.budget.on_exhausted == INTERRUPT)
        await _tell(tx, worker, standing)
    turn_id = _running_turn(rows, report)
    if not ends or turn_id is None or tx.interrupt is None:
        return None
    return await tx.interrupt(tx, worker, turn_id)


async def _tell(tx: LedgerTx, worker: Worker, standing: Standing) -> None:
    """Once a period, and once for each level."""
    subject, budget = standing.document.subject, standing.budget
    row = (subject.kind, subject.id, budget.name, standing.key, budget.tokens, standing.starts_on, standing.level)
    if await tx.conn.fetchval(SQL.tell, *row) is None:
        return
    where = {**subject.named(), "version": standing.document.version, "rule_id": f"budget[{standing.index}]"}
    await tx.append(worker, [note(REACHED, {"level": standing.level, **standing.facts(), **where})])


async def _standings(conn: Any, documents: Documents, place: Place, now: datetime) -> AsyncIterator[Standing]:
    """Every budget that this place draws on."""
    for document in documents.all():
        for index, budget in enumerate(document.contents.budgets):
            key = place.key(budget.per)
            if key is None:
                continue
            starts_on, resets_at = period_of(budget.period, now)
            used = await _used(conn, place, document, budget, starts_on)
            yield Standing(document, index, key, used, starts_on, resets_at)


async def _used(conn: Any, place: Place, document: Document, budget: Budget, starts_on: date) -> int:
    """Tokens that were counted for a budget, as of this statement."""
    per, owner = budget.per, (place.owner.owner_user_id, place.owner.owner_guest_scope)
    within = (
        starts_on,
        place.worker.worker_no if per == "worker" and place.worker is not None else None,
        place.machine_id if per == "machine" else None,
        place.key(per) if per == "model" else None,
    )
    if document.subject.kind == TEAM or per == "team":
        return int(await conn.fetchval(SQL.used_of_team, place.owner.team_id, *within, per == "user", *owner))
    return int(await conn.fetchval(SQL.used, *owner, *within))


def period_of(period: str, now: datetime) -> tuple[date, datetime | None]:
    """The first day of the period that `now` is in, and when the next one begins."""
    today = now.astimezone(UTC).date()
    match period:
        case "day":
            first, following = today, today + timedelta(days=1)
        case "week":
            first = today - timedelta(days=today.weekday())
            following = first + timedelta(days=7)
        case "month":
            first = today.replace(day=1)
            following = (first + timedelta(days=31)).replace(day=1)
        case _:
            return EVER, None
    return first, datetime.combine(following, time(), UTC)


def _running_turn(rows: Sequence[Row], report: Row) -> str | None:
    """The turn that reports, unless it is known to be over."""
    params = report.draft.value.get("params")
    turn_id = word(params.get("turnId")) if isinstance(params, dict) else ""
    for row in rows:
        if row.worker is report.worker and row.draft.method == "turn/completed":
            said = row.draft.value.get("params")
            turn = said.get("turn") if isinstance(said, dict) else None
            if isinstance(turn, dict) and turn.get("id") == turn_id:
                return None
    return turn_id or None

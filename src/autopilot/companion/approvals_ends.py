"""How questions end: read from what Codex says, live or in its history, in the transaction that stores it.

Owns the meaning of Codex's words for open questions. An answer of ours that Codex took is `applied`; one given
elsewhere is `superseded`, and what it was is inferred from the item; what nobody can answer any more is `closed`.
Codex says that a question is resolved before the item shows how: the item is waited for, for a moment.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from autopilot.companion import approvals
from autopilot.companion.approvals import Row
from autopilot.companion.codex import questions, translate
from autopilot.companion.codex.forms import Unfit
from autopilot.companion.codex.translate import Event
from autopilot.contract import ApprovalEffect, ApprovalEnd, ApprovalOutcome, ApprovalState, encode

ITEM_SECONDS = 0.5
"""After a question was resolved the item shows within milliseconds how; a command that says nothing shows nothing."""

FILE_LOST = "companion_file_lost"
"""Why an approval is closed whose answer, if it had one, was lost with the companion's file; it is asked anew."""
OUT_OF_REACH = "out_of_reach"
"""Why an approval of an ephemeral thread is closed when its connection ends: Codex repeats no such question."""
RESOLVED = "serverRequest/resolved"
OUTPUT = "item/commandExecution/outputDelta"
GONE = frozenset({"thread/closed", "thread/deleted"})
FOLLOWED = frozenset({RESOLVED, OUTPUT, "item/completed", "turn/completed", *GONE})
"""Notifications that may change an open question."""

Ending = Callable[[sqlite3.Connection, Row, datetime], Event | None]

SHOWN_BY_ITEM = frozenset({"item/commandExecution/requestApproval", "item/fileChange/requestApproval"})
"""Questions whose item tells how they were decided."""
TOOL, TOOL_ITEM = "item/tool/call", "dynamicToolCall"
"""Codex does not say that a tool's call is resolved (0.163.0): its item does, and holds the answer."""
_STATUS = {"completed": ApprovalOutcome.ACCEPTED, "declined": ApprovalOutcome.DECLINED}
_EFFECTS = {
    ApprovalEffect.DECLINE: ApprovalOutcome.DECLINED,
    ApprovalEffect.CANCEL: ApprovalOutcome.CANCELLED,
}


def follow(db: sqlite3.Connection, event: Event, incarnation: str | None, now: datetime) -> list[Event]:
    """The ends that follow from what Codex said; `incarnation` is that of the Codex that is connected."""
    rows = approvals.open_ones(db, event.thread_id)
    if not rows:
        return []
    payload = msgspec.json.decode(event.payload)
    params = payload.get("params") or {}
    if event.method == RESOLVED:
        rows = [one for one in rows if one.incarnation == incarnation and _is(one, params.get("requestId"))]
        return _each(db, rows, now, _resolved)
    if event.method in GONE:
        return [closed(db, one, now, reason="thread_closed") for one in rows]
    rows = [one for one in rows if one.turn_id == event.turn_id]
    if event.method == "turn/completed":
        status = (params.get("turn") or {}).get("status")
        return [_turn_over(db, one, status, now, backfilled="backfilled" in payload) for one in rows]
    rows = [one for one in rows if one.item_id == event.item_id]
    if event.item_type == TOOL_ITEM:
        said = params["item"].get("contentItems")  # none: it was not answered, its turn was interrupted
        return [_tool_done(db, one, said, now) for one in rows if one.method == TOOL and said]
    rows = [one for one in rows if one.method in SHOWN_BY_ITEM]
    seen = ApprovalOutcome.ACCEPTED if event.method == OUTPUT else _shown(params.get("item") or {})
    if seen is not None:
        for one in rows:
            approvals.note_seen(db, one, seen)
    return _each(db, [one for one in rows if one.resolved_at is not None], now, _final)


def _shown(item: dict[str, Any]) -> ApprovalOutcome | None:
    """How a completed item was decided. One that failed may never have begun: a command that ran has an exit code."""
    if item.get("status") == "failed" and item.get("exitCode") is not None:
        return ApprovalOutcome.ACCEPTED
    return _STATUS.get(str(item.get("status")))


def overdue(db: sqlite3.Connection, now: datetime) -> tuple[list[Event], bool]:
    """The ends of questions whose items keep silent; and whether others are still waited for."""
    resolved = [one for one in approvals.open_ones(db) if one.resolved_at is not None]
    # A clock that was set back must not keep a question open.
    over = [one for one in resolved if abs(now.timestamp() - (one.resolved_at or 0)) >= ITEM_SECONDS]
    return _each(db, over, now, _final), len(over) < len(resolved)


def absent(db: sqlite3.Connection, row: Row, now: datetime, *, shared: bool) -> Event:
    """Codex does not ask it any more: it was resolved while nobody listened. `shared`: others may have answered."""
    if row.answered and shared and row.seen is None:
        return _ended(db, row, ApprovalState.APPLIED, ApprovalOutcome.UNKNOWN, now)
    return _final(db, row, now)


def codex_ended(db: sqlite3.Connection, row: Row, now: datetime, *, reason: str = "codex_ended") -> Event:
    """The Codex that asked is gone, or can't be heard of it any more: what it had an answer to is not closed."""
    if row.resolved_at is not None or (row.answered and row.seen is not None):
        return _final(db, row, now)
    return closed(db, row, now, reason=reason)


def closed(db: sqlite3.Connection, row: Row, now: datetime, *, reason: str) -> Event:
    """Nobody can answer it any more."""
    return _ended(db, row, ApprovalState.CLOSED, None, now, reason=reason)


def _each(db: sqlite3.Connection, rows: list[Row], now: datetime, ending: Ending) -> list[Event]:
    """What becomes of each, seen anew: what was noted a moment ago counts."""
    fresh = [approvals.find(db, one.approval_id) for one in rows]
    ended = [ending(db, one, now) for one in fresh if one is not None]
    return [one for one in ended if one is not None]


def _resolved(db: sqlite3.Connection, row: Row, now: datetime) -> Event | None:
    approvals.note_resolved(db, row, now.timestamp())
    if row.method in SHOWN_BY_ITEM and row.seen is None:
        return None
    return _final(db, row, now)


def _final(db: sqlite3.Connection, row: Row, now: datetime) -> Event:
    """The end of a question that Codex has an answer to."""
    if not row.answered:
        return _ended(db, row, ApprovalState.SUPERSEDED, row.seen or ApprovalOutcome.UNKNOWN, now)
    ours = _ours(row)
    said_yes = ours == ApprovalOutcome.ACCEPTED
    if row.seen is not None and said_yes != (row.seen == ApprovalOutcome.ACCEPTED):
        return _ended(db, row, ApprovalState.SUPERSEDED, row.seen, now)
    return _ended(db, row, ApprovalState.APPLIED, ours, now, words=_has_words(row, ours))


def _tool_done(db: sqlite3.Connection, row: Row, said: Any, now: datetime) -> Event:
    """A tool's call has an answer: ours, if it is the same."""
    ours = questions.wire(row.method, row.params, row.choice) if row.answered and row.choice is not None else {}
    if said == ours.get("contentItems"):
        return _final(db, row, now)
    return _ended(db, row, ApprovalState.SUPERSEDED, ApprovalOutcome.ACCEPTED, now)


def _turn_over(db: sqlite3.Connection, row: Row, status: Any, now: datetime, *, backfilled: bool) -> Event:
    """The turn that asked has ended."""
    interrupted = status == "interrupted"
    if row.resolved_at is not None and interrupted and not row.answered and row.seen is None:
        return _ended(db, row, ApprovalState.SUPERSEDED, ApprovalOutcome.CANCELLED, now)
    if row.resolved_at is not None or row.seen is not None:
        return _final(db, row, now)
    # A turn that went on to its end had its answer; one that was cut off had none, unless that was the answer.
    if backfilled and not interrupted:
        return _final(db, row, now)
    if backfilled and row.answered and _ours(row) == ApprovalOutcome.CANCELLED:
        return _final(db, row, now)
    return closed(db, row, now, reason="turn_interrupted" if interrupted else "turn_ended")


def _ended(
    db: sqlite3.Connection,
    row: Row,
    state: ApprovalState,
    outcome: str | None,
    now: datetime,
    *,
    reason: str | None = None,
    words: bool = False,
) -> Event:
    approvals.end(db, row, now.timestamp(), words=words)
    return _told(
        row.told_in, row.turn_id, ApprovalEnd(approval_id=row.approval_id, outcome=outcome, reason=reason), state, now
    )


def lost(thread_id: str, approval_id: str, turn_id: str | None, now: datetime) -> Event:
    """The end of a question that is not on this file: the companion lost the one on which it was."""
    return _told(thread_id, turn_id, ApprovalEnd(approval_id=approval_id, reason=FILE_LOST), ApprovalState.CLOSED, now)


def _told(thread_id: str, turn_id: str | None, end: ApprovalEnd, state: ApprovalState, now: datetime) -> Event:
    body = {
        "source": translate.SOURCE,
        "method": "approval/ended",
        "approval": encode(end),
        "occurred_at": translate.timestamp(now),
    }
    payload, event_id = msgspec.json.encode(body), f"approval:{end.approval_id}:{state}"
    return Event(thread_id, f"worker.approval.{state}", "approval/ended", event_id, payload, turn_id)


def _ours(row: Row) -> ApprovalOutcome:
    """What our answer amounts to."""
    assert row.choice is not None
    try:
        chosen = questions.chosen_option(row.method, row.params, row.choice.option_id)
    except Unfit:
        return ApprovalOutcome.UNKNOWN
    return _EFFECTS.get(ApprovalEffect(chosen.effect), ApprovalOutcome.ACCEPTED)


def _has_words(row: Row, ours: ApprovalOutcome) -> bool:
    said = row.choice is not None and bool(row.choice.message)
    return said and ours == ApprovalOutcome.DECLINED and not questions.says_words_itself(row.method)


def _is(row: Row, request_id: Any) -> bool:
    return row.codex_id == msgspec.json.encode(request_id).decode()

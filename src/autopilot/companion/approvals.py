"""Questions of Codex to a person, on the companion's file: each is asked once, answered at most once, ended once.

Owns the table `approval`. Synchronous functions inside a transaction of the caller's, like the outbox.

    open ──▶ decided ──▶ answering ──▶ ended
      └─────────┴──────────────────────▶ ended     (it was resolved elsewhere, or is moot)

`decided` is stored before the feed is acknowledged, `answering` before Codex is told: what is found `answering` after
a crash may or may not have reached Codex, and is said again in the same words when Codex asks again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

import msgspec

from autopilot.companion.codex.forms import Choice

REMEMBERED_SECONDS = 14 * 86400.0
"""Ended questions are forgotten after this."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question."""

    approval_id: str
    thread_id: str
    """The thread that asks."""
    told_in: str
    """The thread in whose worker's log that is told: the same, or the one that an ephemeral one came from."""
    turn_id: str | None
    item_id: str | None
    incarnation: str
    codex_id: str
    """As JSON: a number or a string."""
    method: str
    params: dict[str, Any]
    state: str = "open"
    choice: Choice | None = None
    seen: str | None = None
    resolved_at: float | None = None

    @property
    def answered(self) -> bool:
        """Whether Codex was, or may have been, told our answer."""
        return self.state == "answering"


def ask(db: sqlite3.Connection, row: Row, params: bytes) -> bool:
    """Store what is new; False: it was asked before. `params` is exactly what Codex sent."""
    return (
        db.execute(
            "insert into approval (approval_id, thread_id, told_in, turn_id, item_id, incarnation, codex_id, method,"
            " params) values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
            (
                *(row.approval_id, row.thread_id, row.told_in, row.turn_id, row.item_id, row.incarnation, row.codex_id),
                *(row.method, params),
            ),
        ).rowcount
        == 1
    )


def decide(db: sqlite3.Connection, approval_id: str, choice: Choice) -> bool:
    """Keep the first decision; False: there is one already, or the question has ended, or was never asked here."""
    content = None if choice.content is None else msgspec.json.encode(choice.content)
    changed = db.execute(
        "update approval set state = 'decided', option_id = ?, content = ?, message = ?"
        " where approval_id = ? and state = 'open'",
        (choice.option_id, content, choice.message, approval_id),
    )
    return changed.rowcount == 1


def answering(db: sqlite3.Connection, approval_id: str) -> bool:
    """From now on Codex may have the answer; False: the question has ended."""
    changed = db.execute(
        "update approval set state = 'answering' where approval_id = ? and state in ('decided', 'answering')",
        (approval_id,),
    )
    return changed.rowcount == 1


def note_seen(db: sqlite3.Connection, row: Row, seen: str) -> None:
    """What the item shows of how the question was decided."""
    db.execute("update approval set seen = coalesce(seen, ?) where approval_id = ?", (seen, row.approval_id))


def note_resolved(db: sqlite3.Connection, row: Row, now: float) -> None:
    """Codex said that it waits no more."""
    db.execute(
        "update approval set resolved_at = coalesce(resolved_at, ?) where approval_id = ?", (now, row.approval_id)
    )


def end(db: sqlite3.Connection, row: Row, now: float, *, words: bool) -> bool:
    """It is over, and its content is not needed any more; False: it was over before. `words`: the model gets some."""
    changed = db.execute(
        "update approval set state = 'ended', ended_at = ?, params = x'7b7d', content = null,"
        " message = case when ? then message end, words = case when ? then 'due' end"
        " where approval_id = ? and state <> 'ended'",
        (now, words, words, row.approval_id),
    )
    db.execute("delete from approval where ended_at < ?", (now - REMEMBERED_SECONDS,))
    return changed.rowcount == 1


def words_due(db: sqlite3.Connection) -> list[Row]:
    """Ended questions of which the model still is to be told something."""
    return [_row(one) for one in db.execute("select * from approval where words = 'due'")]


def words_said(db: sqlite3.Connection, approval_id: str) -> None:
    """The model was told, or can't be any more."""
    db.execute("update approval set words = 'said', message = null where approval_id = ?", (approval_id,))


def find(db: sqlite3.Connection, approval_id: str) -> Row | None:
    """One question."""
    row = db.execute("select * from approval where approval_id = ?", (approval_id,)).fetchone()
    return None if row is None else _row(row)


def open_ones(db: sqlite3.Connection, thread_id: str | None = None) -> list[Row]:
    """What has not ended: of one thread, or all."""
    if thread_id is None:
        rows = db.execute("select * from approval where state <> 'ended'")
    else:
        rows = db.execute("select * from approval where thread_id = ? and state <> 'ended'", (thread_id,))
    return [_row(one) for one in rows]


def _row(row: sqlite3.Row) -> Row:
    choice = None
    if row["option_id"] is not None:
        content = None if row["content"] is None else msgspec.json.decode(row["content"])
        choice = Choice(row["option_id"], content, row["message"])
    params = msgspec.json.decode(row["params"])
    return Row(
        approval_id=row["approval_id"],
        thread_id=row["thread_id"],
        told_in=row["told_in"] or row["thread_id"],
        turn_id=row["turn_id"],
        item_id=row["item_id"],
        incarnation=row["incarnation"],
        codex_id=row["codex_id"],
        method=row["method"],
        params=params if isinstance(params, dict) else {},
        state=row["state"],
        choice=choice,
        seen=row["seen"],
        resolved_at=row["resolved_at"],
    )

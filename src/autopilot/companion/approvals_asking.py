"""From a question of Codex to the event that asks people, with its row, in one transaction.

Owns which Codex is asking, and which of its questions were heard in the present session. Relies on `questions` for what
a question says. Codex repeats what is still open to whoever takes a thread up: the same question, the same id.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from autopilot.companion import approvals, approvals_ends, evidence, threads
from autopilot.companion.approvals import Row
from autopilot.companion.codex import large, questions, translate
from autopilot.companion.codex.forms import Params
from autopilot.companion.codex.messages import Message
from autopilot.companion.codex.translate import Event
from autopilot.companion.threads import Thread
from autopilot.contract import ApprovalKind, ApprovalRequest, ArtifactMedia, ArtifactRef, encode
from autopilot.contract.approval_ids import approval_id
from autopilot.ops.clock import Clock

UNSUPPORTED = "unsupported"


@dataclass(slots=True)
class Asked:
    """One question, on its way to the file."""

    message: Message
    thread: Thread
    """In whose worker's log it is told."""
    approval_id: str = ""
    """Set when it was stored."""
    refused: bool = False
    """Set where nothing but a refusal can be said to Codex."""

    @property
    def thread_id(self) -> str:
        """The thread in whose worker's log it is told."""
        return self.thread.thread_id


@dataclass(slots=True)
class Asking:
    """Who asks, and since when."""

    clock: Clock
    ttl_ms: int
    """How long a question waits for an answer, where it is ours to refuse it."""
    incarnation: str | None = None
    """Of the Codex whose messages are being written down."""
    shared: bool = False
    """Whether others answer its questions, too."""
    heard: set[str] = field(default_factory=set)
    """The questions of the present session."""
    forgotten: tuple[str, ...] = ()
    """What this very Codex was called before a companion lost its file: what it repeats may have been asked then."""

    def begin(self, incarnation: str, *, shared: bool) -> None:
        """A session with this Codex begins: it repeats what is open."""
        self.incarnation, self.shared = incarnation, shared
        self.heard.clear()

    def ask(self, db: sqlite3.Connection, asked: Asked) -> list[Event]:
        """Store a question; the events that say so. Nothing where no session has begun: it will be asked again."""
        if self.incarnation is None:
            return []
        assert asked.message.method is not None
        thread, method = asked.thread, asked.message.method
        params = _params(asked.message)
        row = _row(thread, self.incarnation, asked.message, params)
        asked.approval_id = row.approval_id
        item = _item(db, row)
        cut = large.cut(asked.message.params, {"threadId": row.thread_id, "turnId": row.turn_id, "itemId": row.item_id})
        shown = questions.form(method, _shown(cut, params), item)
        unknown = shown.kind == ApprovalKind.UNSUPPORTED
        asked.refused = unknown and not self.shared
        if not approvals.ask(db, row, bytes(asked.message.params)):
            return []
        now = self.clock.now()
        request = ApprovalRequest(
            approval_id=row.approval_id,
            incarnation=row.incarnation,
            codex_request_id=msgspec.json.decode(asked.message.id),
            thread_id=row.thread_id,
            turn_id=row.turn_id,
            item_id=row.item_id,
            parent_thread_id=thread.parent_thread_id if row.thread_id == row.told_in else row.told_in,
            kind=shown.kind,
            method=method,
            title=shown.title,
            facts=tuple(shown.facts),
            risk=shown.risk,
            evidence=shown.evidence,
            options=tuple(shown.options),
            form=shown.form,
            url=shown.url,
            answerable=not unknown,
            ttl_ms=None if self.shared or unknown else self.ttl_ms,
        )
        events = [*self._asked_before(thread, row, now), _event(request, row.told_in, cut, translate.timestamp(now))]
        if asked.refused:
            events.append(approvals_ends.closed(db, row, now, reason=UNSUPPORTED))
        return events

    def _asked_before(self, thread: Thread, row: Row, now: datetime) -> list[Event]:
        """The end of the same question under the name that was forgotten: its answer, if there was one, is lost."""
        if self.shared:
            return []
        codex_id = msgspec.json.decode(row.codex_id)
        before = [approval_id(thread.worker_id, name, codex_id, row.item_id) for name in self.forgotten]
        return [approvals_ends.lost(row.told_in, one, row.turn_id, now) for one in before]


def _item(db: sqlite3.Connection, row: Row) -> Params | None:
    """What Codex said of the item that the question is about; tool servers' questions don't name theirs."""
    server = row.params.get("serverName")
    if row.item_id is None and isinstance(server, str):
        return threads.told_of_call(db, row.thread_id, row.turn_id, server)
    return threads.told(db, row.thread_id, row.turn_id, row.item_id)


def _row(thread: Thread, incarnation: str, message: Message, params: Params) -> Row:
    codex_id = msgspec.json.decode(message.id)
    item_id = next((one for name in ("itemId", "callId") if isinstance(one := params.get(name), str)), None)
    turn_id = params.get("turnId")
    return Row(
        approval_id=approval_id(thread.worker_id, incarnation, codex_id, item_id),
        thread_id=translate.names(message.params).thread_id or thread.thread_id,
        told_in=thread.thread_id,
        turn_id=turn_id if isinstance(turn_id, str) else None,
        item_id=item_id,
        incarnation=incarnation,
        codex_id=msgspec.json.encode(codex_id).decode(),
        method=str(message.method),
        params=params,
    )


def _shown(cut: large.Cut, params: Params) -> Params:
    """What people are shown of the params: what the event has of them, with what refers to the rest."""
    if not cut.refs:
        return params
    shown: Params = msgspec.json.decode(msgspec.json.encode(cut.params))  # the event keeps Codex's own words
    evidence.named(shown.get("fileChanges"), cut.members["artifacts"], "/params/fileChanges")
    return shown


def _evidence_refs(request: ApprovalRequest) -> Iterator[ArtifactRef]:
    """What the evidence leaves out: it stays for as long as the question does."""
    for index, change in enumerate(request.evidence.changes if request.evidence else ()):
        if change.artifact is not None and change.artifact.media_type == ArtifactMedia.TEXT:
            yield replace(change.artifact, path=f"/approval/evidence/changes/{index}/diff")


def _event(request: ApprovalRequest, told_in: str, cut: large.Cut, occurred_at: str) -> Event:
    body = {
        "source": translate.SOURCE,
        "method": request.method,
        "params": cut.params,
        **large.Cut(None, (*cut.refs, *_evidence_refs(request))).members,
        "approval": encode(request),
        "occurred_at": occurred_at,
    }
    return Event(
        thread_id=told_in,
        event_type="worker.approval.requested",
        method=request.method,
        event_id=f"approval:{request.approval_id}:requested",
        payload=msgspec.json.encode(body),
        turn_id=request.turn_id,
        artifacts=cut.artifacts,
    )


def _params(message: Message) -> Params:
    params = msgspec.json.decode(message.params)
    return params if isinstance(params, dict) else {}

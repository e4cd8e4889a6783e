"""The nouns of the ledger: a worker as it stands under its lock, a draft event, the row it becomes.

Owns the stream frame's text, which is built here once and never again. Does no I/O.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from autopilot.contract.errors import Conflict
from autopilot.contract.instants import instant
from autopilot.contract.port import Claims
from autopilot.contract.worker_facts import USAGE
from autopilot.runtime.append_identity import Digests

OPEN_STATUSES = frozenset({"starting", "running", "stopping"})
"""A log that accepts events."""


@dataclass(slots=True)
class Lease:
    """Who may execute for a worker, as of the moment it was read."""

    machine_id: str
    generation: int
    claimed_at: datetime
    expires_at: datetime
    released_at: datetime | None
    ttl_ms: int

    def state(self, now: datetime) -> str:
        """`held`, `released` or `expired`; a worker without a lease row is `never`."""
        if self.released_at is not None:
            return "released"
        return "held" if now < self.expires_at else "expired"


@dataclass(slots=True)
class Worker:
    """One worker as read from the database; current for as long as its lock is held."""

    worker_no: int
    worker_id: str
    owner_user_id: int | None
    owner_guest_scope: str | None
    team_id: str | None
    """The team that shares it: its machine's."""
    adapter: str | None
    latest_seq: int
    oldest_seq: int
    log_bytes: int
    updated_at: datetime
    status: str
    started_at: datetime | None
    stopped_at: datetime | None
    stop_reason: str | None
    stop_verified: bool | None
    facts: str
    lease: Lease | None
    now: datetime
    """The server's time of this reading, never before `updated_at`: what this transaction stamps."""
    stamp: str = ""
    """`now` as `occurredAt`."""
    state_changed: bool = False
    """Whether status, stop or facts were changed and must be saved."""

    def __post_init__(self) -> None:
        self.stand_at(self.now)

    def stand_at(self, now: datetime) -> None:
        """Stamp with this time from here on, or with that of the latest event where it is later."""
        self.now = max(now, self.updated_at)
        self.stamp = instant(self.now)

    @property
    def is_open(self) -> bool:
        """Whether the log accepts events."""
        return self.status in OPEN_STATUSES

    def require_open(self) -> None:
        """Go on only where the log accepts events.

        Raises:
            Conflict: `worker_stopped`, or `worker_not_running` where it failed.
        """
        if not self.is_open:
            reason = "worker_stopped" if self.status == "stopped" else "worker_not_running"
            raise Conflict(f"the worker is {self.status}: create or reattach to resume", reason_code=reason)


class Draft(msgspec.Struct, gc=False):
    """An event on its way into a log: checked, redacted, encoded; without a place yet."""

    event_type: str
    payload: str
    """JSON text on one line, redacted."""
    value: dict[str, Any]
    """The same payload, decoded."""
    event_id: str
    actor: str
    """JSON text of the envelope's `actor`."""
    x_request_id: str = "null"
    """JSON text of the envelope's `xRequestId`."""
    digest: bytes | None = None
    """What is kept to know the content again: `AS_STORED`, or its keyed digest before redaction where that altered it.
    None: `event_id` alone is the identity."""
    digests: Digests | None = None
    """Make that digest, of this draft and of what may be the same."""
    written: dict[str, Any] | None = None
    """The payload before redaction, where that altered it."""
    producer_seq: int | None = None
    late: bool = False

    @property
    def method(self) -> str | None:
        """`payload.method`, where it is a string."""
        method = self.value.get("method")
        return method if isinstance(method, str) else None

    def says_the_same(self, recorded: bytes | None) -> bool:
        """Whether what was recorded under its `event_id`, with this digest, is this very event."""
        if recorded is None or self.digests is None:
            return True
        return self.digests.fits(recorded, *self._content)

    def made_digest(self) -> bytes | None:
        """The digest of its content; None: `event_id` alone is the identity."""
        return None if self.digests is None else self.digests.make(*self._content)

    @property
    def _content(self) -> tuple[str, dict[str, Any]]:
        return self.event_type, self.value if self.written is None else self.written


class Row(msgspec.Struct, gc=False):
    """An event in its place."""

    worker: Worker
    seq: int
    draft: Draft
    frame: str
    """The envelope's JSON text."""
    model: str | None = None
    """Of a report of usage: the worker's model, true at this seq."""


@dataclass(slots=True)
class Batch:
    """What one caller wants appended to one log: all of it or nothing."""

    worker_id: str
    claims: Claims
    drafts: list[Draft]
    generation: int | None = None
    """The lease generation an executor believes to hold."""
    event_types: set[str] = field(init=False)
    methods: set[str] = field(init=False)
    """Of the payloads that have one."""

    def __post_init__(self) -> None:
        self.event_types = {draft.event_type for draft in self.drafts}
        methods = [draft.value.get("method") for draft in self.drafts]
        self.methods = {method for method in methods if isinstance(method, str)}

    @property
    def size_bytes(self) -> int:
        """What the drafts weigh in the queue."""
        return sum([len(draft.payload) for draft in self.drafts])


class Outcome(msgspec.Struct, gc=False, frozen=True):
    """What became of one draft."""

    draft: Draft
    seq: int
    occurred_at: str
    duplicate: bool = False


class Known(msgspec.Struct, gc=False):
    """An event that is recorded already under an id, or is about to be."""

    seq: int
    said: Draft | bytes | None
    """The event itself, or the digest of its content; None: `event_id` alone is its identity."""
    occurred_at: str

    def is_said_by(self, draft: Draft) -> bool:
        """Whether a draft of the same id is this very event."""
        return draft.says_the_same(self.said.made_digest() if isinstance(self.said, Draft) else self.said)


@dataclass(slots=True)
class Span:
    """A run of one worker's rows: freshly committed, for those who follow it, or about to be."""

    worker: Worker
    first_seq: int
    drafts: list[Draft] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)


def text(value: str) -> str:
    """`value` as a JSON string."""
    return f'"{value}"' if _is_plain(value) else json.dumps(value, ensure_ascii=False)


def _is_plain(value: str) -> bool:
    """Whether it stands between quotes as it is."""
    return value.isascii() and value.isprintable() and '"' not in value and "\\" not in value


def text_or_null(value: str | None) -> str:
    """`value` as a JSON string, or null."""
    return "null" if value is None else text(value)


def actor_of(claims: Claims) -> str:
    """The envelope's `actor`, from the token."""
    return _actor(claims.user_id, claims.device_id, claims.machine_id, claims.surface, claims.guest_scope)


@functools.lru_cache(maxsize=1000)
def _actor(
    user_id: int | None, device_id: str | None, machine_id: str | None, surface: str, guest_scope: str | None
) -> str:
    actor: dict[str, Any] = {
        "user_id": user_id,
        "device_id": device_id,
        "machine_id": machine_id,
        "surface": surface,
    }
    if guest_scope is not None:
        actor["guest_scope"] = guest_scope
    return json.dumps(actor, ensure_ascii=False, separators=(",", ":"))


RUNTIME_ACTOR = actor_of(Claims(surface="runtime"))
"""The actor of what the runtime writes on its own account."""


def runtime_draft(
    event_type: str,
    value: dict[str, Any],
    *,
    event_id: str,
    actor: str = RUNTIME_ACTOR,
    x_request_id: str | None = None,
) -> Draft:
    """An event that the runtime writes; `value` must be redacted, `event_id` new in the worker's log by construction.

    `actor` is the runtime's own, or (`actor_of`) that of whoever caused it.
    """
    payload = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Draft(event_type, payload, value, event_id, actor, text_or_null(x_request_id))


def frame_of(worker: Worker, seq: int, draft: Draft) -> str:
    """The envelope's JSON text. Keys in the contract's order; `late` and `teamId` only where it is so.

    A report of usage says for whom it counts: the team that shares the worker at this moment, which nothing else of the
    log would tell.
    """
    late = ',"late":true' if draft.late else ""
    if worker.team_id is not None and draft.method == USAGE:
        late += f',"teamId":{text(worker.team_id)}'
    return (
        f'{{"workerId":"{worker.worker_id}","seq":{seq},"eventType":"{draft.event_type}","payload":{draft.payload},'
        f'"occurredAt":"{worker.stamp}","actor":{draft.actor},"xRequestId":{draft.x_request_id},'
        f'"eventId":{text(draft.event_id)}{late}}}'
    )


def frames_of(worker: Worker, first_seq: int, drafts: Sequence[Draft]) -> list[str]:
    """The same of a run of one caller's drafts that are `worker.event`, none of them late or a report of usage."""
    ids = [draft.event_id for draft in drafts]
    quote = '"' if _is_plain("".join(ids)) else ""
    names = ids if quote else map(text, ids)
    first = drafts[0]
    head = f'{{"workerId":"{worker.worker_id}","seq":'
    tail = f',"occurredAt":"{worker.stamp}","actor":{first.actor},"xRequestId":{first.x_request_id},"eventId":{quote}'
    return [
        f'{head}{seq},"eventType":"worker.event","payload":{draft.payload}{tail}{name}{quote}}}'
        for seq, (draft, name) in enumerate(zip(drafts, names, strict=True), first_seq)
    ]


_PAYLOAD = ',"payload":'
_AFTER_PAYLOAD = ',"occurredAt":"'


def payload_bounds(frame: str) -> tuple[int, int]:
    """Where the payload of a frame begins and ends.

    Its keys can't be mistaken for the envelope's: nothing before the envelope's own `payload` and nothing after its own
    `occurredAt` can hold these words with their quotes unescaped.

    Raises:
        ValueError: it is no frame of ours.
    """
    return frame.index(_PAYLOAD) + len(_PAYLOAD), frame.rindex(_AFTER_PAYLOAD)


Columns = tuple[list[int], list[int], list[str], list[str], list[bytes | None], list[str], list[int]]
"""worker_no, seq, event_id, event_type, digest, frame and end_byte of rows."""


def columns_of(rows: Sequence[Row]) -> Columns:
    """Rows as the columns that are stored; moves `log_bytes` of their workers to the end of them."""
    ends = []
    for row in rows:
        worker, frame = row.worker, row.frame
        worker.log_bytes += len(frame) if frame.isascii() else len(frame.encode())
        ends.append(worker.log_bytes)
    drafts = [row.draft for row in rows]
    return (
        [row.worker.worker_no for row in rows],
        [row.seq for row in rows],
        [draft.event_id for draft in drafts],
        [draft.event_type for draft in drafts],
        [draft.digest for draft in drafts],
        [row.frame for row in rows],
        ends,
    )


def worker_of(record: asyncpg.Record) -> Worker:
    """A row of `read_workers` or `find_worker`."""
    lease = None
    if record["machine_id"] is not None:
        lease = Lease(
            record["machine_id"],
            record["generation"],
            record["claimed_at"],
            record["expires_at"],
            record["released_at"],
            record["ttl_ms"],
        )
    return Worker(
        worker_no=record["worker_no"],
        worker_id=record["worker_id"],
        owner_user_id=record["owner_user_id"],
        owner_guest_scope=record["owner_guest_scope"],
        team_id=record["team_id"],
        adapter=record["adapter"],
        latest_seq=record["latest_seq"],
        oldest_seq=record["oldest_seq"],
        log_bytes=record["log_bytes"],
        updated_at=record["updated_at"],
        status=record["status"],
        started_at=record["started_at"],
        stopped_at=record["stopped_at"],
        stop_reason=record["stop_reason"],
        stop_verified=record["stop_verified"],
        facts=record["facts"],
        lease=lease,
        now=record["read_at"],
    )


def spans_of(rows: Sequence[Row]) -> list[Span]:
    """Rows of one transaction, by worker, each span contiguous and in order."""
    spans: dict[int, Span] = {}
    for row in rows:
        span = spans.get(row.worker.worker_no)
        if span is None:
            span = spans[row.worker.worker_no] = Span(row.worker, row.seq)
        span.drafts.append(row.draft)
        span.frames.append(row.frame)
    return list(spans.values())

"""From what Codex says to what the ledger keeps. Pure: no clock but the one handed in, no I/O, no state.

A notification that names a thread becomes an event of that thread's worker; `error` becomes `worker.error`; one that
names none is a fact of the machine. Item and turn events get identities made of thread, turn, item and phase, so that
a copy read from Codex's history later is the same event. Source: docs/protocol.md, "Events".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from autopilot.companion.codex import large
from autopilot.companion.codex.messages import ABSENT, EMPTY, Message

SOURCE = "autopilot-desktop"
EVENT_ID_CHARACTERS = 120
"""The ledger takes events up to 4 MiB; the rest of the event needs some room."""

DELTAS = frozenset(
    {
        "item/agentMessage/delta",
        "item/plan/delta",
        "item/reasoning/summaryTextDelta",
        "item/reasoning/textDelta",
        "item/commandExecution/outputDelta",
        "item/fileChange/outputDelta",
    }
)
"""Previews whose `delta` may be joined with its neighbour's."""

HIDDEN_THREAD_SOURCES = frozenset({"thread_title"})
"""Threads that Codex's own programs make for themselves."""


Shape = TypeVar("Shape", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Event:
    """One event for a worker's log."""

    thread_id: str
    event_type: str
    method: str
    event_id: str
    payload: bytes
    """JSON text; holds `params` exactly as Codex wrote them."""
    turn_id: str | None = None
    item_id: str | None = None
    item_type: str | None = None
    preview: bool = False
    """A delta: may be lost without loss of truth."""
    artifacts: tuple[large.Artifact, ...] = ()
    """What the payload leaves out, and refers to."""


class _Thread(msgspec.Struct, frozen=True):
    id: Any = None
    ephemeral: Any = None
    threadSource: Any = None  # noqa: N815  # the wire's name
    parentThreadId: Any = None  # noqa: N815  # the wire's name
    forkedFromId: Any = None  # noqa: N815  # the wire's name


class _Turn(msgspec.Struct, frozen=True):
    id: Any = None
    status: Any = None


class _Item(msgspec.Struct, frozen=True):
    id: Any = None
    type: Any = None
    status: Any = None


class _Params(msgspec.Struct, frozen=True):
    """The names in a notification's params; every other member is skipped, not decoded."""

    threadId: Any = None  # noqa: N815  # the wire's name
    conversationId: Any = None  # noqa: N815  # what the two legacy approvals call the thread
    turnId: Any = None  # noqa: N815  # the wire's name
    itemId: Any = None  # noqa: N815  # the wire's name
    thread: msgspec.Raw = ABSENT
    turn: msgspec.Raw = ABSENT
    item: msgspec.Raw = ABSENT


@dataclass(frozen=True, slots=True)
class Names:
    """Whom a message is about."""

    thread_id: str | None = None
    turn_id: str | None = None
    item_id: str | None = None
    item_type: str | None = None
    turn_status: str | None = None
    hidden_thread: bool = False
    """The message introduces a thread that must not become a worker."""
    came_from: str | None = None
    """The thread that the one it introduces is a sub-agent's or a copy of."""


def names(params: msgspec.Raw) -> Names:
    """Read the names out of raw params; what has an unexpected shape counts as absent."""
    told = _read(params, _Params)
    thread, turn, item = _read(told.thread, _Thread), _read(told.turn, _Turn), _read(told.item, _Item)
    return Names(
        thread_id=_word(told.threadId) or _word(thread.id) or _word(told.conversationId),
        turn_id=_word(told.turnId) or _word(turn.id),
        item_id=_word(told.itemId) or _word(item.id),
        item_type=_word(item.type),
        turn_status=_word(turn.status),
        hidden_thread=thread.ephemeral is True or thread.threadSource in HIDDEN_THREAD_SOURCES,
        came_from=_word(thread.parentThreadId) or _word(thread.forkedFromId),
    )


def translate(message: Message, named: Names, *, fallback_id: str, now: datetime, coalesced: int = 1) -> Event | None:
    """The event a notification is, or None when it names no thread.

    `fallback_id` is the event id of what Codex will never say a second time (incarnation and counter); `coalesced` how
    many previews it stands for.
    """
    if named.thread_id is None or message.method is None:
        return None
    occurred = moment(message.emittedAtMs) or now
    return make(
        named,
        message.method,
        message.params,
        event_id=identity(message.method, named) or fallback_id,
        occurred_at=occurred,
        **({"coalesced": coalesced} if coalesced > 1 else {}),
    )


def make(named: Names, method: str, params: Any, *, event_id: str, occurred_at: datetime, **more: Any) -> Event:
    """An event in the desktop's payload form; `more` are further members of the payload.

    What is too large for it becomes artifacts. Previews are not: the truth that they preview is.
    """
    assert named.thread_id is not None
    payload, artifacts = encode_payload(method, params, occurred_at, **more), ()
    if len(payload) > (large.EVENT_BYTES if method in DELTAS else large.LONG_BYTES):
        cut = large.cut(params, _about(named))
        payload, artifacts = encode_payload(method, cut.params, occurred_at, **cut.members, **more), cut.artifacts
    return Event(
        thread_id=named.thread_id,
        event_type="worker.error" if method == "error" else "worker.event",
        method=method,
        event_id=event_id,
        payload=payload,
        turn_id=named.turn_id,
        item_id=named.item_id,
        item_type=named.item_type,
        preview=method in DELTAS,
        artifacts=artifacts,
    )


def identity(method: str, named: Names) -> str | None:
    """The event id of a phase of a thread, turn or item: the same for a live event and for its copy from history."""
    parts = {
        "thread/started": ("thread", "started"),
        "item/started": ("item", named.turn_id, named.item_id, "started"),
        "item/completed": ("item", named.turn_id, named.item_id, "completed"),
        "turn/started": ("turn", named.turn_id, "started"),
        "turn/completed": ("turn", named.turn_id, "completed"),
    }.get(method)
    if parts is None or None in parts:
        return None
    words = [part for part in parts if part is not None]
    plain = ":".join(words)
    if len(plain) <= EVENT_ID_CHARACTERS and plain.isascii() and plain.isprintable() and " " not in plain:
        return plain
    digest = hashlib.sha256("\x00".join((str(named.thread_id), *words)).encode()).hexdigest()[:40]
    return f"{words[0]}:{digest}:{words[-1]}"


def encode_payload(method: str, params: Any, occurred_at: datetime, **more: Any) -> bytes:
    """`{source, method, params, occurred_at, …}`; `params` may be raw text, and then stays it."""
    body = {"source": SOURCE, "method": method, "params": params, **more, "occurred_at": timestamp(occurred_at)}
    return msgspec.json.encode(body)


def timestamp(moment_: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return moment_.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(milliseconds: float | None) -> datetime | None:
    """A time from milliseconds since the epoch; None also for what is no time that can be written."""
    if milliseconds is None:
        return None
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _about(named: Names) -> dict[str, Any]:
    """What stands for params of which not even an outline fits: whom they were about."""
    marker: dict[str, Any] = {"threadId": named.thread_id, "turnId": named.turn_id}
    if named.item_type is not None:
        marker["item"] = {"type": named.item_type, "id": named.item_id}
    elif named.item_id is not None:
        marker["itemId"] = named.item_id
    return marker


def _read(raw: msgspec.Raw, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(raw or EMPTY, type=shape)
    except msgspec.DecodeError:
        return shape()


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Streams: what a follower reads, event by event."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.event import Actor

__all__ = [
    "ByeReason",
    "Envelope",
    "FrameSet",
    "GoneKind",
    "RecoveryState",
    "StateGone",
    "StateRecovery",
    "StreamBye",
    "StreamCaughtUp",
    "StreamOpen",
    "StreamStale",
]


class ByeReason(StrEnum):
    """Why a stream ends before its time."""

    TAIL_ENDED = "tail_ended"
    """`tail_ms` is over."""
    SHUTDOWN = "shutdown"
    """The server is going down; another one answers."""
    REVOKED = "revoked"
    """The session was revoked, or its token ran out."""
    UNAVAILABLE = "unavailable"
    """The runtime can't be reached."""
    STALE_CURSOR = "stale_cursor"
    """The follower's place is no longer in the log: start again from the snapshot."""
    ROLES = "roles"
    """What the reader may see has changed: open it again, with what it may see now."""


class GoneKind(StrEnum):
    """What a reader may see no more."""

    WORKER = "worker"
    """A worker, and what was told of its approvals and receipts."""
    MACHINE = "machine"
    """A machine, and what was told of its receipts."""


class RecoveryState(StrEnum):
    """How it stands with a recovery."""

    HELD = "held"
    """The device is held: what would shut others out waits."""
    OVER = "over"
    """It is held no longer, or signed out."""


class FrameSet(StrEnum):
    """Frames beyond the events themselves."""

    CONTROL = "control"
    """Open, caught up, bye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One event as a reader gets it: the data of a stream's frame, and an item of a page. Its keys keep this order."""

    workerId: str
    """Which worker."""
    seq: int
    """Its place in the log: 1, 2, 3, no gaps. Equals the frame's `id`."""
    eventType: str
    """What happened. The frame's `event` is `codex.` and this."""
    payload: dict[str, Any]
    """The facts, as the writer sent them but for redaction. Of a pruned event: `{"method", "pruned": true}`."""
    occurredAt: str
    """When it was recorded, by the server's clock."""
    actor: Actor | None = None
    """Who appended it."""
    xRequestId: str | None = None
    """The request id of the call that appended it."""
    eventId: str | None = None
    """Its identity within the worker."""
    teamId: str | None = None
    """Of a report of usage: the team that shared the worker then, for which it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOpen:
    """Data of the frame `codex.stream.open`: the first of a stream that asked for `frames=control`."""

    latest_seq: int
    """The last event when the stream was opened."""
    oldest_seq: int
    """The oldest event still there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCaughtUp:
    """Data of the frame `codex.stream.caught_up`: what follows is live."""

    seq: int | None = None
    """The last event sent; null on a principal's stream."""
    complete: bool | None = None
    """A principal's stream only: everything there is was named. What was not named since the opening is no open
    request.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStale:
    """Data of the frame `codex.stream.stale` of a principal's stream: the log of one worker does not go on from the
    reader's cursor. It goes on after `latest_seq`; what is between is not sent. Has an `id`, and comes unasked.
    """

    workerId: str
    """Which worker."""
    oldest_seq: int
    """The oldest event still there."""
    latest_seq: int
    """The last event; the next one sent is after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateGone:
    """Data of the frame `codex.state.gone` of a principal's stream: what was told may be read no more, because it was
    taken out of a team. What was told of its approvals and receipts is gone with it. Has an `id`, and comes
    unasked.
    """

    kind: str
    """What it is. (`GoneKind`)"""
    id: str
    """The worker's or machine's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRecovery:
    """Data of the frame `codex.state.recovery` of a principal's stream: somebody came in without a passkey, although
    the user has some. Told to that user alone; has no `id`, and comes unasked.
    """

    state: str
    """How it stands. (`RecoveryState`)"""
    device_id: str
    """The device that came in: what to confirm, or to revoke."""
    device_name: str | None = None
    """What it called itself."""
    platform: str | None = None
    """What it says that it runs on."""
    surface: str
    """What kind of client it is. (`Surface`)"""
    address: str | None = None
    """From where it was heard last."""
    began_at: str
    """When it came in."""
    held_until: str
    """Until when it is held, unless somebody confirms it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBye:
    """Data of the frame `codex.stream.bye`: the last of a stream that asked for `frames=control`."""

    reason: str
    """Why. (`ByeReason`)"""
    retry_ms: int | None = None
    """When to come back, in milliseconds."""

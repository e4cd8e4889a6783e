# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Machines: registration, leases, heartbeats and the feed that each one reads."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from autopilot.contract._generated.worker import Owner

__all__ = [
    "ClaimLease",
    "FeedAck",
    "FeedAcked",
    "FeedEntry",
    "FeedKind",
    "FeedRequest",
    "HeartbeatLease",
    "HeartbeatResult",
    "HeartbeatWorker",
    "LeaseGrant",
    "Machine",
    "MachineFact",
    "MachineHeartbeat",
    "RegisterMachine",
    "ReleaseLease",
    "RenewalState",
    "SealHead",
    "SetMachineTeam",
]


class RenewalState(StrEnum):
    """What became of a worker's lease at a heartbeat."""

    RENEWED = "renewed"
    """Held on."""
    FENCED = "fenced"
    """A higher generation exists."""
    EXPIRED = "expired"
    """It ran out: claim again."""
    STOPPED = "stopped"
    """The worker is stopped."""
    UNKNOWN = "unknown"
    """No such worker or lease of this machine."""


class FeedKind(StrEnum):
    """What an entry of the feed is."""

    EVENT = "event"
    """What others put into the log of one of the machine's workers: `body` is an Envelope."""
    REQUEST = "request"
    """A request to carry out: `body` is a FeedRequest."""
    DECISION = "decision"
    """A decision on an approval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFact:
    """What a machine's Codex said last of one kind, where that concerns no worker: rate limits, the account, a
    warning.
    """

    method: str
    """The kind: the method of Codex's notification."""
    params: dict[str, Any]
    """The notification's parameters, redacted; what is over 16 KiB comes as `{"truncated":{"bytes"}}`."""
    occurred_at: str
    """When Codex said it, by the machine's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealHead:
    """A link of the chain of seals: who keeps the latest notices a chain that was cut back, or made anew."""

    seal_no: int
    """Its number: 1, 2, 3."""
    digest: str
    """Its digest, in hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One host with a companion."""

    machine_id: str
    """Which one."""
    name: str
    """What its owner calls it."""
    platform: str | None = None
    """Its operating system and processor."""
    companion_version: str | None = None
    """Version of its companion."""
    codex_version: str | None = None
    """Version of its Codex."""
    desktop_session_id: str | None = None
    """The companion's current start: new at each."""
    registered_at: str | None = None
    """When it was first registered."""
    last_heard_at: str | None = None
    """When the server last heard of its companion."""
    owner: Owner | None = None
    """Who owns it."""
    role: str | None = None
    """What the asking principal may do with it. (`Role`)"""
    facts: tuple[MachineFact, ...] = ()
    """What its Codex said last that concerns no worker: one of each kind, by method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMachineTeam:
    """Body that puts a machine into a team, or takes it out of the one it is in."""

    team_id: str | None = None
    """The team; null: no team. It must be there, so that nothing is taken out by a slip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMachine:
    """Body of a registration; idempotent by `machine_id`."""

    machine_id: str
    """Which one: the machine of the token."""
    name: str | None = None
    """What its owner calls it."""
    platform: str | None = None
    """Its operating system and processor."""
    companion_version: str | None = None
    """Version of its companion."""
    codex_version: str | None = None
    """Version of its Codex."""
    desktop_session_id: str | None = None
    """The companion's current start: new at each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLease:
    """Body of a claim: asks to execute for a worker."""

    machine_id: str
    """The machine of the token."""
    ttl_ms: int | None = None
    """For how long, in milliseconds; 60 s when missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGrant:
    """Answer to a claim: the lease."""

    generation: int
    """Its generation: fences every lower one."""
    expires_at: str
    """When it ends unless renewed, by the server's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLease:
    """Body of a release: a clean end."""

    machine_id: str
    """The machine of the token."""
    generation: int
    """The lease it was granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatWorker:
    """A worker that a machine says it executes for."""

    worker_id: str
    """Which one."""
    generation: int
    """The lease it was granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineHeartbeat:
    """Body of a machine's heartbeat: one for all its workers."""

    desktop_session_id: str | None = None
    """The companion's current start."""
    workers: tuple[HeartbeatWorker, ...] = ()
    """The workers it executes for."""
    facts: tuple[MachineFact, ...] = ()
    """What its Codex said since the last heartbeat that concerns no worker; kept until something of the same kind
    comes.
    """
    kept_seal: SealHead | None = None
    """The seal that the machine keeps: what does the chain have at its number?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatLease:
    """What became of one worker's lease."""

    worker_id: str
    """Which worker."""
    state: str
    """What became of its lease. (`RenewalState`)"""
    generation: int | None = None
    """The generation in force."""
    expires_at: str | None = None
    """When it ends unless renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatResult:
    """Answer to a machine's heartbeat."""

    machine_id: str
    """Which machine."""
    workers: tuple[HeartbeatLease, ...] = ()
    """Its workers, in the order sent."""
    latest_seal: SealHead | None = None
    """The latest seal, to be kept; null before the first."""
    seal_there: SealHead | None = None
    """What the chain has at the number of `kept_seal`; null where nothing was asked, or it has none of that number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One entry of a machine's feed: the data of the frame `codex.feed.<kind>`."""

    feed_seq: int
    """Its place in the machine's feed: 1, 2, 3, no gaps."""
    kind: str
    """What it is. (`FeedKind`)"""
    worker_id: str | None = None
    """The worker it concerns."""
    seq: int | None = None
    """The event of that worker that caused it."""
    request_id: str | None = None
    """The request it concerns. An urgent entry may come twice: once ahead, once in its place."""
    body: dict[str, Any] | None = None
    """By kind: an Envelope, a FeedRequest, a decision. Null when the request has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRequest:
    """A request to carry out: the body of a feed entry of kind `request`."""

    request_id: str
    """Its identity within the worker or machine."""
    target: str
    """`worker` or `machine`. (`RequestTarget`)"""
    worker_id: str | None = None
    """The worker; null for a request to the machine."""
    method: str
    """What is asked."""
    params: dict[str, Any] | None = None
    """The method's parameters, exactly as sent."""
    x_request_id: str | None = None
    """The request id of the call that asked."""
    traceparent: str | None = None
    """The trace of the call that asked."""
    expires_at: str | None = None
    """When it expires unless delivered; null: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAck:
    """Body of an acknowledgement: everything up to `cursor` is durably with the companion."""

    cursor: int
    """The last `feed_seq` handled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedAcked:
    """Answer to an acknowledgement."""

    machine_id: str
    """Which machine."""
    cursor: int
    """The highest cursor acknowledged so far."""

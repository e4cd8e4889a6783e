# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Artifacts: what is too large for an event, stored beside the log."""

from dataclasses import dataclass
from enum import StrEnum


__all__ = [
    "Artifact",
    "ArtifactLoss",
    "ArtifactMedia",
    "ArtifactPart",
    "ArtifactRef",
    "ArtifactState",
    "StoreArtifacts",
    "StoredPart",
]


class ArtifactState(StrEnum):
    """How far an artifact has come."""

    PENDING = "pending"
    """An event refers to it; not all of it has arrived."""
    STORED = "stored"
    """It can be read."""
    PRUNED = "pruned"
    """Retention took it with its events; what it was is still known."""
    LOST = "lost"
    """Nobody is known who could still bring what is missing."""


class ArtifactLoss(StrEnum):
    """Why nobody is expected to bring the rest of an artifact."""

    MACHINE_REPLACED = "machine_replaced"
    """Another machine executes the worker now."""
    MACHINE_REVOKED = "machine_revoked"
    """The machine was signed out."""
    OVERDUE = "overdue"
    """It was announced thirty days ago."""


class ArtifactMedia(StrEnum):
    """What an artifact's text is."""

    TEXT = "text/plain"
    """The text of a string."""
    JSON = "application/json"
    """JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRef:
    """Where an event, or a receipt, stands for more than it holds: an entry of `payload.artifacts`, or of `artifacts`."""

    artifact_id: str
    """Names it among the worker's: the first 32 digits of `sha256`, so the same content is stored once."""
    path: str
    """JSON Pointer (RFC 6901) into the payload, or the receipt: the string of which only head and tail are there, or
    the object.
    """
    bytes: int
    """Of the whole, as UTF-8."""
    sha256: str
    """Of the whole, in hexadecimal digits."""
    media_type: str
    """`text/plain` for a string, `application/json` for an object. (`ArtifactMedia`)"""
    head_bytes: int
    """Bytes of the whole that the string begins with."""
    tail_bytes: int
    """Bytes of the whole that the string ends with."""
    left_out_bytes: int | None = None
    """Bytes that the artifact itself leaves out, since even it has a limit; null or 0: it is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An artifact of a worker, without its content."""

    artifact_id: str
    """Which one."""
    state: str
    """How far it has come. (`ArtifactState`)"""
    seq: int
    """The last event that refers to it."""
    path: str
    """Where in that event."""
    media_type: str
    """What its text is. (`ArtifactMedia`)"""
    bytes: int
    """Of the whole, as its event says."""
    sha256: str
    """Of the whole, as its event says."""
    received_bytes: int
    """Bytes of the whole that have arrived."""
    stored_bytes: int
    """Bytes that can be read, or could be before they were pruned; 0 while it is pending. Of a lost one: what arrived
    of it.
    """
    stored_sha256: str | None = None
    """Of what is stored; it differs from `sha256` where something was redacted, or cut off."""
    redacted: bool
    """Whether a credential was taken out when it was stored."""
    truncated: bool
    """Whether it is not the whole: the executor or the installation had no more room."""
    announced_at: str
    """When an event first referred to it."""
    stored_at: str | None = None
    """Since when it can be read."""
    lost_reason: str | None = None
    """Why it is lost; null unless it is. (`ArtifactLoss`)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactPart:
    """A piece of an artifact, from an executor."""

    artifact_id: str
    """Of which one: an event that refers to it must be in the log."""
    offset: int
    """Where it begins, in bytes of the whole; what begins elsewhere than at `next_offset` is not taken."""
    text: str
    """The text: up to the end of the artifact, or at least 65536 bytes. Empty: only to learn `next_offset`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreArtifacts:
    """Pieces of one worker's artifacts."""

    artifacts: tuple[ArtifactPart, ...] = ()
    """The pieces, each judged by itself."""
    generation: int | None = None
    """The lease generation that the executor holds, or held last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """What became of a piece."""

    artifact_id: str
    """Of which artifact."""
    state: str
    """`pending` (go on at `next_offset`), `stored` or `pruned` (nothing is wanted), or `unknown`: no event refers to
    it.
    """
    next_offset: int
    """Where to go on, in bytes of the whole."""

# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about artifacts."""

from dataclasses import dataclass

from autopilot.contract._generated.artifact import Artifact, StoredPart

__all__ = ["ArtifactContent", "ListArtifactsResponse", "StoreArtifactsResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListArtifactsResponse:
    """A page of artifacts."""

    data: tuple[Artifact, ...] = ()
    """The artifacts."""
    next: str | None = None
    """`before` of the following page; null at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactContent:
    """The text itself, not JSON."""

    text: str
    """UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreArtifactsResponse:
    """What became of each."""

    data: tuple[StoredPart, ...] = ()
    """In the order of the pieces."""

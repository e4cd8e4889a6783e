# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Sandboxes: which place, made for the purpose, is bound to which worker."""

from dataclasses import dataclass


__all__ = ["SandboxBinding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxBinding:
    """A place bound to a worker. The companion inside it is a machine like any other."""

    worker_id: str
    """The worker."""
    machine_id: str | None = None
    """The machine that the place's companion enrolled as; null until it did."""
    kind: str
    """The kind of place. (`BackendKind`)"""
    external_id: str | None = None
    """The provider's own id of it."""
    region: str | None = None
    """Where on earth."""
    state: str
    """What is known of it. (`BackendState`)"""
    reason: str | None = None
    """Why it is in this state."""
    image: str | None = None
    """The image or snapshot it was made from."""
    created_at: str | None = None
    """When it was bound."""
    checked_at: str | None = None
    """When the provider was last asked."""
    gone_at: str | None = None
    """When the place was gone."""

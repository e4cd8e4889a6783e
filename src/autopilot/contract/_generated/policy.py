# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Policies: what may be done at all, evaluated in the runtime for every lane alike."""

from dataclasses import dataclass
from enum import StrEnum


__all__ = ["Policy", "PolicyDenial", "PolicyEffect", "PolicyRule"]


class PolicyEffect(StrEnum):
    """What a rule says."""

    ALLOW = "allow"
    """Go on."""
    DENY = "deny"
    """Refuse; `worker.policy.denied` records it."""
    ASK = "ask"
    """Ask a person first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """One rule: the first that matches decides."""

    rule_id: str
    """Which one."""
    effect: str
    """What it says. (`PolicyEffect`)"""
    methods: tuple[str, ...] = ()
    """The request methods it is about; empty: all."""
    machine_ids: tuple[str, ...] = ()
    """The machines it is about; empty: all."""
    backend_kinds: tuple[str, ...] = ()
    """The kinds of place it is about; empty: all. (`BackendKind`)"""
    surfaces: tuple[str, ...] = ()
    """The surfaces it is about; empty: all. (`Surface`)"""
    reason: str | None = None
    """Why, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A named, ordered list of rules."""

    policy_id: str
    """Which one."""
    name: str
    """What people call it."""
    version: int
    """Raised by every change."""
    rules: tuple[PolicyRule, ...] = ()
    """Its rules, in order."""
    updated_at: str | None = None
    """When it last changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDenial:
    """A refusal by policy: the payload of `worker.policy.denied`, and the first detail of the 403."""

    reason_code: str
    """`policy_denied.` and a word: `policy_denied.budget_exhausted`."""
    rule_id: str | None = None
    """The rule that said no, if it was one."""
    method: str | None = None
    """What was refused."""
    request_id: str | None = None
    """The request it came with."""

# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Spend: what Codex reports to have used, counted in the runtime."""

from dataclasses import dataclass
from enum import StrEnum


__all__ = ["Budget", "BudgetTarget", "Spend"]


class BudgetTarget(StrEnum):
    """What a budget is set for."""

    WORKER = "worker"
    """One worker."""
    MACHINE = "machine"
    """One machine."""
    USER = "user"
    """One user."""
    TEAM = "team"
    """One team."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What has been used, as Codex reported it."""

    input_tokens: int
    """Tokens read, cached ones included."""
    cached_input_tokens: int
    """Of these, tokens read from the cache."""
    output_tokens: int
    """Tokens written, reasoning included."""
    reasoning_output_tokens: int
    """Of these, tokens of reasoning."""
    total_tokens: int
    """All of them."""
    seq: int | None = None
    """The event it is true for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A limit of tokens over a period. Over it, new turns are refused: `policy_denied.budget_exhausted`."""

    budget_id: str
    """Which one."""
    target: str
    """What it is set for. (`BudgetTarget`)"""
    target_id: str
    """The worker, machine, user or team."""
    limit_tokens: int
    """The limit."""
    used_tokens: int
    """Used in the current period."""
    period_seconds: int | None = None
    """Length of a period in seconds; null: it never starts anew."""
    period_started_at: str | None = None
    """When the current period began."""

# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Spend: what Codex reports to have used, counted in the runtime."""

from dataclasses import dataclass
from enum import StrEnum


__all__ = ["Budget", "BudgetTarget", "Spend", "SpendBy", "SpendGroup", "SpendReport", "TokenCounts"]


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


class SpendBy(StrEnum):
    """What spend is shown by."""

    DAY = "day"
    """The day (UTC) on which it was recorded."""
    WORKER = "worker"
    """The worker."""
    THREAD = "thread"
    """The thread of a worker."""
    MODEL = "model"
    """The model."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """Tokens, counted."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendGroup:
    """What was used on one day, by one worker, thread or model; the keys of the other ways to look are null."""

    day: str | None = None
    """The day, by `day`."""
    worker_id: str | None = None
    """The worker, by `worker` and `thread`."""
    thread_id: str | None = None
    """The thread, by `thread`."""
    model: str | None = None
    """The model, by `model`; null there where nothing said which it was."""
    tokens: TokenCounts
    """What was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendReport:
    """What a principal's workers used over some days."""

    first_day: str
    """The first day."""
    last_day: str
    """The last day, included."""
    by: str
    """How the groups are made. (`SpendBy`)"""
    groups: tuple[SpendGroup, ...] = ()
    """Those in which something was used: days in their order, others by their total, the greatest first."""
    left_out: int
    """How many groups are not listed, since there are too many."""
    totals: TokenCounts
    """Everything that was used on these days, of groups that are left out too."""

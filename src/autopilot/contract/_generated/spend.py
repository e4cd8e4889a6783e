# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""Spend: what Codex reports to have used, counted in the runtime."""

from dataclasses import dataclass
from enum import StrEnum


__all__ = [
    "Budget",
    "BudgetStanding",
    "BudgetTarget",
    "MachineRateLimits",
    "RateLimitWindow",
    "Spend",
    "SpendBy",
    "SpendGroup",
    "SpendMoney",
    "SpendReport",
    "TokenCounts",
    "UnpricedModel",
]


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
    MACHINE = "machine"
    """The machine that reported it."""
    USER = "user"
    """The user whose worker it was."""
    TEAM = "team"
    """The team that shared the worker when it was recorded."""
    DAY_MODEL = "day_model"
    """The day, and on each the model."""


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
class SpendMoney:
    """Money, in millionths of the currency's unit."""

    micros: int | None = None
    """What the tokens that have a price cost, rounded once, halves up; null: none of them has one."""
    unpriced_tokens: int
    """Tokens of models and days that have no price; they are not in `micros`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpricedModel:
    """A model of which tokens were used on days for which it has no price."""

    model: str | None = None
    """The model; null where nothing said which it was."""
    tokens: int
    """So many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitWindow:
    """How much of one of Codex's rate limits is used, in one of its windows."""

    name: str
    """Codex's own word: `primary`, `secondary`."""
    used_percent: int
    """In percent, as Codex said it."""
    window_minutes: int | None = None
    """Length of the window in minutes; null: Codex did not say."""
    resets_at: str | None = None
    """When it starts anew; null: Codex did not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRateLimits:
    """What the Codex of one machine said last of its rate limits. Machines that share an account say the same limits:
    nothing of this can be added up.
    """

    machine_id: str
    """The machine."""
    machine_name: str
    """Its name."""
    as_of: str
    """When it was said, by the machine's clock."""
    limit_id: str | None = None
    """Which limit; null: Codex did not say."""
    limit_name: str | None = None
    """What people call it."""
    plan: str | None = None
    """The account's plan."""
    windows: tuple[RateLimitWindow, ...] = ()
    """Its windows; empty: Codex said that there is nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendGroup:
    """What was used on one day, by one worker, thread, model, machine, user or team; the keys of the other ways to
    look are null, and so are those of a worker that one may no longer read.
    """

    day: str | None = None
    """The day, by `day` and `day_model`."""
    worker_id: str | None = None
    """The worker, by `worker` and `thread`."""
    thread_id: str | None = None
    """The thread, by `thread`."""
    model: str | None = None
    """The model, by `model` and `day_model`; null there where nothing said which it was."""
    tokens: TokenCounts
    """What was used."""
    machine_id: str | None = None
    """The machine, by `machine`; null there where no machine reported it."""
    money: SpendMoney | None = None
    """What it cost; null: there is no price table."""
    user_id: int | None = None
    """The user, by `user`: whose workers they are."""
    guest_scope: str | None = None
    """The guest, by `user`, where it was no user."""
    email: str | None = None
    """The user's address, by `user`: one's own, and of those who are in a team with one now; else null."""
    team_id: str | None = None
    """The team, by `team`; null there where none shared the worker."""
    team_name: str | None = None
    """The team's name, by `team`, where one is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendReport:
    """What a principal's workers used over some days, and what was used for the principal's teams."""

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
    money: SpendMoney | None = None
    """What all of it cost; null: there is no price table."""
    currency: str | None = None
    """Of all money here: ISO 4217; null: there is no price table."""
    prices_version: int | None = None
    """Which version of the price table; null: there is none."""
    unpriced: tuple[UnpricedModel, ...] = ()
    """Models without a price on some of these days, the most tokens first; at most 100. Empty without a price table."""
    rate_limits: tuple[MachineRateLimits, ...] = ()
    """Codex's rate limits, as of now, whatever the days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStanding:
    """How far a budget is used up, by one of those who have its amount for themselves."""

    budget: str
    """What the document calls it."""
    per: str
    """Who has the amount for themselves: `user`, `worker`, `machine`, `model` or `team`."""
    per_id: str | None = None
    """Which of them; null: nothing was used in this period yet, or it is a worker that one may no longer read."""
    period: str
    """How often it starts anew: `day`, `week`, `month` or `ever`."""
    limit: int
    """The limit in tokens."""
    used: int
    """Used in this period."""
    left: int
    """What of the limit is left; 0 where it is used up."""
    warn_at_tokens: int | None = None
    """From how many tokens on it is warned of; null: never."""
    on_exhausted: str
    """What happens at the end: `refuse` or `interrupt`."""
    level: str | None = None
    """`exhausted`, `warning`; null: neither."""
    starts_on: str
    """The first day (UTC) of the period."""
    resets_at: str | None = None
    """When the next one begins; null: never."""
    document: str
    """Whose document sets it: `installation`, `team` or `user`."""
    version: int
    """The document's version."""
    team_id: str | None = None
    """The team whose document it is, or whose amount."""

"""Spend as a phone shows it: few figures, and meters with words, of totals, groups, budgets and rate limits. Pure.

The words are the web's (web/pages/spend.py), laid out for a narrow screen and for being read aloud.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from autopilot.client.presenters import policies, spend, spend_models
from autopilot.client.presenters.labels import Tone
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.spend import Column
from autopilot.client.presenters.spend_models import ModelColumn
from autopilot.client.presenters.times import ago, exact
from autopilot.contract import BudgetStanding, PriceTable, SpendGroup, SpendReport

PERIODS = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "Year"))
NOTHING_USED = "Nothing was used on these days."
NO_BUDGET = "No budget binds you."
SET_BY_POLICY = "A policy sets budgets."
DAYS_OF = "Days are those of UTC."
LIMITS_ABOUT = "What the Codex of each machine said last. Machines of one account share its limits: they don't add up."
PRICES_ABOUT = "Codex reports tokens, never money: the installation's price table says what they cost."
TOKENS = ("Output", "Input", "Cached input")
"""What a day's tokens are stacked of, from the bottom."""
LISTED = 50
ALMOST, FULL = 90, 100
TONES: dict[str | None, Tone] = {"warning": "warn", "exhausted": "bad"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that counts."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Meter:
    """How much of something."""

    name: str
    words: str
    """Beside the name."""
    share: float
    """From 0 to 1."""
    spoken: str
    """What the bar shows, said."""
    detail: str
    tone: Tone = "busy"
    worker_id: str | None = None
    """Where it leads."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Tokens over time."""

    title: str
    spoken: str
    """What one would see."""
    top: str
    """At the top of its axis."""
    parts: tuple[str, ...]
    """What its columns are stacked of, from the bottom."""
    bars: tuple[tuple[float, ...], ...]
    """For each column the shares of its height, from the bottom."""
    labels: tuple[str, ...]
    """Below the first, the middle and the last column."""
    rows: tuple[tuple[str, str], ...]
    """The days with any use, the latest first, and what it was."""
    sums: tuple[tuple[str, str], ...] = ()
    """What each part comes to on all days, where that is told nowhere else."""
    left_out: str = ""
    """What is not in it; empty where everything is."""


def totals(report: SpendReport) -> tuple[Figure, ...]:
    """All of it."""
    tokens = report.totals
    cost = spend.money_words(report.money, report.currency)
    cached = spend.share_words(tokens.cached_input_tokens, tokens.input_tokens)
    thought = spend.share_words(tokens.reasoning_output_tokens, tokens.output_tokens)
    priced = () if cost is None else (Figure("Cost", cost, _of_prices(cost)),)
    return (
        *priced,
        Figure("Tokens", spend.short(tokens.total_tokens), f"{tokens.total_tokens:,}"),
        Figure("Input", spend.short(tokens.input_tokens), f"{cached} from the cache"),
        Figure("Output", spend.short(tokens.output_tokens), f"{thought} reasoning"),
    )


def _of_prices(cost: str) -> str:
    return "some of it has no price" if cost.endswith("+") else "by the price table"


def plot(report: SpendReport) -> Plot | None:
    """Its days, or weeks; None: nothing was used."""
    if not report.totals.total_tokens:
        return None
    shown = spend.columns(report)
    top = spend.ceiling(max(1, *(one.tokens.total_tokens for one in shown)))
    by_day = all(one.first_day == one.last_day for one in shown)
    used = [one for one in reversed(shown) if one.tokens.total_tokens]
    return Plot(
        title="Tokens a day" if by_day else "Tokens a week",
        spoken=spend.over_time_words(shown),
        top=spend.short(top),
        parts=TOKENS,
        bars=tuple(_shares(one, top) for one in shown),
        labels=_labelled([one.label for one in shown]),
        rows=tuple((one.label, _used(one, report.currency)) for one in used),
    )


def models(report: SpendReport) -> Plot | None:
    """What each model used, of a report `by="day_model"`; None: there are not two to compare."""
    found = spend_models.by_model(report)
    if found is None:
        return None
    return Plot(
        title=found.title,
        spoken=found.words,
        top=spend.short(found.top),
        parts=found.models,
        bars=tuple(tuple(count / found.top for count in one.tokens) for one in found.columns),
        labels=_labelled([one.label for one in found.columns]),
        rows=tuple((one.label, _by_each(found.models, one)) for one in reversed(found.columns) if one.total),
        sums=tuple((name, f"{total:,} tokens") for name, total in zip(found.models, found.totals, strict=True)),
        left_out=found.left_out,
    )


def _by_each(names: Sequence[str], column: ModelColumn) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in zip(names, column.tokens, strict=True) if count)


def _shares(one: Column, top: int) -> tuple[float, ...]:
    cached = min(one.tokens.cached_input_tokens, one.tokens.input_tokens)
    return one.tokens.output_tokens / top, one.fresh_input / top, cached / top


def _labelled(labels: Sequence[str]) -> tuple[str, ...]:
    return tuple(one for at, one in enumerate(labels) if at in {0, len(labels) // 2, len(labels) - 1})


def _used(one: Column, currency: str | None) -> str:
    money = "" if one.micros is None or currency is None else f", {spend.micros_words(one.micros, currency)}"
    return f"{one.tokens.total_tokens:,} tokens{money}"


def groups(by: str, report: SpendReport, names: Mapping[str, str]) -> tuple[Meter, ...]:
    """Where it went; `names`: of workers or machines, by id."""
    return tuple(_group(by, one, report, names) for one in report.groups[:LISTED])


def left_out(report: SpendReport) -> str:
    """That there are more; empty: there are not."""
    more = report.left_out + max(0, len(report.groups) - LISTED)
    return f"{more:,} more are in the total." if more else ""


def _group(by: str, one: SpendGroup, report: SpendReport, names: Mapping[str, str]) -> Meter:
    total = report.totals.total_tokens
    share = spend.share_words(one.tokens.total_tokens, total)
    cost = spend.money_words(one.money, report.currency)
    said = f"{one.tokens.input_tokens:,} in, {one.tokens.output_tokens:,} out"
    return Meter(
        name=spend.name_of(by, one, names),
        words=" · ".join(part for part in (spend.short(one.tokens.total_tokens), cost) if part),
        share=one.tokens.total_tokens / total if total else 0.0,
        spoken=f"{share} of all",
        detail=f"{share} · {said}",
        worker_id=one.worker_id,
    )


def budgets(found: Sequence[BudgetStanding], names: Names) -> tuple[Meter, ...]:
    """What may still be used."""
    return tuple(_budget(one, names) for one in found)


def _budget(one: BudgetStanding, names: Names) -> Meter:
    parts = [
        f"{one.used:,} of {one.limit:,} tokens",
        "used up: no new turns" if one.level == "exhausted" else "",
        f"starts anew {exact(one.resets_at)}" if one.resets_at else "",
        policies.DOCUMENTS.get(one.document, one.document),
    ]
    return Meter(
        name=spend.budget_name(one, names),
        words=f"{spend.short(one.left)} left of {spend.short(one.limit)}, {spend.period_words(one.period)}",
        share=min(1.0, one.used / one.limit) if one.limit else 1.0,
        spoken=f"{spend.share_words(one.used, one.limit)} used",
        detail=" · ".join(part for part in parts if part),
        tone=TONES.get(one.level, "busy"),
    )


def limits(report: SpendReport, now: datetime) -> tuple[Meter, ...]:
    """What is left of Codex's own rate limits, as each machine heard it last."""
    return tuple(
        Meter(
            name=one.machine_name or one.machine_id,
            words=f"{one.limit_name or one.limit_id or 'Codex'} · {spend.window_words(window)}",
            share=min(1.0, window.used_percent / FULL),
            spoken=f"{window.used_percent} % used",
            detail=" · ".join(
                part
                for part in (
                    f"{window.used_percent} % used",
                    f"starts anew {exact(window.resets_at)}" if window.resets_at else "",
                    f"heard {ago(one.as_of, now)}",
                )
                if part
            ),
            tone="bad" if window.used_percent >= FULL else "warn" if window.used_percent >= ALMOST else "busy",
        )
        for one in report.rate_limits
        for window in one.windows
    )


def prices(report: SpendReport, table: PriceTable) -> str:
    """Where the money comes from, and what has none."""
    if not table.version or table.currency is None:
        return f"There is no price table. {PRICES_ABOUT}"
    unpriced = ", ".join(f"{one.model or 'not said'} ({spend.short(one.tokens)})" for one in report.unpriced)
    lacking = f" Without a price, and not in the cost: {unpriced}." if unpriced else ""
    return f"{PRICES_ABOUT} Version {table.version}, in {table.currency}.{lacking}"

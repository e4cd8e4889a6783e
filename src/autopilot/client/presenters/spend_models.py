"""What each model used over time, as columns of a plot: the models that used most, and all others together.

Pure; of a report `by="day_model"`. What one would see is told in words, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.client.presenters import spend
from autopilot.client.presenters.spend import span_words, spans_of
from autopilot.contract import SpendReport

MOST_MODELS = 5
"""So many are told apart by colour; a sixth stands for all others."""
OTHERS = "Others"
UNSAID = "Not said"


@dataclass(frozen=True, slots=True)
class ModelColumn:
    """What was used on a day, or in a week, by each of the plot's models in their order."""

    label: str
    tokens: tuple[int, ...]

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.tokens)


@dataclass(frozen=True, slots=True)
class ModelPlot:
    """Models over time; the greatest first, `Others` last."""

    title: str
    models: tuple[str, ...]
    totals: tuple[int, ...]
    columns: tuple[ModelColumn, ...]
    top: int
    """Where the axis ends."""
    words: str
    """What one would see."""
    left_out: str
    """What is not in it; empty where everything is."""


def by_model(report: SpendReport) -> ModelPlot | None:
    """The plot; None where fewer than two models were used, and there is nothing to compare."""
    used: dict[str, int] = {}
    for one in report.groups:
        used[one.model or UNSAID] = used.get(one.model or UNSAID, 0) + one.tokens.total_tokens
    ranked = sorted(used, key=lambda name: (-used[name], name))
    if len(ranked) < 2:  # noqa: PLR2004 - with one there is nothing to compare
        return None
    shown = ranked if len(ranked) <= MOST_MODELS + 1 else [*ranked[:MOST_MODELS], OTHERS]
    places = {name: min(place, len(shown) - 1) for place, name in enumerate(ranked)}
    columns = _columns(report, places, len(shown))
    totals = tuple(sum(one.tokens[place] for one in columns) for place in range(len(shown)))
    return ModelPlot(
        title="Tokens of each model, by day"
        if len(columns) == spend.days_in(report)
        else "Tokens of each model, by week",
        models=tuple(shown),
        totals=totals,
        columns=columns,
        top=spend.ceiling(max(1, *(one.total for one in columns))),
        words=_words(report, shown, totals),
        left_out=f"{report.left_out:,} entries of the last days are left out." if report.left_out else "",
    )


def _columns(report: SpendReport, places: dict[str, int], width: int) -> tuple[ModelColumn, ...]:
    spans = spans_of(report)
    column_of = {day.isoformat(): number for number, days in enumerate(spans) for day in days}
    counts = [[0] * width for _ in spans]
    for one in report.groups:
        if one.day in column_of:
            counts[column_of[one.day]][places[one.model or UNSAID]] += one.tokens.total_tokens
    return tuple(
        ModelColumn(span_words(days[0], days[-1]), tuple(count)) for days, count in zip(spans, counts, strict=True)
    )


def _words(report: SpendReport, models: list[str], totals: tuple[int, ...]) -> str:
    whole = sum(totals)
    shares = [f"{name} {spend.share_words(total, whole)}" for name, total in zip(models, totals, strict=True)]
    return f"{spend.range_words(report)}: {', '.join(shares)}"

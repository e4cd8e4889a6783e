"""Spend for people: counts in few letters, money, names of what it was used by, and its days as columns of a plot.

Pure. Where there are more days than a small screen has columns, weeks from Monday are put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from autopilot.client.presenters.money import MICROS, amount
from autopilot.client.presenters.people import Names
from autopilot.contract import BudgetStanding, RateLimitWindow, SpendGroup, SpendMoney, SpendReport, TokenCounts

MOST_COLUMNS = 92
"""So many days are shown each for itself."""
WEEK = 7
UNITS = ((10**9, "bn"), (10**6, "M"), (10**3, "k"))
COARSE_FROM_MICROS = 100 * MICROS
"""From so much money on, two decimals are enough."""
NOTHING = TokenCounts(input_tokens=0, cached_input_tokens=0, output_tokens=0, reasoning_output_tokens=0, total_tokens=0)
WAYS = {
    "model": "Models",
    "worker": "Workers",
    "machine": "Machines",
    "user": "People",
    "team": "Teams",
}
"""What spend is looked at by, beside days."""
UNSAID = {"team": "Not shared with a team", "worker": "Workers that are no longer yours to see"}
MINUTES_A_DAY, MINUTES_AN_HOUR = 1440, 60


@dataclass(frozen=True, slots=True)
class Column:
    """What was used on a day, or on the days of a week that are in the report."""

    first_day: date
    last_day: date
    tokens: TokenCounts
    micros: int | None
    """What the tokens with a price cost; None: there is no price table, or none of them has a price."""

    @property
    def fresh_input(self) -> int:
        """Tokens read that were not in the cache."""
        return max(0, self.tokens.input_tokens - self.tokens.cached_input_tokens)

    @property
    def label(self) -> str:
        """Which days: `23 Nov`, `16 to 22 Nov`."""
        return span_words(self.first_day, self.last_day)


def short(count: int) -> str:
    """`1.2 M` for 1234567; what is below a thousand as it is."""
    for size, unit in UNITS:
        if count >= size - size // 2000:  # what would be rounded to a thousand of a smaller unit is one of this
            value = max(1.0, count / size)
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"  # noqa: PLR2004 - three digits
    return str(count)


def day_words(day: date) -> str:
    """`23 Nov`."""
    return f"{day.day} {day:%b}"


def span_words(first: date, last: date) -> str:
    """`23 Nov`, `16 to 22 Nov`, `30 Nov to 6 Dec`."""
    if first == last:
        return day_words(first)
    return f"{first.day if first.month == last.month else day_words(first)} to {day_words(last)}"


def range_words(report: SpendReport) -> str:
    """The days of a report: `25 Oct to 23 Nov`."""
    return f"{day_words(date.fromisoformat(report.first_day))} to {day_words(date.fromisoformat(report.last_day))}"


def days_in(report: SpendReport) -> int:
    """How many days a report is of."""
    return (date.fromisoformat(report.last_day) - date.fromisoformat(report.first_day)).days + 1


def money_words(money: SpendMoney | None, currency: str | None) -> str | None:
    """`12.34 USD`; with a plus where some of it has no price. None: there is no price table, or nothing has a price."""
    if money is None or money.micros is None or currency is None:
        return None
    return f"{micros_words(money.micros, currency)}{'+' if money.unpriced_tokens else ''}"


def micros_words(micros: int, currency: str) -> str:
    """`12.34 USD`; of little money, four decimals."""
    return f"{amount(micros, 2 if micros >= COARSE_FROM_MICROS or micros == 0 else 4, ',')} {currency}"


def share_words(part: int, whole: int) -> str:
    """`43 %`."""
    return f"{round(100 * part / whole)} %" if whole else "0 %"


def name_of(by: str, group: SpendGroup, names: Mapping[str, str]) -> str:
    """What a group is of; `names` are what is known of workers and machines, by id."""
    match by:
        case "worker":
            found = names.get(group.worker_id or "") or group.worker_id
        case "machine":
            found = names.get(group.machine_id or "") or group.machine_id
        case "user":
            user = None if group.user_id is None else f"User {group.user_id}"
            found = group.email or user or group.guest_scope
        case "team":
            found = group.team_name or group.team_id
        case "day":
            found = None if group.day is None else day_words(date.fromisoformat(group.day))
        case _:
            found = group.model
    return found or UNSAID.get(by, "Not said")


def budget_name(one: BudgetStanding, names: Names) -> str:
    """`daily`, and of whom, where each of several has the amount: `daily: laptop`."""
    match one.per:
        case "user":
            is_own = one.per_id == str(names.me)
            whose = None if is_own else _user(one.per_id, names)
        case "machine":
            whose = names.machines.get(one.per_id or "") or one.per_id
        case "team":
            whose = names.teams.get(one.per_id or "") or one.per_id
        case _:
            whose = one.per_id
    return f"{one.budget}: {whose}" if whose else one.budget


def _user(user_id: str | None, names: Names) -> str | None:
    if user_id is None or not (user_id.isascii() and user_id.isdigit()):
        return user_id
    return names.users.get(int(user_id)) or f"User {user_id}"


def period_words(period: str) -> str:
    """How often a budget starts anew."""
    return "in all" if period == "ever" else f"a {period}"


def columns(report: SpendReport) -> list[Column]:
    """Every day of a report by day, those without use too; weeks, where there are many."""
    known = {one.day: one for one in report.groups}
    return [_column(days, known) for days in spans_of(report)]


def spans_of(report: SpendReport) -> list[list[date]]:
    """The days of each column: one, or those of a week."""
    first, last = date.fromisoformat(report.first_day), date.fromisoformat(report.last_day)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    if len(days) <= MOST_COLUMNS:
        return [[day] for day in days]
    weeks: dict[date, list[date]] = {}
    for day in days:
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(day)
    return list(weeks.values())


def _column(days: Sequence[date], known: Mapping[str | None, SpendGroup]) -> Column:
    groups = [known[day.isoformat()] for day in days if day.isoformat() in known]
    priced = [one.money.micros for one in groups if one.money is not None and one.money.micros is not None]
    return Column(days[0], days[-1], total_of([one.tokens for one in groups]), sum(priced) if priced else None)


def over_time_words(shown: Sequence[Column]) -> str:
    """What one would see of columns, in words: the first and last days, and the day of the most."""
    most = max(shown, key=lambda one: one.tokens.total_tokens)
    span = f"{day_words(shown[0].first_day)} to {day_words(shown[-1].last_day)}"
    if not most.tokens.total_tokens:
        return f"{span}, nothing used"
    return f"{span}, most on {most.label}: {most.tokens.total_tokens:,} tokens"


def total_of(counts: Sequence[TokenCounts]) -> TokenCounts:
    """All of them together."""
    return TokenCounts(
        input_tokens=sum(one.input_tokens for one in counts),
        cached_input_tokens=sum(one.cached_input_tokens for one in counts),
        output_tokens=sum(one.output_tokens for one in counts),
        reasoning_output_tokens=sum(one.reasoning_output_tokens for one in counts),
        total_tokens=sum(one.total_tokens for one in counts),
    )


def ceiling(most: int) -> int:
    """The top of a plot's axis: the next of 1, 2, 5 times a power of ten from `most` on."""
    size = 1
    while True:
        for digit in (1, 2, 5):
            if digit * size >= most:
                return digit * size
        size *= 10


def window_words(window: RateLimitWindow) -> str:
    """How long a window of a rate limit is: `5 hours`, `7 days`; where Codex did not say, its name."""
    minutes = window.window_minutes
    if not minutes:
        return window.name
    for size, word in ((MINUTES_A_DAY, "day"), (MINUTES_AN_HOUR, "hour")):
        if minutes % size == 0:
            return f"{minutes // size} {word}{'' if minutes == size else 's'}"
    return f"{minutes} minutes"

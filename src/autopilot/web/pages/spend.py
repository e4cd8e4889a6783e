"""What Codex used: totals, over time, by whom and by what, what it cost, and how much of its limits is left.

`GET /spend?days=30&by=model`, or with `from` and `to` (days of UTC). The API counts; here it is laid out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import htpy as h
from starlette.requests import Request
from starlette.routing import Route

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.presenters import policies, spend, spend_models
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.spend_models import ModelPlot
from autopilot.contract import BudgetStanding, MachineRateLimits, PriceTable, SpendGroup, SpendReport
from autopilot.contract.errors import Unprocessable
from autopilot.web.doors import Doors
from autopilot.web.parts import plot
from autopilot.web.parts.blocks import choices, empty, facts, meter, records, section, table, when
from autopilot.web.parts.copying import SET_PRICES, command
from autopilot.web.parts.layout import BOOST, Screen, bar
from autopilot.web.visitors import Visitor, path_for

PATH = "/spend"
PERIODS = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "Year"))
DEFAULT_DAYS = 30
DEFAULT_BY = "model"
LISTED = 50
"""Groups on the screen; the rest is in the total, and said to be."""
NAMED_WORKERS = 200
MICROS = 1_000_000
LEVELS = {"warning": "almost", "exhausted": "full"}
ALMOST = 90
FULL = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be seen."""

    first_day: date
    last_day: date
    by: str
    days: int | None
    """None: the days were chosen one by one."""

    @classmethod
    def of(cls, query: Mapping[str, str], today: date) -> Asked:
        """What the address says.

        Raises:
            Unprocessable: no days.
        """
        by = query.get("by", DEFAULT_BY)
        by = by if by in spend.WAYS else DEFAULT_BY
        if query.get("from") and query.get("to"):
            return cls(_day(query["from"]), _day(query["to"]), by, None)
        written = query.get("days", "")
        days = int(written) if written in {str(length) for length, _ in PERIODS} else DEFAULT_DAYS
        return cls(today - timedelta(days=days - 1), today, by, days)

    def path(self, **other: Any) -> str:
        """The address of this, but for what is said here."""
        span = {"from": self.first_day.isoformat(), "to": self.last_day.isoformat()}
        query = {**({"days": self.days} if self.days else span), "by": self.by}
        if "days" in other:
            query = {"by": self.by}
        return f"{PATH}?{urlencode({**query, **other})}"


def routes(doors: Doors) -> list[Route]:
    """Its paths."""

    async def look(request: Request, visitor: Visitor) -> Screen:
        return await show(request, visitor, await doors.names.of(visitor))

    return [doors.page(PATH, look)]


async def show(request: Request, visitor: Visitor, known: Names) -> Screen:
    """The screen.

    Raises:
        Unprocessable: no such days.
    """
    client = visitor.client
    asked = Asked.of(request.query_params, datetime.now(UTC).date())
    span = {"first_day": asked.first_day, "last_day": asked.last_day}
    over_time = await client.spend(by="day", **span)
    models = spend_models.by_model(await client.spend(by="day_model", **span))
    report = await client.spend(by=asked.by, **span)
    names = await _names(client, asked.by, known)
    prices = await client.prices()
    body = [
        bar("Spend"),
        records(
            choices("Period", ((asked.path(days=days), name, days == asked.days) for days, name in PERIODS)),
            _own_days(asked),
            _totals(over_time),
            _over_time(over_time),
            _by_model(models) if models else None,
            _groups(asked, report, names),
            _budgets(await client.budgets(), known),
            _limits(report.rate_limits),
            _prices(report, prices),
        ),
    ]
    return Screen("spend", "Spend", body, tab=PATH)


def _own_days(asked: Asked) -> h.Element:
    first, last = asked.first_day.isoformat(), asked.last_day.isoformat()
    return h.details(".own", open=asked.days is None)[
        h.summary["Other days"],
        h.form(".row", {"action": PATH, "method": "get", **BOOST})[
            h.input(type="hidden", name="by", value=asked.by),
            h.label["From", h.input(type="date", name="from", value=first, required=True)],
            h.label["To", h.input(type="date", name="to", value=last, required=True)],
            h.button(type="submit")["Show"],
        ],
    ]


def _totals(report: SpendReport) -> h.Element:
    tokens = report.totals
    cost = spend.money_words(report.money, report.currency)
    cached = spend.share_words(tokens.cached_input_tokens, tokens.input_tokens)
    thought = spend.share_words(tokens.reasoning_output_tokens, tokens.output_tokens)
    return h.div(".tiles")[
        _tile("Cost", cost, "some of it has no price" if cost.endswith("+") else "by the price table")
        if cost
        else None,
        _tile("Tokens", spend.short(tokens.total_tokens), f"{tokens.total_tokens:,}"),
        _tile("Input", spend.short(tokens.input_tokens), f"{cached} from the cache"),
        _tile("Output", spend.short(tokens.output_tokens), f"{thought} reasoning"),
    ]


def _tile(name: str, value: str, note: str) -> h.Element:
    return h.div(".tile")[h.small[name], h.strong[value], h.small[note]]


def _over_time(report: SpendReport) -> h.Element:
    shown = spend.columns(report)
    title = "Tokens a day" if all(one.first_day == one.last_day for one in shown) else "Tokens a week"
    if not report.totals.total_tokens:
        return section("Over time", empty("spend", "Nothing was used on these days."))
    return section("Over time", plot.columns(title, shown, report.currency), about="Days are those of UTC.")


def _by_model(shown: ModelPlot) -> h.Element:
    return section("Models over time", plot.models(shown), h.p(".about")[shown.left_out] if shown.left_out else None)


def _groups(asked: Asked, report: SpendReport, names: Mapping[str, str]) -> h.Element:
    ways = choices("By", ((asked.path(by=by), name, by == asked.by) for by, name in spend.WAYS.items()))
    shown = report.groups[:LISTED]
    left_out = report.left_out + len(report.groups) - len(shown)
    columns = [spend.WAYS[asked.by], "Share", "Input", "Output", "Total", *(["Cost"] if report.currency else [])]
    rows = [_group(asked.by, one, report, names) for one in shown]
    return section(
        "Where it went",
        ways,
        table(f"Spend by {asked.by}", columns, rows, numbers=4 if report.currency else 3)
        if rows
        else h.p(".about")["Nothing was used on these days."],
        h.p(".about")[f"{left_out:,} more are in the total."] if left_out else None,
    )


def _group(by: str, one: SpendGroup, report: SpendReport, names: Mapping[str, str]) -> list[h.Node]:
    name = spend.name_of(by, one, names)
    total = report.totals.total_tokens
    words = f"{spend.share_words(one.tokens.total_tokens, total)} of all"
    cost = spend.money_words(one.money, report.currency)
    return [
        h.a(href=path_for(one.worker_id), dir="auto")[name] if one.worker_id else h.span(dir="auto")[name],
        meter(one.tokens.total_tokens / total if total else 0, words=words),
        f"{one.tokens.input_tokens:,}",
        f"{one.tokens.output_tokens:,}",
        f"{one.tokens.total_tokens:,}",
        *([cost or "-"] if report.currency else []),
    ]


def _budgets(found: Sequence[BudgetStanding], names: Names) -> h.Element:
    how = h.a(href="/policy")["A policy sets them"]
    if not found:
        return section("Budgets", about=["No budget binds you. ", how, "."])
    rows = [
        h.li[
            h.div[
                h.b(dir="auto")[spend.budget_name(one, names)],
                h.small[f"{spend.short(one.left)} left of {spend.short(one.limit)}, {spend.period_words(one.period)}"],
            ],
            meter(
                one.used / one.limit,
                words=f"{spend.share_words(one.used, one.limit)} used",
                kind=LEVELS.get(one.level or "", ""),
            ),
            h.small[
                f"{one.used:,} of {one.limit:,} tokens",
                h.b(".level")[" · used up: no new turns"] if one.level == "exhausted" else None,
                [" · starts anew ", when(one.resets_at, exact=True)] if one.resets_at else None,
                f" · {policies.DOCUMENTS.get(one.document, one.document)}",
            ],
        ]
        for one in found
    ]
    return section("Budgets", h.ul(".limits")[rows], about=["What may still be used. ", how, "."])


def _limits(limits: tuple[MachineRateLimits, ...]) -> h.Node:
    rows = [
        h.li[
            h.div[
                h.b(dir="auto")[one.machine_name or one.machine_id],
                h.small[f"{one.limit_name or one.limit_id or 'Codex'} · {spend.window_words(window)}"],
            ],
            meter(
                window.used_percent / FULL, words=f"{window.used_percent} % used", kind=_urgency(window.used_percent)
            ),
            h.small[
                f"{window.used_percent} % used",
                [", starts anew ", when(window.resets_at, exact=True)] if window.resets_at else None,
                " · heard ",
                when(one.as_of),
            ],
        ]
        for one in limits
        for window in one.windows
    ]
    if not rows:
        return None
    about = "What the Codex of each machine said last. Machines of one account share its limits: they don't add up."
    return section("Codex's rate limits", h.ul(".limits")[rows], about=about)


def _urgency(percent: int) -> str:
    if percent >= FULL:
        return "full"
    return "almost" if percent >= ALMOST else ""


def _prices(report: SpendReport, prices: PriceTable) -> h.Element:
    about = "Codex reports tokens, never money: the installation's price table says what they cost."
    how = h.details[h.summary["How it is set"], h.p(".about")["On the installation's machine:"], command(SET_PRICES)]
    if not prices.version or prices.currency is None:
        return section("Prices", how, about=f"There is no price table. {about}")
    rows = [
        [
            h.span(dir="auto")[one.model],
            one.first_day,
            *(f"{micros / MICROS:,.6g}" for micros in (one.input_micros, one.cached_input_micros, one.output_micros)),
        ]
        for one in prices.prices
    ]
    unpriced = ", ".join(f"{one.model or 'not said'} ({spend.short(one.tokens)})" for one in report.unpriced)
    return section(
        "Prices",
        h.p(".warning")["Without a price, and not in the cost: ", h.b(dir="auto")[unpriced], "."] if unpriced else None,
        h.details[
            h.summary[f"Price table, version {prices.version}"],
            facts([("Set", when(prices.created_at)), ("Currency", prices.currency)]),
            table("Prices", ["Model", "From", "Input", "Cached input", "Output"], rows, numbers=3),
            h.p(".about")[f"In {prices.currency} for a million tokens."],
        ],
        how,
        about=about,
    )


async def _names(client: RuntimeCodexClient, by: str, known: Names) -> Mapping[str, str]:
    """What workers or machines are called, where they are looked at."""
    if by == "worker":
        page = await client.list_workers(limit=NAMED_WORKERS)
        return {one.worker_id: one.title.value for one in page.workers if one.title}
    return known.machines


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unprocessable("This is no day: write it as 2026-11-23.", reason_code="invalid_value") from None

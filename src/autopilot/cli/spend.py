"""`autopilot spend`: the tokens that were used, what they cost, and how much of Codex's rate limits is used.

Owns the command's words; the table and its bars are spend_table.py's.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.printable import printable
from autopilot.cli.spend_table import UNSAID, print_report
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.client.presenters.money import amount
from autopilot.client.presenters.times import ago
from autopilot.contract import MachineRateLimits, SpendReport

By = Literal["day", "worker", "thread", "model", "machine", "user", "team", "day_model"]

MOST_DAYS = 366
LIMITS = ("MACHINE", "LIMIT", "WINDOW", "USED", "RESETS", "AS OF")
HOUR, DAY = 60, 1440


async def spend(
    *,
    by: Annotated[By, Parameter(help="One row for each of these.")] = "day",
    days: Annotated[int | None, Parameter(help="So many days up to today (UTC), at most 366; else 30.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Show the tokens that your workers and teams used, and what they cost where the installation has a price table."""
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise CommandFailed(f"--days is from 1 to {MOST_DAYS}.", Exit.USAGE)
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        today = datetime.now(UTC).date()
        first, last = (None, None) if days is None else (today - timedelta(days=days - 1), today)
        report = await client.spend(by=by, first_day=first, last_day=last)
    if options.json:
        terminal.result(report)
        return
    if report.groups:
        print_report(terminal.out, report)
    else:
        terminal.say(f"Nothing was used from {report.first_day} to {report.last_day}.")
    if report.left_out:
        terminal.remark(f"{report.left_out} more are not listed; the total has them.")
    for line in money_of(report):
        terminal.say(printable(line), markup=False)
    if rows := rows_of(report.rate_limits):
        terminal.say("Codex's rate limits, as each machine heard them last:" if terminal.out.is_terminal else "")
        print_table(terminal.out, LIMITS, rows)


def money_of(report: SpendReport) -> list[str]:
    """What all of it cost, and what has no price."""
    if report.money is None or not report.groups:
        return []
    known = "nothing that has a price" if report.money.micros is None else amount(report.money.micros, separator=",")
    lines = [f"In all {known} {report.currency}, by version {report.prices_version} of the price table."]
    if report.unpriced:
        named = ", ".join(f"{one.model or UNSAID} ({one.tokens:,} tokens)" for one in report.unpriced)
        lines.append(f"Without a price, and not in it: {named}.")
    return lines


def rows_of(limits: Iterable[MachineRateLimits]) -> list[tuple[str, ...]]:
    """A row for each window of each machine's limits; never a sum: machines of one account share them."""
    return [
        (
            one.machine_name or one.machine_id,
            one.limit_name or one.limit_id or UNSAID,
            window.name if window.window_minutes is None else _length(window.window_minutes),
            f"{window.used_percent} %",
            window.resets_at or UNSAID,
            ago(one.as_of),
        )
        for one in limits
        for window in one.windows
    ]


def _length(minutes: int) -> str:
    """A window's length in the largest unit that divides it."""
    for unit, word in ((DAY, "d"), (HOUR, "h")):
        if minutes and minutes % unit == 0:
            return f"{minutes // unit} {word}"
    return f"{minutes} min"

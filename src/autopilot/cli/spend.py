"""`autopilot spend`: the tokens that were used, by day, worker, thread or model.

On a terminal with a bar for each row; elsewhere plain columns that other programs can read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.paint import printable
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.contract import SpendGroup, SpendReport, TokenCounts

By = Literal["day", "worker", "thread", "model"]

KEYS = {"thread": ("WORKER", "THREAD")}
"""Headings of what a row is about, where that is more than one word."""
COUNTS = ("INPUT", "CACHED", "OUTPUT", "REASONING", "TOTAL")
MOST_DAYS = 366
BAR_WIDTH = 30
LEAST_BAR = 4
"""Where there is less room than this beside the numbers, there are no bars."""
GAP = 2
UNSAID = "(not said)"
NOTHING = TokenCounts(input_tokens=0, cached_input_tokens=0, output_tokens=0, reasoning_output_tokens=0, total_tokens=0)


async def spend(
    *,
    by: Annotated[By, Parameter(help="One row for each of these.")] = "day",
    days: Annotated[int | None, Parameter(help="So many days up to today (UTC), at most 366; else 30.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Show the tokens that your workers used."""
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise CommandFailed(f"--days is from 1 to {MOST_DAYS}.", Exit.USAGE)
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        today = datetime.now(UTC).date()
        first, last = (None, None) if days is None else (today - timedelta(days=days - 1), today)
        report = await client.spend(by=by, first_day=first, last_day=last)
    if options.json:
        terminal.result(report)
    elif not report.groups:
        terminal.say(f"Nothing was used from {report.first_day} to {report.last_day}.")
    else:
        print_report(terminal.out, report)
        if report.left_out:
            terminal.remark(f"{report.left_out} more are not listed; the total has them.")


def print_report(console: Console, report: SpendReport) -> None:
    """A table; with bars where a person looks."""
    keys = KEYS.get(report.by, (report.by.upper(),))
    groups = whole(report)
    if not console.is_terminal:
        last = ("total", *("" for _ in keys[1:]), *_numbers(report.totals))
        print_table(
            console, (*keys, *COUNTS), [*((*_key(report.by, one), *_numbers(one.tokens)) for one in groups), last]
        )
        return
    rows = [(*_key(report.by, one), *_numbers(one.tokens, ",")) for one in groups]
    footers = ("total", *("" for _ in keys[1:]), *_numbers(report.totals, ","))
    cells = [[printable(cell) for cell in row] for row in [(*keys, *COUNTS), *rows, footers]]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*cells, strict=True)]
    room = min(BAR_WIDTH, console.width - sum(widths) - GAP * len(widths))
    bars = [room] if room >= LEAST_BAR else []
    table = Table(
        box=None,
        padding=(0, GAP, 0, 0),
        pad_edge=False,
        width=sum([*widths, *bars]) + GAP * (len([*widths, *bars]) - 1),
        show_footer=True,
        header_style="dim",
        footer_style="bold",
    )
    for number, (heading, footer, width) in enumerate(zip(cells[0], footers, widths, strict=True)):
        justify: JustifyMethod = "left" if number < len(keys) else "right"
        table.add_column(heading, footer=footer, width=width, justify=justify, no_wrap=True)
    most = max(one.tokens.total_tokens for one in groups)
    for one, row in zip(groups, cells[1:-1], strict=True):
        drawn = [Bar(max(1, most), 0, one.tokens.total_tokens, width=width, color="cyan") for width in bars]
        table.add_row(*map(Text, row), *drawn)
    console.print(table)


def whole(report: SpendReport) -> Sequence[SpendGroup]:
    """The groups; by day, those in which nothing was used too."""
    if report.by != "day":
        return report.groups
    known = {one.day: one for one in report.groups}
    first, last = date.fromisoformat(report.first_day), date.fromisoformat(report.last_day)
    days = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    return [known.get(day) or SpendGroup(day=day, tokens=NOTHING) for day in days]


def _key(by: str, group: SpendGroup) -> tuple[str, ...]:
    said = {"day": (group.day,), "worker": (group.worker_id,), "thread": (group.worker_id, group.thread_id)}
    return tuple(word or UNSAID for word in said.get(by, (group.model,)))


def _numbers(tokens: TokenCounts, separator: str = "") -> tuple[str, ...]:
    counts = (
        tokens.input_tokens,
        tokens.cached_input_tokens,
        tokens.output_tokens,
        tokens.reasoning_output_tokens,
        tokens.total_tokens,
    )
    return tuple(format(count, separator) for count in counts)

"""The table of `autopilot spend`: on a terminal with a bar for each row, elsewhere plain columns for other programs.

Where there is little room, columns give way before the bars, and the bars before the total: at 40 columns a day, its
total and its bar are left. Bars are drawn with blocks and need no colour. Never asks anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from rich.bar import Bar
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from autopilot.cli.printable import printable
from autopilot.cli.workers import print_table
from autopilot.client.presenters.money import FINE, MICROS, amount
from autopilot.contract import SpendGroup, SpendMoney, SpendReport, TokenCounts

KEYS = {"thread": ("WORKER", "THREAD"), "day_model": ("DAY", "MODEL")}
"""Headings of what a row is about, where that is more than one word."""
COUNTS = ("INPUT", "CACHED", "OUTPUT", "REASONING", "TOTAL")
SETS = (COUNTS, ("INPUT", "OUTPUT", "TOTAL"), ("TOTAL",))
"""Columns of counts, from those for wide terminals to those for narrow ones."""
COST, UNPRICED = "COST", "UNPRICED"
BAR_WIDTH = 30
GOOD_BAR = 10
"""Columns are left out until there is so much room for bars."""
LEAST_BAR = 4
"""Where there is less room than this beside the numbers, there are no bars."""
LEAST_KEY = 10
GAP = 2
LONG_GAP = 3
"""So many days on end without use are one row."""
COARSE, FAIR = 2, 4
"""Decimals of money on a terminal."""
COARSE_FROM_MICROS = 100 * MICROS
"""From so much money on, fewer are enough; `--json` loses none."""
UNSAID = "(not said)"
NO_TEAM = "(no team)"
UNKNOWN = "-"
NOTHING = TokenCounts(input_tokens=0, cached_input_tokens=0, output_tokens=0, reasoning_output_tokens=0, total_tokens=0)


@dataclass(frozen=True, slots=True)
class Row:
    """A row, before anybody knows how much room there is."""

    key: tuple[str, ...]
    tokens: TokenCounts
    money: SpendMoney | None

    def numbers(self, columns: Sequence[str], separator: str, decimals: int) -> Iterator[str]:
        """Its cells of these columns."""
        said = self.tokens
        counts = (
            said.input_tokens,
            said.cached_input_tokens,
            said.output_tokens,
            said.reasoning_output_tokens,
            said.total_tokens,
        )
        cells = {name: format(count, separator) for name, count in zip(COUNTS, counts, strict=True)}
        micros, unpriced = (None, 0) if self.money is None else (self.money.micros, self.money.unpriced_tokens)
        cells[COST] = UNKNOWN if micros is None else amount(micros, decimals, separator)
        cells[UNPRICED] = format(unpriced, separator)
        if separator and micros is not None and unpriced:
            cells[COST] += "+"
        yield from (cells[name] for name in columns)


def print_report(console: Console, report: SpendReport) -> None:
    """A table of a report that has groups; with bars where a person looks."""
    keys = KEYS.get(report.by, (report.by.upper(),))
    total = Row(("total", *("" for _ in keys[1:])), report.totals, report.money)
    if not console.is_terminal:
        columns = (*COUNTS, *((COST, UNPRICED) if report.money is not None else ()))
        rows = [*(_row(report.by, group) for group in span(report)), total]
        print_table(console, (*keys, *columns), [(*row.key, *row.numbers(columns, "", FINE)) for row in rows])
        return
    rows = [*(_row(report.by, group) for group in span(report)), total]
    console.print(_fitting(console.width, keys, rows, priced=report.money is not None))


def span(report: SpendReport) -> Sequence[SpendGroup]:
    """The groups; by day, from the first to the last on which something was used, with those between."""
    if report.by != "day" or not report.groups:
        return report.groups
    known = {one.day: one for one in report.groups if one.day is not None}
    first, last = date.fromisoformat(min(known)), date.fromisoformat(max(known))
    days = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    nothing = None if report.money is None else SpendMoney(micros=0, unpriced_tokens=0)
    return [known.get(day) or SpendGroup(day=day, tokens=NOTHING, money=nothing) for day in days]


def _row(by: str, group: SpendGroup) -> Row:
    said = {
        "day": (group.day,),
        "worker": (group.worker_id,),
        "thread": (group.worker_id, group.thread_id),
        "day_model": (group.day, group.model),
        "machine": (group.machine_id,),
        "user": (group.email or (f"user {group.user_id}" if group.user_id is not None else group.guest_scope),),
        "team": (group.team_name or group.team_id or NO_TEAM,),
    }
    key = tuple(word or UNSAID for word in said.get(by, (group.model,)))
    return Row(key, group.tokens, group.money)


def _fitting(width: int, keys: tuple[str, ...], rows: Sequence[Row], *, priced: bool) -> Table:
    """The widest set of columns that leaves good bars their room; the last set, where none does."""
    names = [[printable(word) for word in words] for words in (keys, *(row.key for row in rows))]
    total = rows[-1].money
    decimals = COARSE if total is not None and (total.micros or 0) >= COARSE_FROM_MICROS else FAIR
    fitted: list[list[str]] = []
    for counts in SETS:
        columns = (*counts, *((COST,) if priced else ()))
        fitted = [list(columns), *(list(row.numbers(columns, ",", decimals)) for row in rows)]
        if width - _taken(names) - _taken(fitted) >= GOOD_BAR:
            break
    else:
        names = _shortened(names, width - _taken(fitted))
    room = width - _taken(names) - _taken(fitted)
    return _table(names, fitted, [row.tokens.total_tokens for row in rows], min(BAR_WIDTH, room))


def _taken(part: list[list[str]]) -> int:
    """Columns on the screen that these take, with the gap after each."""
    return sum(_width(column) + GAP for column in zip(*part, strict=True))


def _shortened(names: list[list[str]], room: int) -> list[list[str]]:
    """Names with their ends kept: the end of an id is what tells it from others."""
    most = max(LEAST_KEY, (room - GOOD_BAR) // len(names[0]) - GAP)
    return [[word if cell_len(word) <= most else f"…{word[-most + 1 :]}" for word in words] for words in names]


def _table(names: list[list[str]], cells: list[list[str]], totals: Sequence[int], bar: int) -> Table:
    table = Table(
        box=None,
        padding=(0, GAP, 0, 0),
        pad_edge=False,
        show_footer=True,
        header_style="dim",
        footer_style="bold",
    )
    justified: tuple[tuple[list[list[str]], JustifyMethod], ...] = ((names, "left"), (cells, "right"))
    for part, justify in justified:
        for column in zip(*part, strict=True):
            table.add_column(column[0], footer=column[-1], width=_width(column), justify=justify, no_wrap=True)
    most = max(1, *totals[:-1])
    for row, total in _compact(list(zip(names[1:-1], cells[1:-1], strict=True)), totals):
        drawn = [Bar(most, 0, total, width=bar, color="cyan")] if bar >= LEAST_BAR else []
        table.add_row(*map(Text, row), *drawn)
    return table


def _compact(rows: list[tuple[list[str], list[str]]], totals: Sequence[int]) -> Iterator[tuple[list[str], int]]:
    """The rows' cells and totals, long stretches of nothing in one."""
    number = 0
    while number < len(rows):
        end = number
        while end < len(rows) and totals[end] == 0:
            end += 1
        if end - number >= LONG_GAP:
            yield [f"({end - number} days)", *("" for _ in rows[number][1])], 0
            number = end
            continue
        names, cells = rows[number]
        yield [*names, *cells], totals[number]
        number += 1


def _width(column: Sequence[str]) -> int:
    return max(map(cell_len, column))

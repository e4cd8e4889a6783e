"""`autopilot budgets`: what may still be used, by every budget that binds one's own workers and teams."""

from __future__ import annotations

from autopilot.cli.connect import connected
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.contract import BudgetStanding

HEADINGS = ("BUDGET", "PER", "WHICH", "PERIOD", "USED", "LIMIT", "LEFT", "STARTS ANEW", "POLICY", "")


async def budgets(*, options: Options = DEFAULT) -> None:
    """Show the budgets that bind you, and what is left of each; where many have the amount, those who used most."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await client.budgets()
    if options.json:
        terminal.result(found)
    elif not found:
        terminal.say("No budget binds you.")
    else:
        print_table(terminal.out, HEADINGS, [_row(one) for one in found])


def _row(one: BudgetStanding) -> tuple[str, ...]:
    document = one.document if one.document != "team" else f"team {one.team_id}"
    return (
        one.budget,
        one.per,
        one.per_id or "",
        one.period,
        f"{one.used:,}",
        f"{one.limit:,}",
        f"{one.left:,}",
        (one.resets_at or "never")[:16].replace("T", " "),
        f"{document} {one.version}",
        one.level or "",
    )

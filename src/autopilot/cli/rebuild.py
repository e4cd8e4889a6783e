"""`autopilot rebuild spend`: count what was used anew from the logs, and say what is another than it was.

Works on the installation's database on this machine, whether it runs or not. Leaves alone what can't be counted any
more, and names it.
"""

from __future__ import annotations

from typing import Annotated, Any

import asyncpg
from cyclopts import Parameter

from autopilot.cli.backup import installation_database
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.printable import printable
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.db.pool import open_pool
from autopilot.ops.program import autopilot
from autopilot.runtime import spend_rebuild
from autopilot.runtime.spend_counts import Counts
from autopilot.runtime.spend_rebuild import Rebuilt

HEADINGS = ("WORKER", "DAY", "THREAD", "MODEL", "MACHINE", "TEAM", "WAS", "IS", "DIFFERENCE")
UNSAID = "(not said)"


async def spend(
    *,
    dry_run: Annotated[bool, Parameter(help="Change nothing; exit code 1 where something would change.")] = False,
    options: Options = DEFAULT,
) -> int:
    """Count what was used anew from every log, and list what was counted otherwise before."""
    terminal = Terminal(as_json=options.json)
    async with (
        installation_database(None) as (_, dsn),
        await open_pool(dsn, max_size=2, schema="runtime", application_name="autopilot-rebuild") as pool,
    ):
        try:
            with terminal.busy("counting"):
                rebuilt = await spend_rebuild.rebuild(pool, write=not dry_run)
        except asyncpg.UndefinedTableError as error:
            raise CommandFailed(f"This database counts no spend yet: start `{autopilot('up')}` once.") from error
    if options.json:
        terminal.result(_plain(rebuilt, dry_run=dry_run))
    else:
        _say(terminal, rebuilt, dry_run=dry_run)
    return Exit.FAILED if dry_run and rebuilt.changed else Exit.OK


def rows_of(rebuilt: Rebuilt) -> list[tuple[str, ...]]:
    """A row for each number that is another."""
    return [
        (
            change.worker_id,
            one.day[1].isoformat(),
            *(word or UNSAID for word in one.day[2:]),
            str(one.before.total_tokens),
            str(one.after.total_tokens),
            f"{one.after.total_tokens - one.before.total_tokens:+}",
        )
        for change in rebuilt.changes
        for one in change.differences
    ]


def _say(terminal: Terminal, rebuilt: Rebuilt, *, dry_run: bool) -> None:
    rows = rows_of(rebuilt)
    if rows:
        print_table(terminal.out, HEADINGS, rows)
    for change in rebuilt.changes:
        if not change.differences:
            terminal.say(
                printable(f"{change.worker_id}: the same use; where its threads stand was wrong"), markup=False
            )
    for worker_id, why in rebuilt.left.items():
        terminal.say(printable(f"{worker_id}: left as it is: {why}"), markup=False)
    outcome = "would change" if dry_run else "changed"
    left = f"; {rebuilt.kept} left as they are" if rebuilt.kept else ""
    terminal.say(
        f"Counted {rebuilt.counted} {'log' if rebuilt.counted == 1 else 'logs'}: {rebuilt.changed} {outcome}{left}."
    )


def _plain(rebuilt: Rebuilt, *, dry_run: bool) -> dict[str, Any]:
    return {
        "written": not dry_run,
        "counted": rebuilt.counted,
        "changed": [
            {
                "worker_id": change.worker_id,
                "differences": [
                    {
                        "day": one.day[1].isoformat(),
                        "thread_id": one.day[2] or None,
                        "model": one.day[3] or None,
                        "machine_id": one.day[4] or None,
                        "team_id": one.day[5] or None,
                        "before": _counts(one.before),
                        "after": _counts(one.after),
                    }
                    for one in change.differences
                ],
            }
            for change in rebuilt.changes
        ],
        "left": [{"worker_id": worker_id, "reason": why} for worker_id, why in rebuilt.left.items()],
    }


def _counts(counts: Counts) -> dict[str, int]:
    return counts._asdict()

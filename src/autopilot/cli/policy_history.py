"""`autopilot policy history`: which versions a policy document had, who wrote each, when, on which device."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.policy import OfTeam, Subject, about_of
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.contract import Actor, PolicyChange

HEADINGS = ("VERSION", "WHEN", "WHO", "DEVICE", "BYTES", "")


async def history(
    *,
    subject: Annotated[Subject | None, Parameter(help="Your document, unless told else; or everybody's.")] = None,
    team: OfTeam = None,
    before: Annotated[int | None, Parameter(help="Only versions below this one.")] = None,
    limit: Annotated[int | None, Parameter(help="How many at most (50).")] = None,
    options: Options = DEFAULT,
) -> None:
    """Show the versions of a document, the latest first; `policy show --version N` prints one."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        about = await about_of(client, subject, team)
        changes = await client.policy_history(about.subject, team_id=about.team_id, before=before, limit=limit)
    if options.json:
        terminal.result(changes)
    elif not changes:
        terminal.say(
            f"The {about.subject} policy was never set." if before is None else "There are no versions before that."
        )
    else:
        print_table(terminal.out, HEADINGS, [row_of(change) for change in changes])


def row_of(change: PolicyChange) -> tuple[str, ...]:
    """What the table shows of a change."""
    actor = change.actor or Actor(surface="")
    who = actor.guest_scope if actor.user_id is None else f"user {actor.user_id}"
    where = f"{actor.device_id or 'unknown'} ({actor.surface})" if actor.surface else actor.device_id
    in_force = "in force" if change.in_force else ""
    return str(change.version), change.created_at, who or "", where or "", f"{change.bytes:,}", in_force

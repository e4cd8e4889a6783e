"""`autopilot audit list`: who did what, and what was refused; one's own acts, or everybody's with an admin's token."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.contract import AuditLine

MOST_DAYS = 3650
MOST_LINES = 500


async def audited(
    *,
    user: Annotated[int | None, Parameter(help="Acts of this user; others' take an admin's token.")] = None,
    action: Annotated[str | None, Parameter(help="Only such acts: signed_in, device_revoked, …")] = None,
    request: Annotated[str | None, Parameter(help="Only those of the call with this x-request-id.")] = None,
    device: Annotated[str | None, Parameter(help="Only those from this device.")] = None,
    surface: Annotated[str | None, Parameter(help="Only those from there: web, ios, cli, sdk, …")] = None,
    outcome: Annotated[Literal["done", "refused"] | None, Parameter(help="Only what was done, or refused.")] = None,
    text: Annotated[str | None, Parameter(help="Only those that say this somewhere, whatever its case.")] = None,
    days: Annotated[int | None, Parameter(help="Of so many days up to now; else of all time.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, up to 500.")] = 50,
    options: Options = DEFAULT,
) -> None:
    """Show who did what, the latest first."""
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise CommandFailed(f"--days is from 1 to {MOST_DAYS}.", Exit.USAGE)
    if not 1 <= limit <= MOST_LINES:
        raise CommandFailed(f"--limit is from 1 to {MOST_LINES}.", Exit.USAGE)
    terminal = Terminal(as_json=options.json)
    since = None if days is None else datetime.now(UTC) - timedelta(days=days)
    async with connected(options) as client:
        page = await client.audit(
            user_id=user,
            action=action,
            x_request_id=request,
            device_id=device,
            surface=surface,
            outcome=outcome,
            text=text,
            since=since,
            limit=limit,
        )
    if options.json:
        terminal.result(page.lines)
        return
    if not page.lines:
        terminal.say("Nothing was done." if page.next is None else "Nothing among the latest; --days narrows it.")
        return
    heading = ("AT", "ACTION", "OUTCOME", "WHO", "DEVICE", "ADDRESS", "SUBJECT")
    print_table(terminal.out, heading, [_row(line) for line in page.lines])
    if page.next is not None:
        terminal.remark("There is more: --limit, or narrow it.")


def _row(line: AuditLine) -> tuple[str, ...]:
    who = "" if line.actor.user_id is None else f"user {line.actor.user_id}"
    if line.actor.machine_id is not None:
        who = f"{who} ({line.actor.machine_id})".strip()
    return (
        line.at[:19].replace("T", " "),
        line.action,
        line.outcome,
        who or line.actor.surface,
        line.actor.device_id or "",
        line.address or "",
        line.subject or "",
    )

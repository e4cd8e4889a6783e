"""`autopilot passkeys`: what may sign in for you with a touch or a look; rename it, remove it.

Registering one needs an authenticator, which a terminal has not: that is done in the web page or the app.
"""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import said
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.contract import Passkey

Which = Annotated[str, Parameter(help="Its name or id, or as much of the id as is needed.")]


async def passkeys(*, options: Options = DEFAULT) -> None:
    """List your passkeys, the oldest first."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = await client.passkeys()
    if options.json:
        terminal.result(found)
        return
    print_table(terminal.out, ("PASSKEY", "NAME", "FOR", "SINCE", "LAST USED", ""), [_row(one) for one in found])


async def rename(
    passkey: Which, name: Annotated[str, Parameter(help="What to call it.")], *, options: Options = DEFAULT
) -> None:
    """Call one of them something else."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        renamed = await client.rename_passkey(picked(await client.passkeys(), passkey).passkey_id, name)
    if options.json:
        terminal.result(renamed)
    terminal.say(f"{renamed.passkey_id} is called {renamed.name}.", markup=False)


async def remove(passkey: Which, *, options: Options = DEFAULT) -> None:
    """Have one sign nobody in any more; what it has signed in stays so. Takes a fresh proof of who you are."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        gone = picked(await client.passkeys(), passkey)
        await client.remove_passkey(gone.passkey_id)
    if options.json:
        terminal.result(gone)
    terminal.say(f"Removed: {gone.name}. A code from your mail still signs you in.", markup=False)


def picked(found: list[Passkey], part: str) -> Passkey:
    """The passkey that is meant.

    Raises:
        CommandFailed: an empty name, none, or several.
    """
    said(part, "passkey")
    hits = [passkey for passkey in found if part in {passkey.passkey_id, passkey.name}]
    hits = hits or [passkey for passkey in found if part in passkey.passkey_id]
    if not hits:
        raise CommandFailed(f"You have no passkey {part}.", Exit.NOT_FOUND)
    if len(hits) > 1:
        raise CommandFailed(f"{part} may be {', '.join(hit.passkey_id for hit in hits)}.", Exit.USAGE)
    return hits[0]


def _row(passkey: Passkey) -> tuple[str, ...]:
    remark = "on several devices" if passkey.backed_up else ""
    return (
        passkey.passkey_id,
        passkey.name,
        passkey.rp_id,
        passkey.created_at[:10],
        (passkey.last_used_at or "never")[:16].replace("T", " "),
        "copied: remove it" if passkey.suspected_at else remark,
    )

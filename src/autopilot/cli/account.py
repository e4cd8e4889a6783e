"""`autopilot account delete`: end one's own account, for good."""

from __future__ import annotations

import os
import sys
from typing import Annotated

from cyclopts import Parameter

from autopilot.cli import logins, prompts
from autopilot.cli.connect import connected
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal

WHAT_GOES = (
    "This ends your account for good: you are signed out everywhere, your machines are let go, your workers are "
    "stopped and their logs emptied. What you did stays in the audit, under a number instead of your address."
)


async def delete(
    *,
    yes: Annotated[bool, Parameter(negative=(), help="Don't ask; what goes is gone.")] = False,
    options: Options = DEFAULT,
) -> None:
    """End your account: sign-ins, devices, machines, workers; their logs are emptied."""
    terminal = Terminal(as_json=options.json)
    if not yes:
        terminal.remark(WHAT_GOES)
        if not sys.stdin.isatty():
            raise CommandFailed("No terminal to ask on: say --yes.", Exit.USAGE)
        if prompts.reply(lambda: input("Type `delete` to go on: ")) != "delete":
            raise CommandFailed("Nothing was done.", Exit.FAILED)
    async with connected(options) as client:
        ended = await client.delete_account()
    if logins.last_login(os.environ) == client.base_url:
        logins.store_of(client.base_url, os.environ).clear()
        logins.forget(os.environ)
    if options.json:
        terminal.result(ended)
    terminal.say(f"The account {ended.user_id} is deleted.", markup=False)

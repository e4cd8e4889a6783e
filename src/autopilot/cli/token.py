"""`autopilot token`: a token for scripts, made by whoever owns the installation."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from cyclopts import Parameter

from autopilot.api.tokens import mint
from autopilot.cli.credentials import lifetimes_of
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import running_home
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.db.away import reached
from autopilot.db.pool import open_pool
from autopilot.ops.program import autopilot

Scope = Literal["observe", "administer", "admin", "execute"]


async def token(
    *,
    scope: Annotated[Scope, Parameter(help="What it may do.")] = "administer",
    email: Annotated[str | None, Parameter(help="For this user, made on first use; else the owner.")] = None,
    machine: Annotated[str | None, Parameter(help="With --scope execute: the machine it is bound to.")] = None,
    options: Options = DEFAULT,
) -> None:
    """Print a token for scripts, good for 15 minutes or AUTOPILOT_ACCESS_SECONDS. With --json also what renews it."""
    if (scope == "execute") != (machine is not None):
        raise CommandFailed("--scope execute and --machine belong together.", Exit.USAGE)
    terminal = Terminal(as_json=options.json)
    try:
        with reached():
            async with await open_pool(_database(), max_size=1, schema="api") as pool:
                made = await mint(
                    pool,
                    email=email,
                    scopes=[scope],
                    machine_id=machine,
                    surface="cli",
                    name="a script",
                    lifetimes=lifetimes_of(os.environ),
                    owner_email=os.environ.get("AUTOPILOT_OWNER_EMAIL"),
                )
    except ValueError as error:
        raise CommandFailed(str(error), Exit.USAGE) from error
    if options.json:
        terminal.result(made)
    else:
        terminal.say(made.token, markup=False)
        terminal.remark(f"[dim]for user {made.userId}, good for {_words(made.expires_in)}[/dim]")


def _words(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"  # noqa: PLR2004  two minutes


def _database() -> str:
    here = running_home(os.environ)
    url = here[1].database_url if here else os.environ.get("DATABASE_URL")
    if not url:
        raise CommandFailed(
            "Tokens are made on the machine of the installation, while it runs "
            f"({autopilot('up')}), or with DATABASE_URL.",
            Exit.UNREACHABLE,
        )
    return url

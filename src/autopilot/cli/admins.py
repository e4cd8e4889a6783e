"""`autopilot admins`: who manages the installation, said at its machine; and a code for whoever is locked out.

Relies on the database at hand, whether the installation runs or not. No call over the network does what these do.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
from cyclopts import Parameter

from autopilot.api import admins as store
from autopilot.cli.backup import installation_database
from autopilot.cli.credentials import owner_code, settle_owner
from autopilot.cli.database import migrate_all
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home
from autopilot.cli.installation import DEFAULT_OWNER
from autopilot.cli.keys import Keys, KeySettings
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.cli.workers import print_table
from autopilot.db.pool import open_pool
from autopilot.ops.settings import load

Who = Annotated[str, Parameter(help="Their address.")]


@asynccontextmanager
async def _accounts() -> AsyncIterator[tuple[Home, asyncpg.Pool]]:
    async with installation_database(None) as (home, dsn):
        await migrate_all(dsn)
        async with await open_pool(dsn, max_size=1, schema="api", application_name="autopilot-admins") as pool:
            yield home, pool


async def admins(*, options: Options = DEFAULT) -> None:
    """Show who manages the installation, its owner first."""
    terminal = Terminal(as_json=options.json)
    async with _accounts() as (_, pool):
        found = await store.everybody(pool)
    if options.json:
        terminal.result([{"user_id": one.user_id, "email": one.email, "is_owner": one.is_owner} for one in found])
        return
    rows: list[tuple[str, ...]] = [
        (one.email or "(not named yet)", str(one.user_id), "owner" if one.is_owner else "admin") for one in found
    ]
    print_table(terminal.out, ("WHO", "USER", "IS"), rows)


async def grant(who: Who, *, options: Options = DEFAULT) -> None:
    """Let a user manage the installation: a token with the scope `admin` then speaks for them."""
    await _change(options, who, store.grant, f"{who} manages the installation.")


async def revoke(who: Who, *, options: Options = DEFAULT) -> None:
    """Let them no longer: their tokens lose the scope `admin` within a second."""
    await _change(options, who, store.revoke, f"{who} does not manage the installation.")


async def owner(
    who: Who,
    *,
    rename: Annotated[bool, Parameter(negative=(), help="The owner stays who it is, with this address.")] = False,
    options: Options = DEFAULT,
) -> None:
    """Hand the installation over to another user; with --rename give its owner another address."""
    if rename:
        await _change(options, who, store.rename_owner, f"The owner's address is {who}. Restart what runs.")
    else:
        await _change(options, who, store.hand_over, f"{who} owns the installation. Restart what runs.")


async def code(*, options: Options = DEFAULT) -> None:
    """Print a code to sign in with as the owner: good once, for ten minutes, also after too many were asked for."""
    terminal = Terminal(as_json=options.json)
    async with _accounts() as (home, pool):
        email = await settle_owner(pool, os.environ.get("AUTOPILOT_OWNER_EMAIL") or DEFAULT_OWNER)
        made = await owner_code(pool, email, Keys(load(KeySettings, os.environ), home).code)
    if options.json:
        terminal.result({"email": email, "code": made})
    terminal.say(f"Sign in as {email} with the code {made} (10 minutes).", markup=False)


async def _change(
    options: Options, who: str, change: Callable[[asyncpg.Pool, str], Awaitable[bool | None]], words: str
) -> None:
    terminal = Terminal(as_json=options.json)
    if "@" not in who:
        raise CommandFailed(f"{who} is no address.", Exit.USAGE)
    async with _accounts() as (_, pool):
        changed = await change(pool, who)
    if options.json:
        terminal.result({"email": who, "changed": changed is not False})
    terminal.say(words, markup=False)

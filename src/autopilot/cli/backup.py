"""`autopilot backup`, `autopilot restore`: the whole installation's data into one file, and back.

Relies on `autopilot.db.backup`. A backup is taken while everything runs; a restore wants everything stopped, an empty
database, and brings the keys back that the data needs.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from autopilot.cli.exits import Exit
from autopilot.cli.home import Home, home_for_up, homes, running_home
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.db import backup as backups
from autopilot.db.away import reached
from autopilot.db.embedded import EmbeddedPostgres
from autopilot.db.pool import connect
from autopilot.ops.program import autopilot


async def backup(
    file: Annotated[Path, Parameter(help="The file to write; it must not exist yet.")], *, options: Options = DEFAULT
) -> int:
    """Write all data of the installation, and its keys, to a file. Keep it as you keep the installation: private."""
    terminal = Terminal(as_json=options.json)
    async with installation_database(None) as (home, dsn):
        with terminal.busy(f"writing {file}"):
            manifest = await backups.backup(dsn, file, secrets_dir=home.secrets)
    rows = sum(table.rows for room in manifest.rooms.values() for table in room.tables.values())
    if options.json:
        terminal.result({"file": str(file), "made_at": manifest.made_at, "rows": rows, "bytes": _size(file)})
    terminal.say(f"Wrote {rows:,} rows to {escape(str(file))} ({_size(file):,} bytes), keys included.")
    return Exit.OK


async def restore(
    file: Annotated[Path, Parameter(help="A file written by `autopilot backup`.")], *, options: Options = DEFAULT
) -> int:
    """Put a backup into an empty database; everything must be stopped. Then: autopilot up."""
    terminal = Terminal(as_json=options.json)
    home = home_for_up(os.environ).make()
    with home.held():
        async with installation_database(home) as (_, dsn):
            with terminal.busy(f"reading {file}"):
                manifest = await backups.restore(file, dsn, secrets_dir=home.secrets)
    rows = sum(table.rows for room in manifest.rooms.values() for table in room.tables.values())
    if options.json:
        terminal.result({"file": str(file), "made_at": manifest.made_at, "rows": rows, "home": str(home.path)})
    terminal.say(
        f"Restored {rows:,} rows of {manifest.made_at} into {escape(str(home.path))}. Now: {escape(autopilot('up'))}"
    )
    return Exit.OK


@asynccontextmanager
async def installation_database(home: Home | None) -> AsyncIterator[tuple[Home, str]]:
    """The installation's database: the running one's, the one of DATABASE_URL, else the embedded one, started for us.

    Raises:
        autopilot.db.errors.DatabaseRefused: it can't be used, or went away meanwhile.
    """
    here = running_home(os.environ) if home is None else None
    async with AsyncExitStack() as stack:
        if here:
            home, dsn = here[0], here[1].database_url
        else:
            home = home or homes(os.environ)[0]
            dsn = os.environ.get("DATABASE_URL") or await stack.enter_async_context(_embedded(home))
        with reached():
            await (await connect(dsn)).close()
        with reached(beside_files=True):
            yield home, dsn


@asynccontextmanager
async def _embedded(home: Home) -> AsyncIterator[str]:
    bin_dir = os.environ.get("PG_BIN")
    async with EmbeddedPostgres(home.path, bin_dir=Path(bin_dir) if bin_dir else None) as server:
        yield server.dsn


def _size(file: Path) -> int:
    return file.stat().st_size

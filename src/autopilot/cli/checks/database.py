"""The database: can it be reached, is it one that we can work in, is it up to date, has it our time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from autopilot.cli.checks.finding import Finding, note, ok, problem, warning
from autopilot.cli.checks.server import CLOCK_TOLERANCE_SECONDS
from autopilot.cli.database import SCHEMAS
from autopilot.cli.home import Home
from autopilot.db import binaries, cluster
from autopilot.db.away import reached
from autopilot.db.errors import DatabaseAway, DatabaseRefused
from autopilot.db.migrate import pending, preflight
from autopilot.db.pool import connect
from autopilot.ops.program import autopilot

ANSWER_SECONDS = 5.0


async def database(dsn: str | None, home: Home, environ: Mapping[str, str]) -> list[Finding]:
    """The database that answers at `dsn`; where there is none, the folder that the embedded one would start from."""
    try:
        if dsn is None:
            return [await asyncio.to_thread(_folder, home, environ)]
        with reached():
            async with asyncio.timeout(ANSWER_SECONDS):
                return await _answering(dsn)
    except DatabaseAway as error:
        return [problem("database", error.message, "start it, or point DATABASE_URL to one that runs")]
    except DatabaseRefused as error:  # it says itself what to do
        return [problem("database", error.message)]


def _folder(home: Home, environ: Mapping[str, str]) -> Finding:
    """The embedded one, which does not run: whether it could."""
    chosen = environ.get("PG_BIN")
    ours = binaries.major_version(binaries.find_bin_dir(Path(chosen) if chosen else None))
    if not home.postgres.exists():
        return note("database", f"Postgres {ours} would be set up in {home.postgres}", autopilot("up"))
    cluster.check_version(home.postgres, ours)
    return note("database", f"Postgres {ours}, in {home.postgres}; it does not run", autopilot("up"))


async def _answering(dsn: str) -> list[Finding]:
    connection = await connect(dsn)
    try:
        await preflight(connection)
        version = await connection.fetchval("show server_version")
        missing = [found for schema, package in SCHEMAS.items() for found in await pending(connection, schema, package)]
        apart = abs((datetime.now(UTC) - await connection.fetchval("select clock_timestamp()")).total_seconds())
    finally:
        connection.terminate()  # nothing is left to say, and one that hangs is not waited for
    findings = [ok("database", f"Postgres {version}, schema up to date")]
    if missing:
        findings = [
            problem("database", f"{len(missing)} migrations are not applied", f"start `{autopilot('up')}` again")
        ]
    if apart > CLOCK_TOLERANCE_SECONDS:
        findings.append(warning("clock", f"the database's clock is {apart:.0f} s off", "set both machines by NTP"))
    return findings

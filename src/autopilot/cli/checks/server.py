"""The server: does it answer, does its clock agree with ours, does anything on the way hold its streams back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import asyncpg
import httpx2

from autopilot.cli.checks.finding import Finding, note, ok, problem, warning
from autopilot.cli.database import SCHEMAS
from autopilot.client import RuntimeCodexClient
from autopilot.contract.errors import AutopilotError, Unauthorized
from autopilot.db.errors import DatabaseRefused
from autopilot.db.migrate import pending

ANSWER_SECONDS = 5.0
CLOCK_TOLERANCE_SECONDS = 5.0
FIRST_FRAME_SECONDS = 1.5
"""A stream's first frame comes at once; what takes longer was held back."""
PROBE_MS = 4000
"""How long the probing stream stays open: a buffering proxy delivers only at its end."""


async def answers(url: str) -> list[Finding]:
    """Whether the server is ready, and whether its clock agrees with ours."""
    try:
        async with httpx2.AsyncClient(timeout=ANSWER_SECONDS) as client:
            response = await client.get(f"{url}/readyz")
    except httpx2.HTTPError as error:
        return [problem("server", f"{url} does not answer ({type(error).__name__})", "autopilot up")]
    if response.status_code != httpx2.codes.OK:
        return [problem("server", f"{url} is not ready: {response.text[:200]}", "look into its logs")]
    return [ok("server", f"{url} is ready"), *_clock(response.headers.get("date"))]


def _clock(date: str | None) -> list[Finding]:
    if date is None:
        return []
    apart = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if apart > CLOCK_TOLERANCE_SECONDS:
        return [warning("clock", f"this machine's and the server's clock are {apart:.0f} s apart", "set them by NTP")]
    return [ok("clock", "agrees with the server's")]


async def database(dsn: str | None) -> list[Finding]:
    """Whether the database can be reached, is up to date, and has our time."""
    if dsn is None:
        return []
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await asyncpg.connect(dsn)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        return [problem("database", f"can't be reached: {error}")]
    try:
        version = await connection.fetchval("show server_version")
        missing = [found for schema, package in SCHEMAS.items() for found in await pending(connection, schema, package)]
        apart = abs((datetime.now(UTC) - await connection.fetchval("select clock_timestamp()")).total_seconds())
    except (DatabaseRefused, asyncpg.PostgresError) as error:
        return [problem("database", str(error))]
    finally:
        await connection.close()
    findings = [ok("database", f"Postgres {version}, schema up to date")]
    if missing:
        findings = [problem("database", f"{len(missing)} migrations are not applied", "restart autopilot up")]
    if apart > CLOCK_TOLERANCE_SECONDS:
        findings.append(warning("clock", f"the database's clock is {apart:.0f} s off", "set both machines by NTP"))
    return findings


async def streaming(client: RuntimeCodexClient) -> list[Finding]:
    """Whether a stream's first frame arrives at once, through whatever lies between."""
    try:
        workers = (await client.list_workers(limit=1)).workers
        if not workers:
            return [note("stream", "there is no worker yet whose stream could be tried")]
        return await first_frame(client, workers[0].worker_id)
    except Unauthorized as error:
        return [problem("sign-in", error.message, "autopilot login")]
    except AutopilotError as error:
        return [problem("stream", error.message)]


async def first_frame(client: RuntimeCodexClient, worker_id: str) -> list[Finding]:
    """How long a stream's first frame takes.

    Raises:
        AutopilotError: there is no stream.
    """
    began = client.clock.monotonic()
    stream = await client.open_stream(worker_id, None, tail_ms=PROBE_MS)
    try:
        await stream.read()
    finally:
        await stream.aclose()
    took = client.clock.monotonic() - began
    if took > FIRST_FRAME_SECONDS:
        advice = "turn off buffering for text/event-stream in the proxy on the way; clients fall back to long polls"
        says = f"the first frame took {took:.1f} s: something on the way holds streams back"
        return [warning("stream", says, advice)]
    return [ok("stream", f"first frame after {took * 1000:.0f} ms: nothing on the way holds streams back")]

"""`autopilot audit verify`, `autopilot audit export`: whether any log was altered, and what happened.

Reads the installation's database and its public keys on this machine, whether it runs or not. Changes nothing.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
from cyclopts import Parameter, validators
from rich.markup import escape

from autopilot.cli.audit_heads import head_of, heads_of_companion
from autopilot.cli.backup import installation_database
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home
from autopilot.cli.keys import Keys, KeySettings
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.db.pool import open_pool
from autopilot.ops.program import autopilot
from autopilot.ops.settings import load
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.seal_export import lines
from autopilot.runtime.seal_verify import Kept, Report, Verifier

SEQS = validators.Number(gte=0, lte=2**63 - 1)
Worker = Annotated[str | None, Parameter(help="Only this worker's log: its whole id.")]
MOST_TAILS = 10
PUBLIC_URL = "AUTOPILOT_PUBLIC_URL"


async def verify(
    *,
    worker: Worker = None,
    kept: Annotated[
        str | None, Parameter(help="A head that an earlier run printed, NUMBER:DIGEST: the chain must still hold it.")
    ] = None,
    options: Options = DEFAULT,
) -> int:
    """Prove that every log is unbroken up to its last seal; exit code 1 when one is not.

    The chain must also hold the head that this machine's companion keeps, where there is one of this installation.
    """
    terminal = Terminal(as_json=options.json)
    heads = [] if kept is None else [Kept("you", head_of(kept))]
    async with _snapshot() as (conn, home):
        if worker is not None:
            await _known(conn, worker)
        own, others = await asyncio.to_thread(heads_of_companion, home, os.environ.get(PUBLIC_URL))
        heads += own
        with terminal.busy("verifying"):
            keys = Keys(load(KeySettings, os.environ), home).seal_public
            report = await Verifier(conn, keys).verify(worker, heads)
    if options.json:
        terminal.result({**_plain(report), "heads_of_others": [one.name for one in others]})
    else:
        _say(terminal, report)
        for one in others:
            terminal.say(f"Not held to seal {one.seal_no}, which is of another server: {one.shown_by}", markup=False)
    return Exit.OK if report.whole else Exit.FAILED


async def export(
    *,
    worker: Worker = None,
    from_seq: Annotated[int | None, Parameter(name="--from", help="The first seq.", validator=SEQS)] = None,
    to_seq: Annotated[int | None, Parameter(name="--to", help="The last seq.", validator=SEQS)] = None,
    options: Options = DEFAULT,  # noqa: ARG001 - every command takes them; this one prints JSON Lines either way
) -> int:
    """Print events as JSON Lines: who, from which device, which request, and the seal that covers it."""
    if from_seq is not None and to_seq is not None and from_seq > to_seq:
        raise CommandFailed(f"--from {from_seq} is after --to {to_seq}.", Exit.USAGE)
    terminal = Terminal(as_json=True)
    async with _snapshot() as (conn, _):
        if worker is not None:
            await _known(conn, worker)
        async for line in lines(conn, log_id=worker, from_seq=from_seq, to_seq=to_seq):
            terminal.result(line)
    return Exit.OK


@asynccontextmanager
async def _snapshot() -> AsyncIterator[tuple[Any, Home]]:
    """One moment of the installation's database."""
    async with (
        installation_database(None) as (home, dsn),
        await open_pool(dsn, max_size=1, schema="runtime", application_name="autopilot-audit") as pool,
        pool.acquire() as conn,
    ):
        try:
            async with conn.transaction(isolation="repeatable_read", readonly=True):
                yield conn, home
        except asyncpg.UndefinedTableError as error:
            raise CommandFailed(f"This database has no seals yet: start `{autopilot('up')}` once.") from error


async def _known(conn: Any, worker_id: str) -> None:
    if not await conn.fetchval(
        "select exists (select from worker where worker_id = $1) or exists (select from seal where log_id = $1)",
        worker_id,
    ):
        raise CommandFailed(f"There is no worker {worker_id}.", Exit.NOT_FOUND)


def _head(report: Report) -> str | None:
    return None if report.head is None else f"{report.head.seal_no}:{report.head.digest.hex()}"


def _plain(report: Report) -> dict[str, Any]:
    return {
        "whole": report.whole,
        "logs": report.logs,
        "events": report.events,
        "pruned": report.pruned,
        "artifacts": report.artifacts,
        "seals": report.seals,
        "head": _head(report),
        "sealed_at": report.sealed_at and instant(report.sealed_at),
        "unsealed": [
            {"worker_id": tail.log_id, "events": tail.events, "since": instant(tail.since)} for tail in report.unsealed
        ],
        "findings": [
            {name: getattr(finding, name) for name in finding.__struct_fields__} for finding in report.findings
        ],
    }


def _say(terminal: Terminal, report: Report) -> None:
    for finding in report.findings:
        terminal.say(f"[red]{finding.kind:<12}[/red] {escape(finding.says)}")
    for tail in report.unsealed[:MOST_TAILS]:
        terminal.say(f"[dim]not sealed[/dim]   {escape(tail.log_id)}: {tail.events} since {instant(tail.since)}")
    if len(report.unsealed) > MOST_TAILS:
        terminal.say(f"[dim]not sealed[/dim]   {len(report.unsealed) - MOST_TAILS} more logs have newer events")
    pruned = f" ({report.pruned:,} of them without their payload)" if report.pruned else ""
    beside = f", {_many(report.artifacts, 'artifact')}" if report.artifacts else ""
    counts = f"{report.events:,} sealed events{pruned}, in {_many(report.logs, 'log')}{beside}, "
    counts += _many(report.seals, "seal")
    if report.whole:
        terminal.say(f"Unbroken up to the last seal: {counts}.")
    else:
        terminal.say(f"[red]Broken[/red] in {_many(len(report.findings), 'place')}: {counts}.")
    if report.head is not None:
        terminal.say(f"Head, to be kept elsewhere: {_head(report)}")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"

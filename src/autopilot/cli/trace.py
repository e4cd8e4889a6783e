"""`autopilot trace`: every hop of one request, in order of time.

The server says what the ledger knows; beside it the logs of this machine's installation are read. What lies on other
machines is not seen, and that is said.
"""

from __future__ import annotations

import contextlib
import os
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from autopilot.cli import hops
from autopilot.cli.connect import client_of, target_of
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import home_for_up
from autopilot.cli.hops import Hop
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import pick_worker
from autopilot.cli.terminal import Terminal
from autopilot.client import RuntimeCodexClient
from autopilot.contract import Trace
from autopilot.contract.errors import NotFound


async def trace(
    identity: Annotated[str, Parameter(name="ID", help="A request id, or an x-request-id.")],
    *,
    worker: Annotated[
        str | None, Parameter(name=("--worker", "-w"), help="The worker, where you know it: faster.")
    ] = None,
    options: Options = DEFAULT,
) -> int:
    """Print every hop of a request in order: ledger, receipt, the log of every process."""
    terminal = Terminal(as_json=options.json)
    target = target_of(options, os.environ)
    folder = (target.home or home_for_up(os.environ)).logs
    async with client_of(target, os.environ) as client:
        names = {identity: None, **dict.fromkeys(sorted(hops.request_ids(hops.of_logs(folder, frozenset({identity})))))}
        with terminal.busy("looking through the ledger"):
            known = await _known(client, list(names), await pick_worker(client, worker) if worker else None)
    ids = frozenset({*names, *(known.ids if known else ())})
    found = sorted([*(hops.of_trace(known) if known else ()), *hops.of_logs(folder, ids)])
    if not found:
        further = "" if worker else " With --worker its log is looked through further back."
        raise CommandFailed(
            f"'{identity}' was not found in the ledger and the logs in {folder}.{further}", Exit.NOT_FOUND
        )
    _print(terminal, found, ids)
    if known is not None and known.cut_off:
        terminal.remark("There is more than the server looked through.")
    if target.home is None:
        terminal.remark(
            "[dim]The server's and the companion's logs are on their own machines; only this client's was read.[/dim]"
        )
    return Exit.OK


async def _known(client: RuntimeCodexClient, names: list[str], worker_id: str | None) -> Trace | None:
    """What the server knows by the first of these names that it knows."""
    for name in names:
        with contextlib.suppress(NotFound):
            return await client.trace(name, worker_id=worker_id)
    return None


def _print(terminal: Terminal, found: list[Hop], ids: frozenset[str]) -> None:
    if terminal.as_json:
        terminal.result(
            [{"at": hop.at.isoformat(), "where": hop.where, "what": hop.what, **hop.facts} for hop in found]
        )
        return
    began = found[0].at
    terminal.say(f"[dim]{escape(', '.join(sorted(ids)))}[/dim]")
    for hop in found:
        facts = " ".join(f"{key}={value}" for key, value in hop.facts.items() if value not in (None, "", {}))
        after = (hop.at - began).total_seconds() * 1000
        terminal.say(
            f"[dim]{hop.at:%H:%M:%S.%f} {after:+9.1f} ms[/dim]  [bold]{escape(hop.where):<10}[/bold] "
            f"{escape(hop.what)} [dim]{escape(facts)}[/dim]"
        )

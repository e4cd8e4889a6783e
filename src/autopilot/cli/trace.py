"""`autopilot trace`: every hop of one request, in order of time.

Relies on `Trail` for what the ledger has, and reads the logs of this machine's installation. What lies on other
machines is not seen, and that is said.
"""

from __future__ import annotations

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
from autopilot.cli.trail import Trail


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
        trail = Trail(client, {identity, *hops.request_ids(hops.of_logs(folder, frozenset({identity})))})
        with terminal.busy("looking through the ledger"):
            await trail.search(await pick_worker(client, worker) if worker else None)
    ids = frozenset(trail.ids)
    found = sorted(
        [
            *(hop for receipt in trail.receipts for hop in hops.of_receipt(receipt)),
            *hops.of_ledger(trail.events, ids),
            *hops.of_logs(folder, ids),
        ]
    )
    if not found:
        looked_at = ", ".join([*trail.looked_at, f"the logs in {folder}"])
        further = "" if worker else " With --worker its log is looked through further back."
        raise CommandFailed(f"'{identity}' was not found in {looked_at}.{further}", Exit.NOT_FOUND)
    _print(terminal, found, ids)
    if target.home is None:
        terminal.remark(
            "[dim]The server's and the companion's logs are on their own machines; only this client's was read.[/dim]"
        )
    return Exit.OK


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

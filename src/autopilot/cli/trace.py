"""`autopilot trace`: every hop of one request, in order of time.

Asks the API for the receipt and the events, and reads the logs of this machine's installation. What lies on other
machines is not seen, and that is said.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from autopilot.cli import hops
from autopilot.cli.connect import client_of, target_of
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import home_for_up
from autopilot.cli.hops import Hop
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.terminal import Terminal
from autopilot.client import RuntimeCodexClient
from autopilot.contract import Envelope, Receipt, WorkerSummary
from autopilot.contract.errors import NotFound

WORKERS_LOOKED_AT = 50
PAGE = 500
PAGES_LOOKED_AT = 20


@dataclass(slots=True)
class Trail:
    """What was found of a request."""

    ids: set[str]
    """Its request id and the `x-request-id`s it went under, as they become known."""
    receipts: list[Receipt] = field(default_factory=list)
    events: list[Envelope] = field(default_factory=list)


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
    trail = Trail({identity})
    async with client_of(target, os.environ) as client:
        with terminal.busy("looking through the ledger"):
            await _search(client, trail, worker)
    folder = (target.home or home_for_up(os.environ)).logs
    ids = frozenset(trail.ids)
    found = sorted(
        [
            *(hop for receipt in trail.receipts for hop in hops.of_receipt(receipt)),
            *hops.of_ledger(trail.events, ids),
            *hops.of_logs(folder, ids),
        ]
    )
    if not found:
        raise CommandFailed(f"Nothing is known of '{identity}'.", Exit.NOT_FOUND)
    _print(terminal, found, ids)
    if target.home is None:
        terminal.remark(
            "[dim]The server's and the companion's logs are on their own machines; only this client's was read.[/dim]"
        )
    return Exit.OK


async def _search(client: RuntimeCodexClient, trail: Trail, worker: str | None) -> None:
    """Fill `trail`. An x-request-id leads to its request, and that to its other ids: a second round may be needed."""
    workers = [worker] if worker else [found.worker_id for found in await _recent_workers(client)]
    for worker_id in workers:
        await _search_worker(client, trail, worker_id)
        if trail.receipts or trail.events:
            return
    for machine in await client.machines():
        for request_id in tuple(trail.ids):
            with contextlib.suppress(NotFound):
                _note(trail, await client.machine_receipt(machine.machine_id, request_id))


async def _recent_workers(client: RuntimeCodexClient) -> Sequence[WorkerSummary]:
    return (await client.list_workers(limit=WORKERS_LOOKED_AT)).workers


async def _search_worker(client: RuntimeCodexClient, trail: Trail, worker_id: str) -> None:
    log = [envelope async for envelope in _recent(client, worker_id)]
    known = 0
    while known != len(trail.ids):
        known = len(trail.ids)
        for envelope in log:
            if hops.names(envelope.xRequestId, frozenset(trail.ids)) and isinstance(
                envelope.payload.get("request_id"), str
            ):
                trail.ids.add(envelope.payload["request_id"])
        await _find_receipts(client, trail, worker_id)
    trail.events = [envelope for envelope in log if any(hops.of_ledger([envelope], frozenset(trail.ids)))]


async def _find_receipts(client: RuntimeCodexClient, trail: Trail, worker_id: str) -> None:
    found = {receipt.request_id for receipt in trail.receipts}
    for request_id in trail.ids - found:
        with contextlib.suppress(NotFound):
            _note(trail, await client.receipt(worker_id, request_id))


def _note(trail: Trail, receipt: Receipt) -> None:
    trail.receipts.append(receipt)
    trail.ids.update(name for name in (receipt.request_id, receipt.x_request_id) if name)


async def _recent(client: RuntimeCodexClient, worker_id: str) -> AsyncIterator[Envelope]:
    """The newest events of a worker, newest first, as far back as is worth looking."""
    before: int | None = None
    for _ in range(PAGES_LOOKED_AT):
        page = await client.events(worker_id, before=before, limit=PAGE)
        for envelope in reversed(page):
            yield envelope
        if not page or page[0].seq <= 1:
            return
        before = page[0].seq


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

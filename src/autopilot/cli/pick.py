"""Which worker a command means: the one named, in full or by a part that only it has; else the most recent.

What nobody named is one's own where there is any: a team's machines are listed too, and nobody wants to start a turn on
a colleague's by a slip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.client import RuntimeCodexClient
from autopilot.contract import Machine, WorkerSummary
from autopilot.ops.program import autopilot

Item = TypeVar("Item", WorkerSummary, Machine)

LOOKED_AT = 200
LONGEST_ID = 160
OPEN = ("running", "starting", "stopping")


async def pick_worker(client: RuntimeCodexClient, named: str | None) -> str:
    """The worker's id.

    Raises:
        CommandFailed: there is no worker, or `named` fits several.
    """
    if named is not None:
        said(named, "worker")
        return best_fit([worker async for worker in client.every_worker(search=named[:LONGEST_ID])], named)
    found = (await client.list_workers(limit=LOOKED_AT)).workers
    chosen = most_recent(await ones_own(client, found) or found)
    if chosen is None:
        raise CommandFailed(f"There is no worker yet. Start one: {autopilot('send --new')} 'hello'", Exit.NOT_FOUND)
    return chosen


def said(named: str, what: str) -> str:
    """A name as it was given. An empty one, which a script's unset variable makes, would be a part of every id.

    Raises:
        CommandFailed: it is empty.
    """
    if not named.strip():
        raise CommandFailed(f"The name of the {what} is empty.", Exit.USAGE, reason_code="no_name")
    return named


def most_recent(workers: Sequence[WorkerSummary]) -> str | None:
    """Of workers in order of activity: the first that is open, else the first."""
    ordered = sorted(workers, key=lambda worker: worker.status not in OPEN)  # stable: activity decides within each
    return ordered[0].worker_id if ordered else None


def best_fit(workers: Sequence[WorkerSummary], named: str) -> str:
    """The one worker whose id is `named`, else the one that has it as a part; an id nobody listed is taken as it is.

    Raises:
        CommandFailed: several have it.
    """
    ids = [worker.worker_id for worker in workers]
    fits = [named] if named in ids else [one for one in ids if named in one]
    if len(fits) > 1:
        raise CommandFailed(f"'{named}' fits several workers: {', '.join(fits[:5])}", Exit.USAGE)
    return fits[0] if fits else named


async def ones_own(client: RuntimeCodexClient, found: Sequence[Item]) -> list[Item]:
    """Those of these that belong to whoever asks, in the same order."""
    if all(item.owner is None or item.owner.team_id is None for item in found):
        return list(found)
    me = (await client.me()).user
    return [item for item in found if item.owner is None or (me is not None and item.owner.user_id == me.id)]


async def pick_machine(client: RuntimeCodexClient, named: str | None) -> str:
    """The machine's id: the one named, in full or in part of its id or name; else one's own that was heard of last.

    Raises:
        CommandFailed: there is none, or `named` fits several.
    """
    if named is not None:
        said(named, "machine")
    machines = await client.machines()
    if named is None:
        machines = await ones_own(client, machines)
    fits = [machine for machine in machines if named is None or named in machine.machine_id or named == machine.name]
    if not fits:
        raise CommandFailed(f"There is no such machine. A companion registers it: {autopilot('up')}", Exit.NOT_FOUND)
    if named is not None and len(fits) > 1:
        raise CommandFailed(f"'{named}' fits several machines.", Exit.USAGE)
    return max(fits, key=lambda machine: machine.last_heard_at or "").machine_id

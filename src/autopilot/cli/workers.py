"""`autopilot workers`, `autopilot show`: what there is, and what is known about one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from autopilot.cli.connect import connected
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import pick_machine, pick_worker
from autopilot.cli.printable import printable
from autopilot.cli.terminal import Terminal
from autopilot.client.presenters.times import ago
from autopilot.contract import HealthFact, SeqFact, WorkerSnapshot, WorkerSummary
from autopilot.ops.program import autopilot

Backend = Literal["desktop", "local_sandbox", "daytona", "cloudflare_sandbox", "gke"]
Doing = Literal["idle", "running", "waiting_for_approval", "waiting_for_input", "error", "unknown"]
STATUS_STYLE = {"running": "green", "starting": "yellow", "stopping": "yellow", "stopped": "dim", "failed": "red"}


async def workers(
    *,
    status: Annotated[
        str | None, Parameter(help="Only those that are starting, running, stopping, stopped, failed.")
    ] = None,
    search: Annotated[
        str | None, Parameter(help="Only those with all of these words in title, last words, folder, workspace or id.")
    ] = None,
    machine: Annotated[str | None, Parameter(help="Only those of this machine: its name, or a part of its id.")] = None,
    backend: Annotated[Backend | None, Parameter(help="Only those in a place of this kind.")] = None,
    activity: Annotated[Doing | None, Parameter(help="Only those that do this.")] = None,
    options: Options = DEFAULT,
) -> None:
    """List your workers, newest activity first."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        machine_id = None if machine is None else await pick_machine(client, machine)
        wanted = {"search": search, "machine_id": machine_id, "backend": backend, "activity": activity}
        found = [worker async for worker in client.every_worker(status=status, **wanted)]
    if options.json:
        terminal.result(found)
    elif not found:
        terminal.say("No workers yet." if not any((status, *wanted.values())) else "No worker is like that.")
    else:
        print_table(terminal.out, HEADINGS, rows_of(found))


HEADINGS = ("WORKER", "STATUS", "ACTIVITY", "EVENTS", "LAST", "WHAT")


def rows_of(found: Iterable[WorkerSummary]) -> list[tuple[str, ...]]:
    """What the list shows of each worker; what it is about comes last."""
    return [
        (
            worker.worker_id,
            worker.status,
            value(worker.activity) or "",
            str(worker.latest_seq),
            ago(worker.updated_at),
            (value(worker.title) or value(worker.preview) or worker.workspace_ref or "").partition("\n")[0],
        )
        for worker in found
    ]


def print_table(console: Console, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as what is in them; only the last is cut, and only to fit a terminal."""
    widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
    room = max(10, console.width - sum(widths[:-1]) - 2 * (len(widths) - 1)) if console.is_terminal else None
    for number, row in enumerate([headings, *rows]):
        line = Text(style="dim" if number == 0 else "")
        for cell, width in zip(row[:-1], widths[:-1], strict=True):
            line.append(f"{printable(cell):<{width}}  ", style=STATUS_STYLE.get(cell, ""))
        line.append(printable(row[-1])[:room])
        console.print(line, no_wrap=True, overflow="ignore", crop=False)


async def show(
    worker: Annotated[str | None, Parameter(help="Its id or a part of it; else the most recent.")] = None,
    *,
    options: Options = DEFAULT,
) -> None:
    """Show everything known about one worker."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        snapshot = await client.worker(await pick_worker(client, worker))
    if options.json:
        terminal.result(snapshot)
        return
    for name, text in facts_of(snapshot):
        terminal.out.print(f"{name:<12}", style="dim", end="")
        terminal.out.print(printable(text), markup=False)


def facts_of(snapshot: WorkerSnapshot) -> list[tuple[str, str]]:
    """What a person wants to know of a worker, as names and words."""
    lease = snapshot.lease
    health = snapshot.health
    holder = f", by {lease.machine_id} (generation {lease.generation})" if lease.machine_id else ""
    rows = [
        ("worker", snapshot.worker_id),
        ("status", snapshot.status),
        ("title", value(snapshot.title)),
        ("activity", value(snapshot.activity)),
        ("asks", _asks(snapshot.pending_approvals)),
        ("control", value(snapshot.control)),
        ("model", value(snapshot.model)),
        ("folder", value(snapshot.cwd) or snapshot.workspace_ref),
        ("machine", snapshot.machine.name if snapshot.machine else None),
        ("lease", f"{lease.state}{holder}"),
        ("events", str(snapshot.latest_seq)),
        ("started", ago(snapshot.started_at)),
        ("stopped", ago(snapshot.stopped_at)),
        ("changed", ago(snapshot.updated_at)),
        ("heartbeat", f"{snapshot.heartbeat_state} ({ago(snapshot.last_heartbeat_at) or 'none since it was opened'})"),
        *((f"{name}", health_words(fact)) for name, fact in (("API", health.api), ("companion", health.machine))),
        *((f"{name}", health_words(fact)) for name, fact in (("Codex", health.codex), ("data", health.data))),
    ]
    return [(name, text) for name, text in rows if text]


def _asks(pending: int) -> str | None:
    return f"{pending} unanswered: {autopilot('approvals')}" if pending else None


def health_words(fact: HealthFact) -> str:
    """A fact of health in words."""
    told = {key: item for key, item in (fact.detail or {}).items() if item is not None}
    told.pop("age_ms", None)  # since when it is true says that already, in words
    detail = ", ".join(f"{key} {item}" for key, item in told.items())
    since = ago(fact.as_of)
    return fact.state + (f" ({'; '.join(part for part in (since, detail) if part)})" if since or detail else "")


def value(fact: SeqFact | None) -> str | None:
    """The value of a fact that is true at some seq."""
    return fact.value if fact else None

"""`autopilot workers`, `autopilot show`: what there is, and what is known about one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from autopilot.cli.connect import connected
from autopilot.cli.options import DEFAULT, Options
from autopilot.cli.pick import pick_worker
from autopilot.cli.terminal import Terminal
from autopilot.contract import HealthFact, SeqFact, WorkerSnapshot, WorkerSummary

STATUS_STYLE = {"running": "green", "starting": "yellow", "stopping": "yellow", "stopped": "dim", "failed": "red"}


async def workers(
    *,
    status: Annotated[
        str | None, Parameter(help="Only those that are starting, running, stopping, stopped, failed.")
    ] = None,
    options: Options = DEFAULT,
) -> None:
    """List your workers, newest activity first."""
    terminal = Terminal(as_json=options.json)
    async with connected(options) as client:
        found = [worker async for worker in client.every_worker(status=status)]
    if options.json:
        terminal.result(found)
    elif not found:
        terminal.say("No workers yet.")
    else:
        terminal.out.print(_table(found))


def _table(found: list[WorkerSummary]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("WORKER", "STATUS", "ACTIVITY", "EVENTS", "LAST", "WHAT"):
        table.add_column(heading, overflow="fold" if heading == "WORKER" else "ellipsis", no_wrap=heading != "WORKER")
    for worker in found:
        style = STATUS_STYLE.get(worker.status, "")
        what = value(worker.title) or value(worker.preview) or worker.workspace_ref or ""
        table.add_row(
            worker.worker_id,
            f"[{style}]{worker.status}[/{style}]" if style else worker.status,
            value(worker.activity) or "",
            str(worker.latest_seq),
            ago(worker.updated_at),
            what.splitlines()[0] if what else "",
        )
    return table


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
        terminal.out.print(text, markup=False)


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
        ("model", value(snapshot.model)),
        ("folder", value(snapshot.cwd) or snapshot.workspace_ref),
        ("machine", snapshot.machine.name if snapshot.machine else None),
        ("lease", f"{lease.state}{holder}"),
        ("events", str(snapshot.latest_seq)),
        ("started", ago(snapshot.started_at)),
        ("stopped", ago(snapshot.stopped_at)),
        ("changed", ago(snapshot.updated_at)),
        ("heartbeat", f"{snapshot.heartbeat_state} ({ago(snapshot.last_heartbeat_at) or 'never'})"),
        *((f"{name}", health_words(fact)) for name, fact in (("API", health.api), ("companion", health.machine))),
        *((f"{name}", health_words(fact)) for name, fact in (("Codex", health.codex), ("data", health.data))),
    ]
    return [(name, text) for name, text in rows if text]


def health_words(fact: HealthFact) -> str:
    """A fact of health in words."""
    detail = ", ".join(f"{key} {item}" for key, item in (fact.detail or {}).items() if item is not None)
    since = ago(fact.as_of)
    return fact.state + (f" ({'; '.join(part for part in (since, detail) if part)})" if since or detail else "")


def value(fact: SeqFact | None) -> str | None:
    """The value of a fact that is true at some seq."""
    return fact.value if fact else None


def ago(moment: str | None, now: datetime | None = None) -> str:
    """How long ago `moment` (RFC 3339) was, in one unit; empty for none."""
    if moment is None:
        return ""
    seconds = max(0.0, ((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"

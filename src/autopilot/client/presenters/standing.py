"""How a worker stands, in words: what it does, where it runs, whose it is, and which layer is not well.

The four facts of health are never merged: each layer that is not well has its own sentence, the one that explains the
others first. Source: docs/protocol.md, "Health".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from autopilot.client.presenters.labels import Label, Tone, sentence, spelled
from autopilot.client.presenters.people import Names
from autopilot.contract import Owner, WorkerSnapshot, WorkerSummary, worker_search

Worker: TypeAlias = WorkerSnapshot | WorkerSummary
UNTITLED = "New session"
ACTIVITIES: dict[str, Label] = {
    "running": Label("Working", "busy"),
    "waiting_for_approval": Label("Needs approval", "warn"),
    "waiting_for_input": Label("Needs an answer", "warn"),
    "error": Label("Error", "bad"),
    "idle": Label("Idle"),
    "unknown": Label("Open"),
}
STATUSES: dict[str, Label] = {
    "starting": Label("Starting", "busy"),
    "stopping": Label("Stopping", "warn"),
    "stopped": Label("Stopped"),
    "failed": Label("Failed", "bad"),
}
BACKENDS = {
    "desktop": "Desktop",
    "local_sandbox": "Local sandbox",
    "daytona": "Daytona",
    "cloudflare_sandbox": "Cloudflare sandbox",
    "gke": "GKE",
}
_PLACES: dict[str, tuple[str, str, Tone]] = {
    "provisioning": ("Being made", "{} is being made ready.", "busy"),
    "degraded": ("Degraded", "{} works with trouble.", "warn"),
    "unreachable": ("Unreachable", "{} does not answer.", "bad"),
    "gone": ("Gone", "{} is gone for good.", "bad"),
}
_OVER = frozenset({"stopped", "failed"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """A layer that is not well."""

    layer: str
    """`machine`, `codex`, `data`, `backend` or `projection`."""
    badge: str
    """In two words."""
    sentence: str
    """What that means, and what to do."""
    tone: Tone = "warn"
    since: str | None = None
    """Since when, or when it was heard last: RFC 3339."""
    since_words: str = "Last heard"


def title(worker: Worker) -> str:
    """What it is about, else where it works; never an id."""
    if worker.title and worker.title.value:
        return worker.title.value
    return f"Session in {name}" if (name := folder(worker)) else UNTITLED


def last_words(worker: Worker) -> str:
    """The last words worth showing, else its folder."""
    if worker.preview and worker.preview.value:
        return worker.preview.value
    return worker.cwd.value if worker.cwd else ""


def folder(worker: Worker) -> str:
    """The last part of its folder."""
    return PurePosixPath(worker.cwd.value.replace("\\", "/")).name if worker.cwd else ""


def activity(worker: Worker) -> tuple[str, Label]:
    """What it does: the word of the contract, and ours."""
    if worker.status != "running":
        return worker.status, STATUSES.get(worker.status) or Label(sentence(spelled(worker.status)))
    name = worker.activity.value if worker.activity else "unknown"
    return name, ACTIVITIES.get(name) or Label(sentence(spelled(name)))


def searched(worker: Worker) -> str:
    """Where words are looked for, as the server looks for them in all workers."""
    facts = (worker.title, worker.preview, worker.cwd)
    told = (fact.value if fact else None for fact in facts)
    return worker_search.searched(*told, worker.workspace_ref, worker.worker_id)


def wanted(state: str | None) -> dict[str, str]:
    """What the list is asked for to get those of one state, as `activity` names it; the API refuses what is none."""
    if not state:
        return {}
    return {"status": state} if state in STATUSES else {"status": "running", "activity": state}


def is_open(worker: Worker) -> bool:
    """Whether anything can still be asked of it."""
    return worker.status not in _OVER


def is_watched(worker: Worker) -> bool:
    """Whether another program writes its thread."""
    return worker.control is not None and worker.control.value == "observe_only"


def backend(worker: Worker) -> str:
    """The kind of place it runs in; empty where none is known."""
    if worker.backend is None:
        return ""
    return BACKENDS.get(worker.backend.kind) or sentence(spelled(worker.backend.kind))


def machine(worker: Worker) -> str:
    """Its machine's name; empty where it has none."""
    return (worker.machine.name or worker.machine.machine_id) if worker.machine else ""


def whose(worker: Worker, names: Names) -> str:
    """Whose it is, where it is not one's own alone: a team's and whose machine of it, or somebody's; else empty."""
    owner = worker.owner
    if owner is None or (owner.team_id is None and owner.user_id is not None and owner.user_id == names.me):
        return ""
    member = _member(owner, names)
    if owner.team_id is not None:
        return f"{names.teams.get(owner.team_id) or 'a team'} · {member}"
    return member


def _member(owner: Owner, names: Names) -> str:
    if owner.user_id is None:
        return "a guest"
    return "you" if owner.user_id == names.me else names.users.get(owner.user_id) or f"user {owner.user_id}"


def troubles(worker: Worker) -> tuple[Trouble, ...]:
    """The layers that are not well, the one that explains the others first; none where the worker is over."""
    if not is_open(worker):
        return ()
    return (*_machine(worker), *_place(worker), *_codex(worker), *_data(worker), *_projection(worker))


def _machine(worker: Worker) -> Iterator[Trouble]:
    fact = worker.health.machine
    if fact.state == "down":
        name = machine(worker) or "Its machine"
        words = f"{name} is away: what you send waits on the server until it is back."
        if worker.status == "stopping":
            words = f"{name} is away: it stops this first of all when it is back."
        yield Trouble("machine", "Machine away", words, "warn", fact.as_of)
    elif fact.state not in {"ok", "unknown"}:
        yield Trouble("machine", f"Machine {spelled(fact.state)}", f"Its machine is {spelled(fact.state)}.")


def _place(worker: Worker) -> Iterator[Trouble]:
    place = worker.backend
    if place is None or place.state not in _PLACES:
        return
    if place.state == "unreachable" and worker.health.machine.state == "down":
        return  # the machine in it has said so
    badge, words, tone = _PLACES[place.state]
    said = words.format(place.display_name or backend(worker)) + (f" {sentence(place.reason)}." if place.reason else "")
    yield Trouble("backend", badge, said, tone, place.checked_at, "Looked at")


def _codex(worker: Worker) -> Iterator[Trouble]:
    """Of a machine that is away nothing is known of its Codex."""
    fact, detail = worker.health.codex, worker.health.codex.detail or {}
    if worker.health.machine.state == "down" or fact.state == "unknown":
        return
    on = f" on {name}" if (name := machine(worker)) else ""
    if fact.state == "down":
        yield Trouble(
            "codex", "Codex down", f"Codex does not run{on}; its companion starts it again.", "bad", fact.as_of
        )
    elif fact.state == "unresponsive":
        since = detail.get("unresponsive_since")
        words = f"Codex runs{on} and answers nothing. A stop ends it."
        yield Trouble("codex", "Codex silent", words, "bad", since if isinstance(since, str) else None, "Silent since")
    elif detail.get("drift") == "breaking":
        version = detail.get("version", "of an unknown version")
        words = f"This Codex ({version}) lacks what some requests rely on; those fail."
        yield Trouble("codex", "Codex differs", words)
    elif fact.state != "ok":
        yield Trouble("codex", f"Codex {spelled(fact.state)}", f"Codex{on} is {spelled(fact.state)}.")


def _data(worker: Worker) -> Iterator[Trouble]:
    """An old log says something only while there should be news."""
    fact = worker.health.data
    is_working = worker.activity is not None and worker.activity.value == "running"
    if fact.state == "stale" and is_working and worker.health.machine.state == "ok":
        yield Trouble(
            "data", "Quiet", "A turn runs and nothing has come of it for a while.", "warn", fact.as_of, "Last event"
        )


def _projection(worker: Worker) -> Iterator[Trouble]:
    projection = worker.convex_projection if isinstance(worker, WorkerSummary) else None
    if projection is not None and projection.status != "in_sync":
        behind = f"{projection.lag_events} event{'' if projection.lag_events == 1 else 's'} behind"
        words = f"The Convex read model is {behind}; what you see here is not affected."
        yield Trouble("projection", f"Convex {behind}", words, "quiet", projection.last_projected_at, "Projected")

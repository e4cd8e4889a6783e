"""All that is known of a worker, as facts: ids, place, lease, the four facts of health, spend, its artifacts. Pure.

What a fact is decides how it is shown: a moment is told relatively, an id is set apart and can be copied.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from autopilot.client.presenters import outcomes, standing, times, visible
from autopilot.client.presenters.labels import Label, Tone, sentence, spelled
from autopilot.client.presenters.people import Names
from autopilot.contract import Artifact, Envelope, HealthFact, WorkerSnapshot, encode

LAYERS = (("api", "API"), ("machine", "Companion"), ("codex", "Codex"), ("data", "Log"))
WORDS = {**{(layer, "ok"): "OK" for layer, _ in LAYERS}, ("data", "stale"): "Quiet"}
"""Of layers and their states; others are spelled out."""
ARTIFACT_STATES = {"pending": "Not all here yet", "pruned": "Let go of, by age", "lost": "Nobody can bring it"}
SHOWN_CHARACTERS = 12_000
"""Of one event."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One of them."""

    name: str
    value: str
    kind: Literal["words", "id", "moment", "count"] = "words"
    exact: str = ""
    """Of a count: all its digits."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One of the four facts of health."""

    name: str
    state: Label
    as_of: str | None
    details: tuple[Fact, ...]


def about(worker: WorkerSnapshot, names: Names) -> tuple[Fact, ...]:
    """What and where it is; what is not known is left out."""
    return _known(
        (
            Fact("Status", standing.activity(worker)[1].text),
            Fact("Folder", worker.cwd.value if worker.cwd else "", "id"),
            Fact("Machine", standing.machine(worker)),
            Fact("Runs in", standing.backend(worker)),
            Fact("Executed", sentence(worker.execution_mode or "") if worker.execution_mode != "desktop" else ""),
            Fact("Model", worker.model.value if worker.model else ""),
            Fact("Your role", sentence(worker.role or "")),
            Fact("Shared by", standing.whose(worker, names)),
            Fact("Opened", worker.started_at or "", "moment"),
            Fact("Closed", worker.stopped_at or "", "moment"),
            Fact("Last change", worker.updated_at or "", "moment"),
            Fact("Events", str(worker.latest_seq)),
        )
    )


def identity(worker: WorkerSnapshot) -> tuple[Fact, ...]:
    """By which names programs know it."""
    thread = (worker.metadata or {}).get("thread_id")
    return _known(
        (
            Fact("Worker", worker.worker_id, "id"),
            Fact("Thread", str(thread or ""), "id"),
            Fact("Machine", worker.machine.machine_id if worker.machine else "", "id"),
            Fact("Workspace", worker.workspace_ref or "", "id"),
            Fact("Codex home", worker.codex_home_ref or "", "id"),
            Fact("Made by", worker.adapter or ""),
        )
    )


def lease(worker: WorkerSnapshot, names: Names) -> tuple[Fact, ...]:
    """Who may execute for it."""
    held = worker.lease
    return _known(
        (
            Fact("State", sentence(spelled(held.state))),
            Fact("Held by", names.machines.get(held.machine_id or "") or held.machine_id or ""),
            Fact("Generation", str(held.generation) if held.generation is not None else ""),
            Fact("Until", (held.expires_at or "") if held.state == "held" else "", "moment"),
            Fact("Heartbeat", sentence(spelled(worker.heartbeat_state))),
            Fact("Last heartbeat", worker.last_heartbeat_at or "", "moment"),
        )
    )


def spend(worker: WorkerSnapshot) -> tuple[Fact, ...]:
    """What it used; nothing where nothing is counted."""
    used = worker.spend
    if used is None:
        return ()
    counts = (
        ("Tokens", used.total_tokens),
        ("Read", used.input_tokens),
        ("of these cached", used.cached_input_tokens),
        ("Written", used.output_tokens),
        ("of these reasoning", used.reasoning_output_tokens),
    )
    return tuple(Fact(name, outcomes.tokens(count), "count", f"{count:,}") for name, count in counts)


def health(worker: WorkerSnapshot) -> tuple[Layer, ...]:
    """The four facts, never merged."""
    return tuple(_layer(getattr(worker.health, name), name, label) for name, label in LAYERS)


def event_title(event: Envelope) -> str:
    """What an event is called: its method, where it has one."""
    method = event.payload.get("method")
    return visible.line(method if isinstance(method, str) and method else event.eventType)


def event_text(event: Envelope) -> str:
    """An event as the API says it."""
    return json.dumps(encode(event), indent=2, ensure_ascii=False)


def artifact_notes(artifact: Artifact) -> str:
    """What is worth knowing of an artifact; empty where it is there, whole and as it was."""
    notes = (
        ARTIFACT_STATES.get(artifact.state, ""),
        "a credential was taken out" if artifact.redacted else "",
        "cut: there was no more room" if artifact.truncated else "",
    )
    return ", ".join(filter(None, notes))


def _known(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    return tuple(fact for fact in facts if fact.value)


def _layer(fact: HealthFact, name: str, label: str) -> Layer:
    """A log without news is no trouble by itself: standing.py says when it is."""
    is_quiet = fact.state == "unknown" or name == "data"
    tone: Tone = "good" if fact.state == "ok" else "quiet" if is_quiet else "warn"
    state = Label(WORDS.get((name, fact.state)) or sentence(spelled(fact.state)), tone)
    return Layer(label, state, fact.as_of, tuple(_details(fact)))


def _details(fact: HealthFact) -> Iterator[Fact]:
    for key, value in (fact.detail or {}).items():
        if value is not None and key != "age_ms":
            text = str(value)
            is_moment = times.parsed(text) is not None and "T" in text
            yield Fact(spelled(key), text if is_moment else visible.line(text), "moment" if is_moment else "words")

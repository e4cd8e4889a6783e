"""Machines in words: whether one is heard, which Codex it works with, and what it said of itself.

Pure: a machine and the time in, words out. Source: docs/protocol.md, "Health" (45 s) and "Workers" (facts).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autopilot.client.presenters import standing
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.times import ago, parsed
from autopilot.contract import Machine, WorkerSummary

AWAY_SECONDS = 45.0
"""A machine that was not heard for longer is away."""
SERVERS = {
    "own": "its companion's own",
    "shared": "shared with the terminal there",
    "none": "not running",
}
_DRIFT = {
    "same": Label("As expected", "good"),
    "additive": Label("Newer than known, and compatible", "good"),
    "unknown_questions": Label("Newer than known: it may ask what only the computer can answer", "warn"),
    "breaking": Label("Differs: some requests fail", "bad"),
    "unchecked": Label("Not compared yet"),
}
_FACTS = {
    "account/updated": "Account",
    "account/login/completed": "Sign-in of Codex",
    "configWarning": "Warning about the configuration",
    "deprecationNotice": "Going out of use",
    "guardianWarning": "Warning",
    "warning": "Warning",
    "windows/worldWritableWarning": "Warning about folders that anybody can write",
    "remoteControl/status/changed": "Remote control",
    "desktop/owners": "Sessions of others",
    "desktop/seals": "Seals",
}
_TOLD_ELSEWHERE = frozenset({"desktop/codex", "desktop/codex_drift", "machine/home", "account/rateLimits/updated"})


def is_heard(machine: Machine, now: datetime) -> bool:
    """Whether it is there."""
    heard = parsed(machine.last_heard_at)
    return heard is not None and (now - heard).total_seconds() <= AWAY_SECONDS


def presence(machine: Machine, now: datetime) -> Label:
    """The same in words."""
    if is_heard(machine, now):
        return Label("Connected", "good")
    if machine.last_heard_at is None:
        return Label("Never heard")
    return Label(f"Away, heard {ago(machine.last_heard_at, now)}", "warn")


def heard_first(machines: Iterable[Machine], now: datetime) -> list[Machine]:
    """In the order to show them: those that are there, then the others, by name."""
    return sorted(machines, key=lambda one: (not is_heard(one, now), name_of(one).lower()))


def sessions_of(machine: Machine, workers: Iterable[WorkerSummary]) -> list[WorkerSummary]:
    """Those of these that are there, in their order."""
    return [one for one in workers if one.machine is not None and one.machine.machine_id == machine.machine_id]


def open_sessions(machine: Machine, workers: Iterable[WorkerSummary]) -> int:
    """How many of these run there and are not over."""
    return sum(standing.is_open(one) for one in sessions_of(machine, workers))


def sessions(count: int) -> str:
    """How many sessions are open, in words."""
    return "No open session" if count == 0 else "1 open session" if count == 1 else f"{count} open sessions"


def name_of(machine: Machine) -> str:
    """What it is called."""
    return machine.name or machine.machine_id


def whose(machine: Machine, names: Names) -> str:
    """Whose it is: `Yours`, a team, somebody."""
    owner = machine.owner
    if owner is None:
        return "Yours"
    if owner.team_id is not None:
        return f"Shared with {names.teams.get(owner.team_id) or 'a team'}"
    if owner.user_id is None or owner.user_id == names.me:
        return "Yours"
    return names.users.get(owner.user_id) or f"User {owner.user_id}"


def is_mine(machine: Machine, names: Names) -> bool:
    """Whether one may share it and sign it out."""
    return machine.owner is None or (machine.owner.user_id is not None and machine.owner.user_id == names.me)


def codex(machine: Machine) -> str:
    """Which Codex it works with."""
    said = _fact(machine, "desktop/codex")
    version = said.get("version") or machine.codex_version
    server = SERVERS.get(str(said.get("server")), "")
    return ", ".join(part for part in (f"Codex {version}" if version else "Codex unknown", server) if part)


def silent_since(machine: Machine) -> str | None:
    """Since when its Codex runs and answers nothing; None: it answers."""
    since = _fact(machine, "desktop/codex").get("unresponsive_since")
    return since if isinstance(since, str) else None


def drift(machine: Machine) -> Label | None:
    """How its Codex's protocol compares with the one that is known; None where nobody said."""
    verdict = _fact(machine, "desktop/codex").get("drift")
    return (_DRIFT.get(verdict) or Label(sentence(spelled(verdict)))) if isinstance(verdict, str) else None


def home(machine: Machine) -> str | None:
    """The home folder there."""
    said = _fact(machine, "machine/home").get("home")
    return said if isinstance(said, str) else None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of one: words, or a moment to be shown as an age."""

    label: str
    value: str = ""
    moment: str | None = None
    is_code: bool = False
    """Whether it is a path or an id."""


def facts(machine: Machine, names: Names) -> tuple[Fact, ...]:
    """What is known of it, in the order to show it; what is not is said so."""
    compared, folder = drift(machine), home(machine)
    return (
        Fact("Last heard", "never", machine.last_heard_at),
        Fact("Codex", codex(machine)),
        Fact("Codex's protocol", compared.text if compared else "Nobody said"),
        Fact("Companion", machine.companion_version or "unknown"),
        Fact("Runs on", machine.platform or "unknown"),
        Fact("Whose", whose(machine, names)),
        Fact("Home folder", folder or "unknown", is_code=folder is not None),
        Fact("Known since", "unknown", machine.registered_at),
        Fact("Id", machine.machine_id, is_code=True),
    )


def warnings(machine: Machine) -> tuple[Fact, ...]:
    """What of it wants a look: a sentence, and since when."""
    compared, silent = drift(machine), silent_since(machine)
    found = [Fact("Its Codex runs and answers nothing", moment=silent)] if silent else []
    if compared is not None and compared.tone in ("warn", "bad"):
        found.append(Fact(f"Codex's protocol: {compared.text}"))
    return tuple(found)


def told(machine: Machine) -> list[tuple[str, str, str]]:
    """What else it said: its name, the words, when."""
    return [
        (
            _FACTS.get(fact.method) or sentence(spelled(fact.method.replace("/", " "))),
            _words(fact.params),
            fact.occurred_at,
        )
        for fact in machine.facts
        if fact.method not in _TOLD_ELSEWHERE
    ]


def _fact(machine: Machine, method: str) -> dict[str, Any]:
    return next((fact.params for fact in machine.facts if fact.method == method), {})


def _words(params: dict[str, Any]) -> str:
    for name in ("message", "summary", "text", "status", "planType", "state"):
        said = params.get(name)
        if isinstance(said, str) and said:
            return said
    plain = (f"{spelled(name)}: {value}" for name, value in params.items() if isinstance(value, (str, int, bool)))
    return ", ".join(plain) or "nothing more"

"""How much one report of Codex adds to what was used. Pure.

Codex reports a thread's running total after each answer of the model, and says it again whenever somebody resumes the
thread; what it calls `last` may be neither new nor a part of the total. So a report adds how far the total has moved:
what is repeated adds nothing. Where a total can't be compared, `last` is what is new at most, and only in a turn that
was seen to start. Source: docs/protocol.md, "Spend".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from autopilot.contract import worker_facts

SOURCE = "autopilot-desktop"
"""Who reports: on a worker that a machine executes, nobody but that machine can write as this."""
THREAD_STARTED, TURN_STARTED = "thread/started", "turn/started"
METHODS = frozenset({THREAD_STARTED, TURN_STARTED, worker_facts.USAGE})
MAX_TOKENS = 10**12
"""What claims more in one report is no report."""
MAX_WORD = 255
NEW_THREAD_SECONDS = 60
"""A thread that was announced this soon after it was made has used nothing before."""


class Counts(NamedTuple):
    """Tokens, by the contract's names."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0
    total_tokens: int = 0

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        return Counts(*(one + two for one, two in zip(self, other, strict=True)))

    def beyond(self, other: Counts) -> Counts:
        """How far this is beyond `other`; nothing where it is not."""
        return Counts(*(max(0, one - two) for one, two in zip(self, other, strict=True)))

    def at_most(self, other: Counts) -> Counts:
        """The smaller of each."""
        return Counts(*(min(one, two) for one, two in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thread's total stands."""

    seq: int = 0
    turn_id: str | None = None
    """The turn that was seen to start last."""
    said_at: datetime | None = None
    totals: Counts | None = None
    """As of the last report; None: not known yet."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event of a log that may say something about spend, in its place."""

    seq: int
    at: datetime
    """When the ledger recorded it."""
    payload: Mapping[str, Any]
    machine_id: str
    """Who appended it; empty where no machine did."""
    model: str | None = None
    """The worker's, true at this seq; of reports only."""
    late: bool = False
    team_id: str = ""
    """The team that shared the worker when it was recorded, of reports only; empty where none did."""

    @property
    def thread_id(self) -> str:
        """Which thread it is about; empty where it names none."""
        thread = self._params.get("thread")
        named = thread.get("id") if isinstance(thread, dict) else None
        return word(self._params.get("threadId")) or word(named)

    @property
    def turn_id(self) -> str | None:
        """Which turn it is about."""
        turn = self._params.get("turn")
        named = turn.get("id") if isinstance(turn, dict) else None
        return word(self._params.get("turnId")) or word(named) or None

    @property
    def said_at(self) -> datetime | None:
        """When it was said, by the clock of who said it."""
        return _moment(self.payload.get("occurred_at"))

    @property
    def _params(self) -> dict[str, Any]:
        params = self.payload.get("params")
        return params if isinstance(params, dict) else {}

    def counts(self, name: str) -> Counts | None:
        """`total` or `last` of a report; None where that is none."""
        usage = self._params.get("tokenUsage")
        said = usage.get(name) if isinstance(usage, dict) else None
        if not isinstance(said, dict):
            return None
        found = [said.get(codex) for codex in worker_facts.COUNTS.values()]
        sound = [one for one in found if type(one) is int and 0 <= one <= MAX_TOKENS]
        return Counts(**dict(zip(worker_facts.COUNTS, sound, strict=True))) if len(sound) == len(found) else None

    def begins_thread(self) -> bool:
        """Whether it announces a thread that has no past: no fork, and just made."""
        thread = self._params.get("thread")
        if not isinstance(thread, dict) or thread.get("forkedFromId") is not None:
            return False
        made, said = thread.get("createdAt"), self.said_at
        if said is None or not isinstance(made, (int, float)):
            return False
        began = said.timestamp()  # compared, not subtracted: a number may be of any size
        return began - NEW_THREAD_SECONDS <= made <= began + NEW_THREAD_SECONDS


def step(place: Place | None, told: Told) -> tuple[Place | None, Counts | None]:
    """Where a thread stands after an event, and what was used by then that was not counted before."""
    match told.payload.get("method"):
        case "thread/started":
            if (place is None or place.totals is None) and told.begins_thread():
                return replace(place or Place(), seq=told.seq, totals=Counts()), None
            return place or Place(seq=told.seq), None
        case "turn/started":
            if told.payload.get("backfilled") is True or told.turn_id is None:
                return place, None
            return replace(place or Place(), seq=told.seq, turn_id=told.turn_id), None
        case _:
            return _report(place, told)


def _report(place: Place | None, told: Told) -> tuple[Place | None, Counts | None]:
    total = told.counts("total")
    if total is None:
        return place, None
    known = None if place is None else place.totals
    if known is not None and total.total_tokens >= known.total_tokens:
        new = total.beyond(known)
    elif place is not None and known is not None and _is_old(place, told):
        return place, None
    else:
        in_sight = place is None or (place.turn_id is not None and place.turn_id == told.turn_id)
        new = (told.counts("last") or total).at_most(total) if in_sight else Counts()
    before = place or Place()
    times = [one for one in (before.said_at, told.said_at) if one is not None]
    moved = replace(before, seq=told.seq, said_at=max(times, default=None), totals=total)
    return moved, new if any(new) else None


def _is_old(place: Place, told: Told) -> bool:
    """Whether a smaller total was said before the greater one, and only arrived after it."""
    said_at = told.said_at
    return told.late or (said_at is not None and place.said_at is not None and said_at < place.said_at)


def word(value: object) -> str:
    """A name that can be kept; empty for anything else."""
    return value if isinstance(value, str) and len(value) <= MAX_WORD and value.isprintable() else ""


def _moment(value: object) -> datetime | None:
    try:
        said = datetime.fromisoformat(value) if isinstance(value, str) else None
        return said.astimezone(UTC) if said is not None and said.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None

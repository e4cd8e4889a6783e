"""The hops of one request, from what the server knows and the logs of every process, in order of time.

Pure but for reading log files. A log line belongs to a request when it names its `request_id` or one of the
`x-request-id`s under which it went through the system.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autopilot.contract import Trace

TIME_KEYS = ("timestamp", "ts")
WHERE = {"event": "ledger"}
"""Where a hop is known from, where that is called otherwise here."""
QUIET = frozenset({*TIME_KEYS, "event", "logger", "level", "process"})


@dataclass(frozen=True, slots=True, order=True)
class Hop:
    """One thing that happened to the request."""

    at: datetime
    where: str = field(compare=False)
    """`receipt`, `ledger`, `approval`, `audit`, or the name of a log."""
    what: str = field(compare=False)
    facts: dict[str, Any] = field(compare=False, default_factory=dict)


def of_trace(trace: Trace) -> Iterator[Hop]:
    """What the server knows."""
    for hop in trace.hops:
        facts = {
            "seq": hop.seq,
            "method": hop.method,
            "worker_id": hop.worker_id,
            "machine_id": hop.machine_id,
            "approval_id": hop.approval_id,
            "detail": hop.detail,
        }
        known = {name: fact for name, fact in facts.items() if fact is not None}
        yield Hop(_time(hop.at), WHERE.get(hop.source, hop.source), hop.what, known)


def of_logs(folder: Path, ids: frozenset[str]) -> Iterator[Hop]:
    """The lines of every log in `folder` that name the request; also of logs that were set aside."""
    for path in sorted((*folder.glob("*.log"), *folder.glob("*.log.1"))):
        yield from of_log(path, ids)


def of_log(path: Path, ids: frozenset[str]) -> Iterator[Hop]:
    """The lines of one log that name the request."""
    wanted = [identity.encode() for identity in ids]
    with path.open("rb") as lines:
        for raw in lines:
            if any(identity in raw for identity in wanted):
                hop = _of_line(path.name.split(".")[0], raw, ids)
                if hop is not None:
                    yield hop


def request_ids(found: Iterable[Hop]) -> set[str]:
    """The request ids that lines of logs say they are about."""
    return {name for hop in found if isinstance(name := hop.facts.get("request_id"), str)}


def _of_line(name: str, raw: bytes, ids: frozenset[str]) -> Hop | None:
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(line, dict) or not any(names(value, ids) for value in line.values()):
        return None
    at = next((line[key] for key in TIME_KEYS if isinstance(line.get(key), str)), None)
    if at is None:
        return None
    return Hop(_time(at), name, str(line.get("event", "")), {k: v for k, v in line.items() if k not in QUIET})


def names(value: object, ids: frozenset[str]) -> bool:
    """Whether `value` is one of the request's names, or a list that has one."""
    if isinstance(value, list):
        return any(names(item, ids) for item in value)
    return isinstance(value, str) and value in ids


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)

"""Ages, spans and moments in words, and sizes: relative ones for the eye, exact ones on demand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

_UNITS = (("d", 86400), ("h", 3600), ("min", 60))
_SHORT_SECONDS = 10.0
"""Below this a duration has a decimal."""
_MILLISECONDS = 1000
_TENTH = 0.1


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago something was, and when exactly."""

    words: str
    """`3 min ago`; empty where nothing is known."""
    exact: str
    """`2026-11-23 08:00:01 UTC`."""
    iso: str
    """As the contract says it, for programs."""


def ago(moment: str | None, now: datetime | None = None) -> str:
    """How long ago `moment` (RFC 3339) was, in one unit; empty for none."""
    instant = parsed(moment)
    if instant is None:
        return ""
    return f"{_one_unit(((now or datetime.now(UTC)) - instant).total_seconds())} ago"


def age(moment: str | None, now: datetime) -> Age:
    """The same with the exact time."""
    return Age(ago(moment, now), exact(moment), moment or "")


def exact(moment: str | None) -> str:
    """A moment to the second; empty for none."""
    instant = parsed(moment)
    return "" if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(moment: str | None, zone: tzinfo | None = None) -> str:
    """The time of day, in UTC or in the zone of who reads it: `08:00`; empty for none."""
    instant = parsed(moment)
    return "" if instant is None else f"{instant.astimezone(zone or UTC):%H:%M}"


def left(moment: str | None, now: datetime) -> str:
    """How long until `moment`, in one unit; `0 s` when it is over, empty for none."""
    instant = parsed(moment)
    return "" if instant is None else _one_unit((instant - now).total_seconds())


def seconds_between(earlier: str | None, later: str | None) -> float | None:
    """Seconds from one moment to the other; None where one of them is not known."""
    first, last = parsed(earlier), parsed(later)
    return None if first is None or last is None else (last - first).total_seconds()


def took(milliseconds: int | None) -> str:
    """How long something took: `12 ms`, `0.3 s`, `12 s`, `2 min 5 s`, `1 h 3 min`; empty for none."""
    if milliseconds is None:
        return ""
    seconds = max(0, milliseconds) / _MILLISECONDS
    if seconds < _TENTH:
        return f"{max(0, milliseconds)} ms"
    if seconds < _SHORT_SECONDS:
        return f"{seconds:.1f} s"
    for (unit, size), (finer, fine) in zip((("h", 3600), ("min", 60)), (("min", 60), ("s", 1)), strict=True):
        if seconds >= size:
            rest = int(seconds % size // fine)
            return f"{int(seconds // size)} {unit}" + (f" {rest} {finer}" if rest else "")
    return f"{int(seconds)} s"


def size(of_bytes: int) -> str:
    """So many bytes, in a unit that fits."""
    for unit, unit_bytes in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if of_bytes >= unit_bytes:
            return f"{of_bytes / unit_bytes:.1f} {unit}"
    return f"{of_bytes} bytes"


def parsed(moment: str | None) -> datetime | None:
    """The moment; None for none, and for what is none."""
    if not moment:
        return None
    try:
        instant = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _one_unit(seconds: float) -> str:
    seconds = max(0.0, seconds)
    for unit, unit_seconds in _UNITS:
        if seconds >= unit_seconds:
            return f"{int(seconds // unit_seconds)} {unit}"
    return f"{int(seconds)} s"

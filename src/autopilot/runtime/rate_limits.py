"""What the Codex of a machine said last of its account's rate limits, as the contract shows it. Pure.

Made of the machine's fact `account/rateLimits/updated` (machine_facts.py), which is Codex's own text: what is not said
there, or makes no sense, is null. Machines of one account say the same limits, so nothing here is ever added up.
Source: docs/protocol.md, "Spend".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.spend_counts import word

FACT = "account/rateLimits/updated"
WINDOWS = ("primary", "secondary")
MOST = 2**53 - 1


def limits_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Which limit it is, the plan, and each window that Codex spoke of."""
    said = params.get("rateLimits")
    limits = said if isinstance(said, dict) else {}
    return {
        "limit_id": word(limits.get("limitId")) or None,
        "limit_name": word(limits.get("limitName")) or None,
        "plan": word(limits.get("planType")) or None,
        "windows": [window for name in WINDOWS if (window := _window(name, limits.get(name))) is not None],
    }


def _window(name: str, said: object) -> dict[str, Any] | None:
    if not isinstance(said, dict):
        return None
    used = _whole(said.get("usedPercent"))
    if used is None:
        return None
    resets_at = _whole(said.get("resetsAt"))
    return {
        "name": name,
        "used_percent": used,
        "window_minutes": _whole(said.get("windowDurationMins")),
        "resets_at": None if resets_at is None else _moment(resets_at),
    }


def _whole(value: object) -> int | None:
    """A whole number; a broken one is taken to the nearest."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -MOST <= value <= MOST:
        return None
    return round(value)


def _moment(seconds: int) -> str | None:
    try:
        return instant(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):  # a year that no calendar has
        return None

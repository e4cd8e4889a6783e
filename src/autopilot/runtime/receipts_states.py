"""A receipt's states, and which may follow which. Pure.

    accepted ──▶ delivered ──▶ acknowledged ──▶ completed | failed
       │             │              │
       │             └──────────────┴─────────▶ rejected | indeterminate
       └─▶ rejected | expired | cancelled

`expired` and `cancelled` follow `accepted` alone: until then no machine has been handed the request, so they are
promises that nothing happened. What was handed over and never heard of again is `indeterminate`; the executor may
still resolve it (from Codex's own history), and nothing else may follow an end.
Source: docs/runtime-contract.md, "Receipts".
"""

from __future__ import annotations

from typing import Literal, get_args

State = Literal[
    "accepted",
    "delivered",
    "acknowledged",
    "completed",
    "failed",
    "rejected",
    "expired",
    "cancelled",
    "indeterminate",
]
STATES: frozenset[str] = frozenset(get_args(State))

ENDED: frozenset[str] = frozenset({"completed", "failed", "rejected", "expired", "cancelled", "indeterminate"})
"""States with an `ended_at`; the delivery row is gone."""

HANDED: frozenset[str] = frozenset({"delivered", "acknowledged"})
"""States in which a machine has the request, and has not ended it."""

REPORTABLE: frozenset[str] = frozenset(
    {"delivered", "acknowledged", "completed", "failed", "rejected", "indeterminate"}
)
"""What an executor may say."""

_RESOLUTIONS = frozenset({"completed", "failed", "rejected"})
_FROM_ACCEPTED = STATES - {"accepted"}
_FROM_ACKNOWLEDGED = _RESOLUTIONS | {"indeterminate"}
_FROM_DELIVERED = _FROM_ACKNOWLEDGED | {"acknowledged"}

_NEXT: dict[str, frozenset[str]] = {
    "accepted": _FROM_ACCEPTED,
    "delivered": _FROM_DELIVERED,
    "acknowledged": _FROM_ACKNOWLEDGED,
    "indeterminate": _RESOLUTIONS,
}


def may_follow(current: str, new: str) -> bool:
    """Whether a receipt in `current` may become `new`; never backwards, never twice."""
    return new in _NEXT.get(current, frozenset())


def outcome(state: str) -> bool | None:
    """The `ok` of an ended receipt: True, False, or None where nobody can know (or it has not ended)."""
    if state == "completed":
        return True
    return None if state == "indeterminate" or state not in ENDED else False

"""What the runtime knows of a request's method: how long it may wait, what it needs.

Pure tables. The runtime knows no JSON-RPC: a method it has never heard of is accepted, and refused by the executor in
its own words, unless a policy denies it first (policy.py).
Source: docs/runtime-contract.md, "Requests"; docs/protocol.md, "Requests and receipts".
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from autopilot.contract.errors import Unprocessable

STOP = "worker/stop"
"""Ours: the executor ends the thread and reports `worker.stopped`. Made by the stop endpoint only."""

TURN_INTERRUPT = "turn/interrupt"

URGENT = frozenset({STOP, TURN_INTERRUPT})
"""Sent ahead of their place in a machine's feed."""

_TURN_FIELDS = {TURN_INTERRUPT: "turnId", "turn/steer": "expectedTurnId"}
"""Which param names the turn. Without it, a request that arrives late would hit a turn it was not meant for."""

_STARTS = frozenset({"thread/start", "turn/start"})

WORK_LIFETIME = timedelta(hours=24)
"""A new turn or thread is still wanted when the machine wakes up the next morning."""

SHORT_LIFETIME = timedelta(seconds=60)
"""Steering a turn, and reading, are about now. Methods we don't know count as reads."""


def lifetime(method: str) -> timedelta | None:
    """How long an undelivered request waits; None: for ever."""
    if method == STOP:
        return None
    return WORK_LIFETIME if method in _STARTS else SHORT_LIFETIME


def check_params(method: str, params: dict[str, Any]) -> None:
    """Refuse what could only do harm later.

    Raises:
        Unprocessable: the method concerns one turn and `params` does not say which.
    """
    field = _TURN_FIELDS.get(method)
    if field is None:
        return
    turn_id = params.get(field)
    if not isinstance(turn_id, str) or not turn_id:
        raise Unprocessable(
            f"{method} needs the id of its turn",
            reason_code="turn_id_required",
            field=f"request.params.{field}",
        )

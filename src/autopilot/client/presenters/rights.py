"""What is offered to whom: nothing that the reader's role would have refused, and words that say who can. Pure.

The role is what the server says of each worker and machine; it decides in any case. Source: docs/protocol.md, "Errors"
(`role`) and "Teams".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autopilot.client.presenters import standing
from autopilot.client.presenters.standing import Worker
from autopilot.contract import Approval, Machine

OPERATING = frozenset({None, "owner", "operator"})
"""Roles that ask for things; None: the server did not say."""
WATCH_WORKER = "You may watch this worker. Who operates it can write to it."
WATCH_STOP = "You may watch this worker. Who operates it can stop it."
WATCH_CONNECT = "You may watch this worker. Who operates it can ask its companion for a sign of life."
WATCH_MACHINE = "You may watch what runs here. Who operates this machine begins sessions on it."


@dataclass(frozen=True, slots=True)
class Way:
    """Something else to do with a worker."""

    name: Literal["connect", "request", "details", "stop"]
    label: str


def may_operate(of: Worker | Machine | Approval) -> bool:
    """Whether the one who looks may ask it for something, or answer it."""
    return of.role in OPERATING


def ways(worker: Worker | None) -> tuple[Way, ...]:
    """What the menu of its screen leads to, what is dangerous the last; None: it is not known yet."""
    details = Way("details", "Details")
    if worker is None or not may_operate(worker):
        return (details,)
    stop = (Way("stop", "Stop…"),) if standing.is_open(worker) else ()
    return (Way("connect", "Connect"), Way("request", "Send a request"), details, *stop)

"""A handshake in words: sent, answered by whom, or never."""

from __future__ import annotations

from datetime import datetime

from autopilot.client.handshake import TIMEOUT_SECONDS
from autopilot.client.presenters import times
from autopilot.client.presenters.labels import Label
from autopilot.client.timeline_records import Handshake

WAITING = Label("Waiting for the companion", "busy")
NEVER = Label("Nobody answered", "bad")
ANSWERED = Label("Connected", "good")


def state_of(item: Handshake, now: datetime | None) -> Label:
    """How it stands; without a time, one that was not answered yet still waits."""
    if item.answered_by is not None:
        return ANSWERED
    return NEVER if is_over(item, now) else WAITING


def is_over(item: Handshake, now: datetime | None) -> bool:
    """Whether nobody answered within the time that one waits."""
    asked = times.parsed(item.at)
    if item.answered_by is not None or now is None or asked is None:
        return False
    return (now - asked).total_seconds() > TIMEOUT_SECONDS


def answered_after(item: Handshake) -> str:
    """How long the answer took, by the ledger's clock; empty where question or answer is not known."""
    seconds = times.seconds_between(item.at, item.answered_at) if item.actor is not None else None
    return "" if seconds is None else times.took(int(seconds * 1000))

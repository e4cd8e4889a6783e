"""Where one writes to a worker: whether one may, and if not, why not and what then; which buttons there are, and when.

Pure. The requests behind the buttons: `autopilot.client.saying`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autopilot.client.presenters import rights, standing
from autopilot.client.presenters.standing import Worker

UNSENT = "Not sent: the server can't be reached. Your words are kept here; sending them again does nothing twice."
LABEL = "Message"


@dataclass(frozen=True, slots=True)
class Act:
    """A button that sends what was written, or interrupts."""

    name: Literal["send", "steer", "queue", "interrupt"]
    label: str
    weight: Literal["primary", "plain", "danger"]
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """What can be asked for where one may not write."""

    name: Literal["reopen", "adopt", "fork"]
    label: str


@dataclass(frozen=True, slots=True)
class May:
    """Whether one may write."""

    can_write: bool
    words: str = ""
    """Why not; empty where one may."""
    ways: tuple[Way, ...] = ()


IDLE = (Act("send", "Send", "primary"),)
RUNNING = (
    Act("interrupt", "Interrupt", "danger"),
    Act("queue", "Queue", "plain", "Sent to Codex when this turn has ended"),
    Act("steer", "Steer", "primary", "Goes into the turn that runs"),
)


def acts(turn_id: str | None) -> tuple[Act, ...]:
    """The buttons while this turn runs; None: none does. The last is what a keyboard's shortcut does."""
    return RUNNING if turn_id else IDLE


def may(worker: Worker) -> May:
    """Whether one may write to it."""
    if not rights.may_operate(worker):
        return May(can_write=False, words=rights.WATCH_WORKER)
    if worker.status == "stopping":
        return May(can_write=False, words="It is being stopped: nothing new is begun.")
    if worker.status in {"stopped", "failed"}:
        words = "This worker is stopped." if worker.status == "stopped" else "The place it ran in is gone."
        return May(can_write=False, words=words, ways=(Way("reopen", "Open it again"),))
    if standing.is_watched(worker):
        words = "Another program on that computer writes this session. You can watch it, or go on in a copy of it."
        return May(can_write=False, words=words, ways=(Way("adopt", "Take over"), Way("fork", "Go on in a copy")))
    return May(can_write=True)

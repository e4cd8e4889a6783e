"""A handshake that one makes oneself, in words: each of its states, and what is known when it has ended. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from autopilot.client.acts import ActView
from autopilot.client.handshake import TIMEOUT_SECONDS, Connected, HandshakeTimeout
from autopilot.client.presenters import errors, rights, visible
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.standing import Worker

State = Literal["idle", "sending", "waiting", "connected", "timed-out", "failed"]
WHAT = (
    "Asks the companion beside this session for a sign of life through the ledger: the least proof that this device "
    "and that computer reach each other."
)
NOT_RUNNING = "This worker is not running, so that nobody would answer. Open it again first."
NOT_ASKED = "Not asked yet."
SENDING = "Sending the question…"
WAITING = "The question is in the ledger. Waiting for the answer."
LEFT = "Cancelled. The question may still be answered: the timeline shows it."
BROKEN = "The connection to the server broke. Try again."
NOT_RECORDED = "Timed out: it is not even known whether the question was recorded. Try again."
SILENCE = (
    f"Timed out: no answer within {TIMEOUT_SECONDS:g} s. The companion may be away; the worker's state says since when."
)


@dataclass(frozen=True, slots=True)
class Connection:
    """One moment of it."""

    state: State
    label: Label
    detail: str = ""
    """What to do, where it went wrong."""
    seconds_left: int | None = None
    """How long an answer is waited for yet; None: it is not waited for one."""
    facts: tuple[tuple[str, str], ...] = ()
    """What is known, when it is connected."""
    may_ask_again: bool = True
    """Whether asking once more may come to something: not where it would only be refused again."""

    @property
    def is_running(self) -> bool:
        """Whether its end is still to come."""
        return self.state in ("sending", "waiting")

    @property
    def left(self) -> str:
        """How long it is waited for yet, in words: another one each second, and nothing to read aloud each time."""
        return "" if self.seconds_left is None else f"{self.seconds_left} s left"

    @property
    def button(self) -> str:
        """What asks, or asks again."""
        if self.state == "connected":
            return "Once more"
        return "Try again" if self.state != "idle" and self.may_ask_again else "Connect"


def in_the_way(worker: Worker) -> str:
    """Why it can't be asked; empty where it can."""
    if not rights.may_operate(worker):
        return rights.WATCH_CONNECT
    return "" if worker.status == "running" else NOT_RUNNING


def idle(in_the_way: str = "") -> Connection:
    """Before it was asked for."""
    return Connection("idle", Label(in_the_way, "warn") if in_the_way else Label(NOT_ASKED))


def left() -> Connection:
    """Somebody waits no more for the answer."""
    return Connection("idle", Label(LEFT))


def broken() -> Connection:
    """Nothing is heard any more of how it goes on."""
    return Connection("failed", Label(BROKEN, "bad"))


def connection(view: ActView, names: Names, *, seconds_waited: float | None) -> Connection:
    """How it stands; `seconds_waited`: since the question was recorded, None: it is not known to be."""
    if isinstance(view.result, Connected):
        return Connection("connected", Label("Connected.", "good"), facts=facts(view.result, names))
    if isinstance(view.error, HandshakeTimeout):
        asked = view.error.fact("asked_seq") is not None
        return Connection("timed-out", Label(SILENCE if asked else NOT_RECORDED, "bad"))
    if view.error is not None:
        told = errors.trouble(view.error)
        said = Label(f"It could not be asked: {told.sentence}", "bad")
        return Connection("failed", said, told.hint, may_ask_again=told.may_send_again)
    if view.phase == "waiting" and seconds_waited is not None:
        seconds_left = max(0, math.ceil(TIMEOUT_SECONDS - seconds_waited))
        return Connection("waiting", Label(WAITING, "busy"), seconds_left=seconds_left)
    return Connection("sending", Label(SENDING, "busy"))


def facts(connected: Connected, names: Names) -> tuple[tuple[str, str], ...]:
    """What is known of a handshake that was answered."""
    return (
        ("Machine", visible.line(names.machines.get(connected.machine_id) or connected.machine_id)),
        ("Session", visible.line(connected.desktop_session_id)),
        ("There and back", f"{connected.seconds * 1000:.0f} ms"),
        ("In the log", f"{connected.asked_seq} asked, {connected.acked_seq} answered"),
    )

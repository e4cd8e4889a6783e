"""An act in words: how far it has come, and when it went wrong what that means and what can be done."""

from __future__ import annotations

from autopilot.client.acts import ActView
from autopilot.client.handshake import HandshakeTimeout
from autopilot.client.presenters import errors, handshakes, receipts
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.contract import Receipt, RequestOutcome, StoppedWorker

SENDING = Label("Sending…", "busy")
UNKNOWN = Label("Not known whether it arrived: it is sent again, and nothing is done twice", "warn")
NOT_SENT = Label("Not sent")


def label(view: ActView) -> Label:
    """How far it has come."""
    match view.phase:
        case "idle":
            return NOT_SENT
        case "sending":
            return SENDING
        case "unknown":
            return UNKNOWN
        case "refused" if view.error is not None:
            return Label(errors.trouble(view.error).sentence, "bad")
        case "failed" if isinstance(view.error, HandshakeTimeout):
            return handshakes.NEVER
    return _said(view)


def trouble(view: ActView) -> errors.Trouble | None:
    """What to tell about its error, and the way out; None: there is none."""
    return None if view.error is None else errors.trouble(view.error)


def may_send_again(view: ActView) -> bool:
    """Whether sending it again is offered: not where it would only be refused once more."""
    if view.phase == "unknown":
        return True
    told = trouble(view)
    return view.phase == "refused" and told is not None and told.may_send_again


def _said(view: ActView) -> Label:
    """What the server said of it."""
    match view.result:
        case Receipt():
            return receipts.receipt_state(view.result)
        case RequestOutcome():
            return receipts.state_of(view.result.state, machine_unreachable=view.result.machine_unreachable is True)
        case StoppedWorker():
            return _stopped(view.result)
    return handshakes.ANSWERED if view.phase == "done" else handshakes.WAITING


def _stopped(said: StoppedWorker) -> Label:
    if said.machine_unreachable:
        return Label("The machine is away: it stops this first of all when it is back", "warn")
    return Label(sentence(spelled(said.status)), "good" if said.status == "stopped" else "busy")

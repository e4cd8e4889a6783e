"""The emergency stop in words: what it would reach, what became of it, and of each session as it comes. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from autopilot.client.presenters import standing
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.receipts import receipt_state
from autopilot.contract import Receipt, StopAllWorker, StoppedAll, StoppedWorker, WorkerSummary

TITLE = "Emergency stop"
QUESTION = "Stop everything?"
BUTTON = "Stop everything"
NOTHING = "Nothing is open that you could stop."
REASON = "Why (optional, for the record)"
REASON_CHARACTERS = 255
FORCE = "Force"
FORCE_MEANS = (
    "Closes every session at once, without waiting for its machine. Nobody has then looked whether something still "
    "runs there; machines learn of it when they are back."
)
_NAMED_MACHINES = 2
"""So many names are still a sentence."""


def reach(workers: Sequence[WorkerSummary]) -> str:
    """What it would stop, counted, and what that means."""
    machines = sorted({standing.machine(worker) for worker in workers} - {""})
    sessions = "1 session" if len(workers) == 1 else f"{len(workers)} sessions"
    where = f" on {' and '.join(machines)}" if len(machines) <= _NAMED_MACHINES else f" on {len(machines)} machines"
    busy = sum(standing.activity(worker)[0] == "running" for worker in workers)
    return (
        f"{sessions}{where if machines else ''}, {busy} of them working. Each turn is interrupted, and every process "
        "that its commands started is ended, on all machines at once."
    )


def became(done: StoppedAll) -> str:
    """What was done, as a title."""
    return "Stopping" if done.stopping else "Stopped"


def counted(done: StoppedAll) -> str:
    """How many were stopped, asked, and could not be."""
    failed = sum(one.status is None for one in done.workers)
    parts = [
        f"{done.stopping} asked to stop" if done.stopping else "",
        f"{done.stopped} stopped" if done.stopped else "",
        f"{failed} could not be asked" if failed else "",
    ]
    return (", ".join(part for part in parts if part) or "Nothing was open") + "."


def began(one: StopAllWorker) -> Label:
    """What was answered of one session."""
    if one.error is not None:
        return Label(f"Could not be asked: {one.error.message}", "bad")
    if one.machine_unreachable:
        return Label("Its machine is away: first of all when it is back", "warn")
    return Label("Stopped", "good") if one.status == "stopped" else Label("Asked", "busy")


def ended(receipt: Receipt) -> Label:
    """How far a session's stop has come, by what its machine says."""
    said = receipt.response if isinstance(receipt.response, dict) else {}
    if receipt.state != "completed":
        return receipt_state(receipt)
    if said.get("verified") is True:
        processes = len(said.get("processes") or ())
        return Label(f"Stopped, and looked after{f': {processes} processes ended' if processes else ''}", "good")
    return Label("Stopped; nobody could look whether something still runs", "warn")


# Of one worker.

MEANS_ONE = (
    "Its machine interrupts the turn, ends what runs in the background and every process that its commands started, "
    "looks whether anything still lives, and says so in the receipt."
)
FORCE_ONE = (
    "Close its log at once, without its machine's word. Use it for a machine that does not come back: what runs there "
    "may go on unseen, and the log says that nobody looked."
)
AWAY_ONE = "Its machine is away: the stop waits there, and is done first of all when it is back."
ASKED_ONE = "Its machine was asked. The receipt says what became of it."


def on_its_way(*, machine_unreachable: bool) -> tuple[str, str]:
    """A stop that has not ended: a title, and what that means."""
    return "Being stopped", AWAY_ONE if machine_unreachable else ASKED_ONE


def became_one(stopped: StoppedWorker) -> tuple[str, str]:
    """What was done with one worker: a title, and what that means."""
    if stopped.status != "stopped":
        return on_its_way(machine_unreachable=stopped.machine_unreachable is True)
    if stopped.idempotent_replay:
        return "Stopped", "It was stopped already: nothing was done."
    return "Stopped", "Its log is closed. Opening it again goes on where it was."

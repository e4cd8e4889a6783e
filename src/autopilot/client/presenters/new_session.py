"""A new session in words: how far it may go, when it asks, what policies say, how far its start has come. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.policies import reason_words
from autopilot.client.presenters.receipts import state_of
from autopilot.contract import PolicyDenial, PolicyVerdict, Receipt, RequestOutcome

ENDED = frozenset({"completed", "failed", "rejected", "expired", "cancelled", "indeterminate"})
PROMPT = "What shall it do?"
FOLDER, FOLDER_EXAMPLE = "Folder", "/home/you/project"
MODEL, MODEL_OF_MACHINE = "Model", "The machine's default"
NO_MACHINE = "There is no machine to run Codex on yet."
NOT_SHARED = "This machine is not shared with you any more."
HOW_FAR, WHEN_ASKED = "How far it may go", "When it asks you"
OPENS = Label("The session opens", "busy")
STARTED = Label("Started", "good")
OTHER_WORDS = "This was asked already, with other words."
WORDS_NOT_TAKEN = "The session is there, but its first words were not taken"
WAITS = "It starts as soon as its machine is back, within a day. Keep this open: your words are sent then."


@dataclass(frozen=True, slots=True)
class Way:
    """One of the ways that a session may be started."""

    value: str
    """As Codex wants to hear it."""
    label: str
    about: str
    forbidden: str = ""
    """Why a policy forbids it; empty where none does, or where nobody can say."""

    @property
    def words(self) -> str:
        """What it means, and whether it may be chosen."""
        return f"{self.about} {self.forbidden}" if self.forbidden else self.about


SANDBOXES = (
    Way("workspace-write", "Work in the folder", "Reads everything, writes in its folder, no network."),
    Way("read-only", "Read only", "Looks, and asks before anything is changed."),
    Way("danger-full-access", "Full access", "No sandbox: it can do whatever you can on that machine."),
)
APPROVALS = (
    Way("on-request", "When it needs to", "Codex asks where it wants to leave the sandbox."),
    Way("untrusted", "Nearly always", "It asks before all but plain reading commands."),
    Way("never", "Never", "It asks nothing; what the sandbox holds back fails."),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the request for its thread is."""

    state: str
    label: Label
    worker_id: str | None = None
    request_id: str | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether more is to come of it."""
        return self.state not in ENDED

    @property
    def waits(self) -> bool:
        """Whether its machine is away."""
        return self.is_under_way and self.label.tone == "warn"


def progress(told: Receipt | RequestOutcome) -> Progress:
    """How far it is, with why it did not end well."""
    label = state_of(told.state, machine_unreachable=told.machine_unreachable is True)
    message = (told.error or {}).get("message")
    if isinstance(message, str) and message:
        label = Label(f"{label.text}: {message}", label.tone)
    said = told.response.get("worker_id") if isinstance(told.response, dict) else None
    worker_id = told.worker_id or (said if isinstance(said, str) else None)
    return Progress(told.state, label, worker_id, told.request_id)


def verdict_words(verdict: PolicyVerdict, *, is_full: bool) -> Label:
    """What policies say to the session as it is filled in; `is_full`: it may go as far as there is."""
    if not verdict.allowed:
        return Label(f"A policy forbids this: {why(verdict.denial)}.", "bad")
    return Label("Policies allow this." + (" It takes a fresh proof that it is you." if is_full else ""), "good")


def forbidden_words(denial: PolicyDenial) -> str:
    """Why one of the ways can't be chosen."""
    return f"Forbidden: {why(denial)}."


def why(denial: PolicyDenial | None) -> str:
    """Why a policy says no, as a part of a sentence."""
    if denial is None:
        return "it does not say why"
    said = denial.message or reason_words(denial.reason_code)
    return said[:1].lower() + said[1:].rstrip(".")


def models_unknown(reason: str) -> str:
    """Said where a machine's Codex named no models."""
    return f"Its models are not known: {reason}"


def asking(machine: str) -> str:
    """Said while its Codex is asked."""
    return f"Asking Codex on {machine}…"


def first_allowed(ways: Sequence[Way], chosen: str) -> str:
    """What was chosen where it may be, else the first that may."""
    free = [way.value for way in ways if not way.forbidden]
    return chosen if chosen in free or not free else free[0]

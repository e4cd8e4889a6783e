"""The items of a timeline that the ledger tells of: requests, approvals, handshakes, denials, the log itself.

Knows nothing of events. Every text is bounded by whoever makes the item.
"""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.client.timeline_items import Change, Item
from autopilot.contract import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptStep:
    """A state that a request has come to."""

    state: str
    at: str
    """When the ledger recorded it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """What a policy said no by."""

    reason_code: str = ""
    """`policy_denied.method`, …."""
    message: str = ""
    document: str | None = None
    """Whose document: `installation`, `team` or `user`."""
    rule_id: str | None = None
    """The rule's place in it."""
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Item):
    """A request and its receipt so far."""

    kind = "request"
    request_id: str = ""
    method: str = ""
    state: str = "accepted"
    """As the receipt: accepted, delivered, acknowledged, completed, failed, rejected, expired, cancelled, …."""
    error: str | None = None
    words: str = ""
    """What was said in it: the text of a message, the reason of a stop."""
    steps: tuple[ReceiptStep, ...] = ()
    """The states it came to, in order."""
    denial: Denial | None = None
    """Why a policy refused it."""
    expires_at: str | None = None
    """When it expires unless delivered."""
    actor: Actor | None = None
    """Who asked, on which device, through what."""
    x_request_id: str | None = None

    @property
    def surface(self) -> str | None:
        """Through what it was asked."""
        return self.actor.surface if self.actor else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDenied(Item):
    """A policy said no to something that is no request: an answer to an approval."""

    kind = "policyDenied"
    denial: Denial = Denial()
    approval_id: str | None = None
    what: str = ""
    """What it was about: the kind of approval."""
    actor: Actor | None = None
    """Whom it was said to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact about a question, for people."""

    label: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One of the questions of an approval that asks several."""

    text: str
    header: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Item):
    """A question of Codex to a person, and what became of it so far."""

    kind = "approval"
    approval_id: str = ""
    what: str = ""
    """What is asked: `command`, `file_change`, …."""
    state: str = "pending"
    """As the approval: pending, decided, applied, superseded, expired, closed. (That it was delivered is no event.)"""
    title: str = ""
    risk: str | None = None
    command: str | None = None
    cwd: str | None = None
    reason: str | None = None
    """Why Codex asks."""
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = ()
    """The files that would change."""
    questions: tuple[Question, ...] = ()
    url: str | None = None
    """The page to open."""
    answerable: bool = True
    labels: tuple[tuple[str, str], ...] = ()
    """The options: id and label."""
    option: str | None = None
    """The label of the option that was chosen; its id where the question is not known."""
    actor: Actor | None = None
    """Who answered, on which device, through what."""
    rule_id: str | None = None
    """The rule that answered, where no person did."""
    decided_at: str | None = None
    message: str | None = None
    """The words that went with the answer."""
    outcome: str | None = None
    """What became of it in Codex: accepted, declined, cancelled, unknown."""
    closed_reason: str | None = None

    @property
    def by(self) -> str | None:
        """Through what it was answered: ios, web, cli, …."""
        return self.actor.surface if self.actor else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake(Item):
    """A device asked whether the companion hears it. Without an answer within 30 s it was not heard."""

    kind = "handshake"
    handshake_id: str = ""
    source: str = ""
    """Who asked, in its own words: `autopilot-ios`, `autopilot-web`, …."""
    actor: Actor | None = None
    """Who asked; None where only the answer is in this timeline."""
    answered_by: Actor | None = None
    """The machine that answered; None: not yet."""
    answered_at: str | None = None
    session_id: str | None = None
    """The companion's `desktop_session_id`: new at each of its starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle(Item):
    """The worker's log was opened or closed."""

    kind = "lifecycle"
    event: str = ""
    """`started` or `stopped`."""
    reason: str | None = None
    verified: bool | None = None
    """Of a stop: whether the executor saw everything end."""
    actor: Actor | None = None
    """Who opened it, or asked for the stop, as far as the log says."""
    processes: tuple[str, ...] = ()
    """Commands that the stop ended, with what ended each."""
    still_running: tuple[str, ...] = ()
    """Commands that it could not end."""
    unverified: tuple[str, ...] = ()
    """What could not be looked at."""

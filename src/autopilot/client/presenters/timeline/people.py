"""What people ask, and what is asked of them: requests, approvals, refusals by policy, handshakes, the log itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autopilot.client.presenters import approvals, handshakes, receipts, visible
from autopilot.client.presenters.evidence import Evidence, evidence
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.policies import denial_words, rule_words
from autopilot.client.presenters.timeline.view import Context, View, framed
from autopilot.client.timeline_records import Asked, Denial, Handshake, Lifecycle, PolicyDenied, Request

_REPEATED_IN_A_MESSAGE = frozenset({"turn/start", "turn/steer"})
"""What these say is the next message of the timeline."""
_LONGEST_TITLE = 600
NOT_VERIFIED = Label("Not verified", "warn")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a policy said no."""

    words: str
    rule: str
    """Where the rule is written; empty where that is not known."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A step of a receipt."""

    word: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView(View):
    """A request, who asked, and the steps of its receipt."""

    title: str
    state: Label | None
    """None: done, as it should be."""
    by: str
    words: str
    """What was said in it; empty where the next message says it."""
    refusal: Refusal | None
    error: str
    dots: tuple[receipts.Dot, ...]
    steps: tuple[Passed, ...]
    request_id: str
    x_request_id: str
    """Under which every hop of it is found; empty where none is known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered."""

    option: str
    by: str
    at: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalView(View):
    """A question of Codex with its evidence, and who answered what."""

    what: str
    title: str
    risk: Label | None
    """While it waits, where something is said of it."""
    state: Label | None
    """What became of it; None while it waits."""
    evidence: Evidence
    """In sight while it waits, folded afterwards."""
    is_pending: bool
    approval_id: str
    cannot: str
    """Why it can't be answered from here; empty where it can, or waits no more."""
    answer: Answer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDeniedView(View):
    """A policy said no to an answer."""

    title: str
    by: str
    about: str
    refusal: Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeView(View):
    """A handshake: sent, answered by which session, or never."""

    title: str
    state: Label
    later: Label | None
    """What it becomes by itself when the time is over; None where it has ended."""
    by: str
    answered_by: str
    session: str
    after: str
    """How long the answer took; empty where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LifecycleView(View):
    """The log was opened or closed; of a stop, what it ended and could not."""

    title: str
    state: Label | None
    by: str
    words: str
    found: tuple[tuple[str, tuple[str, ...]], ...]
    """What was found of processes: a heading, and each."""


def request(item: Request, context: Context) -> RequestView:
    """A request, who asked, and the steps of its receipt."""
    state = receipts.state_of(item.state)
    title = receipts.asked(item.method)
    quiet = item.state in receipts.WAY
    emphasis: Literal["quiet", "loud"] = "quiet" if quiet else "loud"
    return RequestView(
        frame=framed(item, f"Request {title}, {state.text}", context),
        emphasis=emphasis,
        title=visible.line(title),
        state=None if item.state == "completed" else state,
        by=context.by(item.actor),
        words="" if quiet and item.method in _REPEATED_IN_A_MESSAGE else visible.words(item.words),
        refusal=_refusal(item.denial) if item.denial else None,
        error="" if item.denial else visible.words(item.error or ""),
        dots=receipts.dots(item.state, {step.state for step in item.steps}),
        steps=tuple(Passed(visible.line(receipts.step(step.state)), step.at) for step in item.steps),
        request_id=visible.line(item.request_id),
        x_request_id=item.x_request_id or "",
    )


def approval(item: Asked, context: Context) -> ApprovalView:
    """A question of Codex with its evidence, and who answered what."""
    course = approvals.course(item)
    state, title = approvals.in_short(course), approvals.title(item)
    answer = None
    if item.option is not None and not course.is_pending:
        by = visible.line(approvals.answered_by(course, context.names))
        answer = Answer(visible.line(item.option), by, item.decided_at or "", visible.words(item.message or ""))
    return ApprovalView(
        frame=framed(item, f"Approval: {title}, {state.text}", context),
        emphasis="pending" if course.is_pending else "ended",
        what=visible.line(approvals.kind_of(item.what)),
        title=visible.prose(title[:_LONGEST_TITLE]),
        risk=approvals.risk(item.risk) if item.risk and course.is_pending else None,
        state=None if course.is_pending else state,
        evidence=evidence(item, context.caps),
        is_pending=course.is_pending,
        approval_id=item.approval_id,
        cannot=approvals.AT_THE_COMPUTER if course.is_pending and not item.answerable else "",
        answer=answer,
    )


def policy_denied(item: PolicyDenied, context: Context) -> PolicyDeniedView:
    """A policy said no to an answer."""
    return PolicyDeniedView(
        frame=framed(item, "Refused by policy", context),
        emphasis="loud",
        title="Refused by policy",
        by=context.by(item.actor),
        about=visible.line(f"An answer: {approvals.kind_of(item.what)}") if item.what else "",
        refusal=_refusal(item.denial),
    )


def handshake(item: Handshake, context: Context) -> HandshakeView:
    """A handshake: sent, answered by which session, or never."""
    state = handshakes.state_of(item, context.now)
    is_waiting = state is handshakes.WAITING
    has_session = item.answered_by is not None and bool(item.session_id)
    return HandshakeView(
        frame=framed(item, f"Handshake, {state.text}", context),
        emphasis="waiting" if is_waiting else "",
        title="Handshake",
        state=state,
        later=handshakes.NEVER if is_waiting else None,
        by=context.by(item.actor),
        answered_by=context.by(item.answered_by) if has_session else "",
        session=visible.line(item.session_id or "") if has_session else "",
        after=handshakes.answered_after(item) if has_session else "",
    )


def lifecycle(item: Lifecycle, context: Context) -> LifecycleView:
    """The log was opened or closed; of a stop, what it ended and could not."""
    stopped = item.event == "stopped"
    title = "Stopped" if stopped else {"reattach": "Opened again"}.get(item.reason or "", "Session begins")
    unsure = stopped and item.verified is False
    found = (("Ended", item.processes), ("Still running", item.still_running), ("Not looked at", item.unverified))
    return LifecycleView(
        frame=framed(item, title, context),
        emphasis="loud" if unsure else "",
        title=title,
        state=NOT_VERIFIED if unsure else None,
        by=context.by(item.actor) if stopped else "",
        words=visible.words(item.reason or "") if stopped else "",
        found=tuple((name, tuple(visible.line(one) for one in those)) for name, those in found if those),
    )


def _refusal(denial: Denial) -> Refusal:
    return Refusal(visible.words(denial_words(denial)), visible.line(rule_words(denial) or ""))

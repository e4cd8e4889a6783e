"""A question of Codex in words: what it is, how grave, what became of it and by whom, and what an answer needs.

Of the approval itself, and of its item in a timeline: `course` reads both. What it is about is in `evidence`. Pure;
what nobody foresaw is spelled as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autopilot.client.presenters import rights
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.client.presenters.people import Names, Who, short, who
from autopilot.client.timeline_records import Asked
from autopilot.contract import Actor, Approval, ApprovalOption

KINDS = {
    "command": "Run a command",
    "file_change": "Change files",
    "permissions": "More rights",
    "user_input": "A question for you",
    "mcp_form": "A form of a tool server",
    "mcp_url": "A page to open",
    "mcp_tool_call": "Call a tool",
    "dynamic_tool": "Call a client's tool",
    "legacy_command": "Run a command",
    "legacy_patch": "Change files",
    "unsupported": "Something this version does not know",
}
RISKS: dict[str, Label] = {
    "low": Label("Low risk", "good"),
    "medium": Label("Medium risk", "warn"),
    "high": Label("High risk", "bad"),
}
UNKNOWN_RISK = Label("Risk unknown", "warn")
THIS_COMMAND = "Run this command?"
_CUT = "…”?"
"""The end of a title that names a part of a command."""
_RISK_ORDER = {"high": 0, "medium": 1, "low": 3}
_BETWEEN = 2
"""Where nothing can be said of the risk."""
_RISK_MEANS = {
    "high": "It leaves the sandbox, reaches the network, or destroys something.",
    "medium": "It changes something that can be seen and taken back.",
    "low": "It stays inside the sandbox and the work folder.",
}
_DONE = {
    "accept": "Approved",
    "accept_lasting": "Approved, with the like of it",
    "decline": "Declined",
    "cancel": "Declined, and the turn ended",
    "answer": "Answered",
}
_STATES: dict[str, Label] = {
    "pending": Label("Waits for an answer", "warn"),
    "decided": Label("Answered, on its way", "busy"),
    "delivered": Label("Answered, on the machine", "busy"),
    "applied": Label("Codex took the answer", "good"),
    "superseded": Label("Answered elsewhere"),
    "expired": Label("Nobody answered in time", "warn"),
}
_OUTCOMES: dict[str, Label] = {
    "accepted": Label("Allowed", "good"),
    "declined": Label("Declined", "bad"),
    "cancelled": Label("Cancelled, and the turn with it", "bad"),
    "unknown": Label("Outcome unknown"),
}
_OUTCOME_WORDS = {
    "accepted": "it was allowed",
    "declined": "it was declined",
    "cancelled": "the turn was ended over it",
}
_CLOSED = {
    "turn_ended": "the turn ended",
    "turn_interrupted": "the turn was interrupted",
    "thread_closed": "the session was closed",
    "worker_stopped": "the session was stopped",
    "machine_replaced": "another machine took the session over",
    "codex_ended": "Codex ended",
    "companion_file_lost": "the companion lost its file; it asks anew",
    "answer_unfit": "what was answered can't be said in Codex's words",
    "out_of_reach": "the connection to Codex ended",
    "unsupported": "this version does not know such a question",
}
AT_THE_COMPUTER = "Only to be answered at the computer"
OTHERS_ANSWER = "You may watch. Who operates this session can answer"
MACHINE_AWAY = "Its machine can't be reached. An answer waits until the machine is back."
DECLINE_WITH_WORDS, WORDS_LABEL = "Decline with words", "What Codex should do instead"
MORE_ANSWERS = "More answers"
EXPIRES = "Codex goes on without an answer"
"""Followed by when."""
_YES = frozenset({"accept", "accept_lasting"})
_PRIMARY = ("accept", "answer")


@dataclass(frozen=True, slots=True)
class Course:
    """How far a question has come."""

    state: str
    outcome: str | None = None
    closed_reason: str | None = None
    answerable: bool = True
    machine_reachable: bool = True
    is_mine: bool = True
    """Whether the one who looks operates what asks, as far as it is said."""
    answer: str | None = None
    """What was answered, in words; None: nothing yet."""
    actor: Actor | None = None
    rule_id: str | None = None
    document: str | None = None
    """Whose policy has the rule."""

    @property
    def is_pending(self) -> bool:
        """Whether it waits for an answer."""
        return self.state == "pending"


def course(of: Approval | Asked) -> Course:
    """How far it has come, of the approval or of its item."""
    if isinstance(of, Asked):
        return Course(
            of.state,
            of.outcome,
            of.closed_reason,
            of.answerable,
            answer=of.option,
            actor=of.actor,
            rule_id=of.rule_id,
        )
    decision = of.decision
    return Course(
        of.state,
        of.outcome,
        of.closed_reason,
        of.answerable is not False,
        of.machine_reachable is not False,
        rights.may_operate(of),
        None if decision is None else _done(option_of(of, decision.option_id)),
        decision.actor if decision else None,
        decision.rule_id if decision else None,
        decision.document if decision else None,
    )


def title(of: Approval | Asked) -> str:
    """What is asked, in the words of the question, else of its kind."""
    return of.title or kind_of(of.what if isinstance(of, Asked) else of.kind)


def headline(of: Approval) -> str:
    """What is asked, above its evidence: where that has the whole command, no piece of a long one is said before it."""
    is_cut = title(of).endswith(_CUT) and of.evidence is not None and bool(of.evidence.command_line)
    return THIS_COMMAND if is_cut else title(of)


def kind_of(kind: str) -> str:
    """What is asked, in general; an unknown kind as it is."""
    return KINDS.get(kind) or sentence(spelled(kind)) or "A question"


def risk(word: str | None) -> Label:
    """How much a wrong yes could cost."""
    return RISKS.get(word or "") or UNKNOWN_RISK


def risk_means(word: str | None) -> str:
    """The same as a sentence."""
    return _RISK_MEANS.get(word or "", "Nothing can be said about what it could cost.")


def risk_order(word: str | None) -> int:
    """The gravest have the smallest."""
    return _RISK_ORDER.get(word or "", _BETWEEN)


def in_short(of: Course) -> Label:
    """How far it has come, and how it ended; who did it stands beside it."""
    ended = _OUTCOMES.get(of.outcome or "")
    if ended is not None and of.state in ("applied", "superseded"):
        return Label(ended.text + (", elsewhere" if of.state == "superseded" else ""), ended.tone)
    return _closed(of) if of.state == "closed" else _STATES.get(of.state) or Label(sentence(spelled(of.state)))


def became(of: Course, names: Names) -> Label:
    """How far it has come, by whom; of one that has ended, what became of it."""
    if of.is_pending:
        return in_the_way(of) or _STATES["pending"]
    done = f"{of.answer or 'Answered'}{_by(of, names)}"
    waits = "on its way to the machine" if of.machine_reachable else "it waits for its machine"
    outcome = _OUTCOME_WORDS.get(of.outcome or "")
    tone: Literal["good", "quiet"] = "good" if of.outcome == "accepted" else "quiet"
    labels = {
        "decided": Label(f"{done}: {waits}", "busy"),
        "delivered": Label(f"{done}: the machine has it", "busy"),
        "applied": Label(done, tone),
        "superseded": Label("Answered at the computer" + (f": {outcome}" if outcome else ""), tone),
        "expired": Label("Nobody answered in time"),
        "closed": _closed(of),
    }
    return labels.get(of.state) or Label(sentence(spelled(of.state)))


def answered_by(of: Course, names: Names) -> str:
    """Who, or which rule, answered; empty where nobody did."""
    if of.rule_id:
        return f"by rule {short(of.rule_id)}"
    someone = who(of.actor, names)
    return someone.words if someone else ""


def faster(of: Course, names: Names) -> str | None:
    """Who answered it before somebody else could; None where no person and no rule did."""
    if of.answer is None:
        return None
    if of.rule_id is not None:
        return "A rule of a policy answered before you"
    someone = who(of.actor, names)
    return None if someone is None else f"{_someone(someone)} answered before you"


def can_answer(approval: Approval, names: Names) -> bool:
    """Whether the one who looks may answer it here."""
    is_asked = approval.state == "pending" and approval.answerable is not False
    return is_asked and names.me is not None and rights.may_operate(approval)


def in_the_way(of: Course) -> Label | None:
    """Why the one who looks can't answer it here and now."""
    if not of.answerable:
        return Label(AT_THE_COMPUTER, "warn")
    if not of.is_mine:
        return Label(OTHERS_ANSWER)
    if not of.machine_reachable:
        return Label("Its machine can't be reached: an answer waits until it is back", "warn")
    return None


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers there are, in the order to show them."""

    first: tuple[ApprovalOption, ...]
    """The plain no and yes, in sight; the yes is the last."""
    more: tuple[ApprovalOption, ...]
    """What goes further: one fold away."""


def answers(options: Sequence[ApprovalOption]) -> Answers:
    """Which are in sight."""
    first = _first(options, _PRIMARY), _first(options, ("decline",)) or _first(options, ("cancel",))
    chosen = tuple(option for option in reversed(first) if option is not None)
    return Answers(chosen, tuple(option for option in options if option not in chosen))


def weight_of(option: ApprovalOption) -> Literal["primary", "danger", "plain"]:
    """How the button of an answer looks."""
    return "primary" if option.effect in _PRIMARY else "danger" if option.effect == "cancel" else "plain"


def option_of(approval: Approval, option_id: str) -> ApprovalOption | None:
    """The option of that id."""
    return next((option for option in approval.options if option.option_id == option_id), None)


def needs_second_tap(approval: Approval, option: ApprovalOption) -> bool:
    """Whether a slip of a finger would cost too much: a yes to what leaves the sandbox, or to its like for good."""
    return option.effect in _YES and (approval.risk == "high" or option.effect == "accept_lasting")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Between the first tap and the second."""

    question: str
    means: str
    yes: str = "Yes, I am sure"
    no: str = "Back"


def confirmation(approval: Approval, option: ApprovalOption, *, loses_words: bool) -> Confirmation:
    """What to say before it is done; `loses_words`: what was typed does not go with this answer."""
    means = [risk_means(approval.risk)]
    if option.effect == "accept_lasting":
        means.append("From then on nobody is asked for the like of it.")
    if loses_words:
        means.append("Your words for Codex don't go with this answer.")
    return Confirmation(f"{option.label}?", " ".join(means))


def _first(options: Sequence[ApprovalOption], effects: Sequence[str]) -> ApprovalOption | None:
    return next((option for option in options if option.effect in effects), None)


def _closed(of: Course) -> Label:
    reason = of.closed_reason
    return Label(f"Asked no more: {_CLOSED.get(reason) or spelled(reason)}" if reason else "Asked no more")


def _someone(someone: Who) -> str:
    return f"{someone.name} ({someone.through})" if someone.through else someone.name


def _done(option: ApprovalOption | None) -> str:
    return "Answered" if option is None else _DONE.get(option.effect or "") or f"Answered “{option.label}”"


def _by(of: Course, names: Names) -> str:
    if of.rule_id is not None:
        return f" by a rule of the {of.document or 'policy'}'s policy"
    someone = who(of.actor, names)
    return f" by {_someone(someone).replace('You', 'you', 1)}" if someone is not None else ""

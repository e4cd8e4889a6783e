"""Approvals in words: how grave a question is, what became of it and by whom, and what an answer needs.

Pure: an approval and the names that a screen knows in, words out. What nobody foresaw is spelled as it is.
"""

from __future__ import annotations

from autopilot.client.presenters.labels import Label, Tone, sentence, spelled
from autopilot.client.presenters.people import Names, Who, who
from autopilot.contract import Approval, ApprovalOption, Decision

RISKS: dict[str, Label] = {
    "low": Label("Low risk", "good"),
    "medium": Label("Medium risk", "warn"),
    "high": Label("High risk", "bad"),
}
UNKNOWN_RISK = Label("Risk unknown", "warn")
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
_OUTCOMES = {"accepted": "it was allowed", "declined": "it was declined", "cancelled": "the turn was ended over it"}
CLOSED = {
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
YES = frozenset({"accept", "accept_lasting"})


def risk(approval: Approval) -> Label:
    """How grave it is."""
    return RISKS.get(approval.risk or "") or UNKNOWN_RISK


def risk_means(approval: Approval) -> str:
    """The same as a sentence."""
    return _RISK_MEANS.get(approval.risk or "", "Nothing can be said about what it could cost.")


def risk_order(approval: Approval) -> int:
    """The gravest have the smallest."""
    return _RISK_ORDER.get(approval.risk or "", _BETWEEN)


def needs_second_tap(approval: Approval, option: ApprovalOption) -> bool:
    """Whether a slip of a finger would cost too much: a yes to what leaves the sandbox, or to its like for good."""
    return option.effect in YES and (approval.risk == "high" or option.effect == "accept_lasting")


def option_of(approval: Approval, option_id: str) -> ApprovalOption | None:
    """The option of that id."""
    return next((option for option in approval.options if option.option_id == option_id), None)


def became(approval: Approval, names: Names) -> Label:
    """How far it has come, by whom; of one that has ended, what became of it."""
    if approval.state == "pending":
        return _waits(approval)
    done = _done(approval) + _by(approval.decision, names)
    waits = "it waits for its machine" if approval.machine_reachable is False else "on its way to the machine"
    outcome = _OUTCOMES.get(approval.outcome or "")
    closed = approval.closed_reason or "closed"
    labels = {
        "decided": Label(f"{done}: {waits}", "busy"),
        "delivered": Label(f"{done}: the machine has it", "busy"),
        "applied": Label(done, _tone(approval)),
        "superseded": Label("Answered at the computer" + (f": {outcome}" if outcome else ""), _tone(approval)),
        "expired": Label("Nobody answered in time"),
        "closed": Label(f"Asked no more: {CLOSED.get(closed) or spelled(closed)}"),
    }
    return labels.get(approval.state) or Label(sentence(spelled(approval.state)))


def _waits(approval: Approval) -> Label:
    if approval.answerable is False:
        return Label("Only to be answered at the computer", "warn")
    if approval.machine_reachable is False:
        return Label("Its machine can't be reached: an answer waits until it is back", "warn")
    return Label("Waits for an answer", "warn")


def faster(approval: Approval, names: Names) -> str | None:
    """Who answered it before somebody else could; None where no person and no rule did."""
    decision = approval.decision
    if decision is None:
        return None
    if decision.rule_id is not None:
        return "A rule of a policy answered before you"
    someone = who(decision.actor, names)
    return None if someone is None else f"{_someone(someone)} answered before you"


def _someone(someone: Who) -> str:
    return f"{someone.name} ({someone.through})" if someone.through else someone.name


def _done(approval: Approval) -> str:
    decision = approval.decision
    option = option_of(approval, decision.option_id) if decision else None
    if option is None:
        return "Answered"
    return _DONE.get(option.effect or "") or f"Answered “{option.label}”"


def _by(decision: Decision | None, names: Names) -> str:
    if decision is None:
        return ""
    if decision.rule_id is not None:
        return f" by a rule of the {decision.document or 'policy'}'s policy"
    someone = who(decision.actor, names)
    return f" by {_someone(someone).replace('You', 'you', 1)}" if someone is not None else ""


def _tone(approval: Approval) -> Tone:
    return "good" if approval.outcome == "accepted" else "quiet"

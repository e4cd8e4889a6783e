"""What policies come to, in lines: what may be asked for, who answers, what is decided by rule, which budgets. Pure.

Also whose word a rule is, and what became of a trial. The web and the phone say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autopilot.client.presenters import policies, spend
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.contract import (
    Policies,
    PolicyAnswering,
    PolicyApprovalRule,
    PolicyBudget,
    PolicyDecision,
    PolicyDenial,
    PolicySection,
    PolicyVerdict,
)

BUILTIN = "Autopilot itself"
KINDS = {
    "command": "A command",
    "file_change": "A change of files",
    "permissions": "More rights",
    "user_input": "A question to a person",
    "mcp_form": "A form of a server's",
    "mcp_url": "A page of a server's",
    "mcp_tool_call": "A tool of a server's",
    "dynamic_tool": "A tool of a client's",
    "legacy_command": "A command (older Codex)",
    "legacy_patch": "A change of files (older Codex)",
}
DECISIONS = {"accept": "Accepted", "decline": "Declined", "cancel": "Cancelled"}
TOGETHER = "For your own machines and sessions. Everything must be allowed by every line about it."
TOGETHER_IN_A_TEAM = (
    "For what is asked on the machines of this team. Everything must be allowed by every line about it."
)
WHERE_CHANGED = (
    "A policy is changed in the web app or a terminal, where there is room to write it and to try it first. "
    "The installation's is set on its own machine."
)
METHODS = (
    "turn/start",
    "turn/steer",
    "thread/start",
    "thread/fork",
    "review/start",
    "thread/shellCommand",
    "fs/readFile",
)
"""What a trial offers."""
_LISTED = 12
"""Names in a line."""

Said = PolicySection | PolicyAnswering | PolicyApprovalRule | PolicyBudget | PolicyDenial | PolicyDecision


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is said."""

    about: str
    words: str
    source: str
    """Whose word it is."""


@dataclass(frozen=True, slots=True)
class Part:
    """What is said of one thing."""

    title: str
    lines: tuple[Line, ...]


def parts(found: Policies) -> tuple[Part, ...]:
    """All that binds, by what it is about; without empty parts."""
    made = (
        Part("What may be asked for", tuple(map(_section, found.effective))),
        Part("Who answers Codex", tuple(map(_answering, found.answering))),
        Part("Decided by rule", tuple(map(_rule, found.rules))),
        Part("Budgets", tuple(map(_budget, found.budgets))),
    )
    return tuple(one for one in made if one.lines)


def source(one: Said) -> str:
    """Whose rule it is, and of which version."""
    if one.document is None or one.document == "builtin":
        return BUILTIN
    name = policies.DOCUMENTS.get(one.document, one.document)
    return f"{name}, the draft" if one.version == 0 else f"{name}, version {one.version}"


def verdict(method: str, said: PolicyVerdict) -> tuple[Label, str]:
    """Whether a request would be let through; and which rule it was."""
    if said.allowed:
        return Label(f"Allowed: {method} would be let through.", "good"), ""
    denial = said.denial or PolicyDenial(reason_code="")
    why = denial.message or policies.reason_words(denial.reason_code)
    about = f"; it is about {denial.field}" if denial.field else ""
    return Label(f"Refused: {why}", "bad"), f"{denial.rule_id or 'A rule'} of {source(denial)}{about}"


def _section(one: PolicySection) -> Line:
    allowed = (f"Only {_listed(one.allow)}" if one.allow else "Nothing") if one.limited else "Anything"
    denied = (f", but not {_listed(one.deny)}") if one.deny else ""
    return Line(sentence(spelled(one.name)), f"{allowed}{denied}", sentence(source(one)))


def _answering(one: PolicyAnswering) -> Line:
    kinds = ", ".join(KINDS.get(kind, kind).lower() for kind in one.kinds) or "nothing"
    return Line(sentence(spelled(one.who)), sentence(kinds) if one.limited else "Everything", sentence(source(one)))


def _rule(one: PolicyApprovalRule) -> Line:
    command = f" {' '.join(one.command)}" if one.command else ""
    where = f" in {_listed(one.folders)}" if one.folders else ""
    decision = DECISIONS.get(one.decision, one.decision)
    return Line(
        one.name or one.rule_id, f"{KINDS.get(one.kind, one.kind)}{command}{where}: {decision}", sentence(source(one))
    )


def _budget(one: PolicyBudget) -> Line:
    return Line(
        one.name, f"{one.tokens:,} tokens for each {one.per}, {spend.period_words(one.period)}", sentence(source(one))
    )


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _LISTED
    return ", ".join(words[:_LISTED]) + (f" and {more} more" if more > 0 else "")

"""The tables of `autopilot policy show`: a line for each thing that a document says. Pure."""

from __future__ import annotations

from typing import TypeAlias

from autopilot.contract import (
    Policies,
    PolicyAnswering,
    PolicyApprovalRule,
    PolicyBudget,
    PolicyDocument,
    PolicySection,
)

Line: TypeAlias = PolicySection | PolicyAnswering | PolicyApprovalRule | PolicyBudget
Rows: TypeAlias = list[tuple[str, ...]]

ALLOWED = ("ABOUT", "POLICY", "ALLOWS", "DENIES")
ANSWERING = ("WHO ANSWERS", "POLICY", "KINDS")
RULES = ("RULE", "POLICY", "KIND", "DECIDES", "COMMAND", "FOLDERS")
BUDGETS = ("BUDGET", "POLICY", "TOKENS", "PER", "WARNS AT", "THEN")


def tables_of(found: Policies) -> list[tuple[tuple[str, ...], Rows]]:
    """Headings and rows of each table; one without rows says that no document speaks of it."""
    return [
        (ALLOWED, [_allowed(one) for one in found.effective]),
        (ANSWERING, [_answering(one) for one in found.answering]),
        (RULES, [_rule(one) for one in found.rules]),
        (BUDGETS, [_budget(one) for one in found.budgets]),
    ]


def name_of(said: PolicyDocument | Line) -> str:
    """Whose document it is: `user`, `installation`, `team team_ab12`."""
    word = said.subject if isinstance(said, PolicyDocument) else said.document
    return word if said.team_id is None else f"{word} {said.team_id}"


def _said_by(line: Line) -> str:
    return line.document if line.version is None else f"{name_of(line)} {line.version}"


def _allowed(line: PolicySection) -> tuple[str, ...]:
    allows = (", ".join(line.allow) or "nothing") if line.limited else "anything"
    return line.name, _said_by(line), allows, ", ".join(line.deny) or "nothing"


def _answering(line: PolicyAnswering) -> tuple[str, ...]:
    return line.who, _said_by(line), (", ".join(line.kinds) or "none") if line.limited else "all"


def _rule(line: PolicyApprovalRule) -> tuple[str, ...]:
    command, folders = " ".join(line.command) or "any", ", ".join(line.folders) or "anywhere"
    return line.name, _said_by(line), line.kind, line.decision, command, folders


def _budget(line: PolicyBudget) -> tuple[str, ...]:
    period = "for ever" if line.period == "ever" else f"a {line.period}"
    warns = "never" if line.warn_at is None else f"{100 * line.warn_at:g} %"
    return line.name, _said_by(line), f"{line.tokens:,} {period}", line.per, warns, line.on_exhausted

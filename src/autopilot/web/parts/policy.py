"""How policies look: what they come to, faults of a draft, verdicts of a trial, versions and what changed between them.

Pure: from the contract's messages to htpy elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import htpy as h

from autopilot.client.presenters import diffs as read_diffs
from autopilot.client.presenters import people, policies
from autopilot.client.presenters.labels import sentence, spelled
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.policy_lines import DECISIONS, KINDS, source
from autopilot.contract import (
    ApprovalVerdict,
    Policies,
    PolicyAnswering,
    PolicyApprovalRule,
    PolicyBudget,
    PolicyChange,
    PolicyDenial,
    PolicyVerdict,
)
from autopilot.web.parts.blocks import table, when
from autopilot.web.timeline import diffs

LONGEST_LINE = 160
FAULTS_SHOWN = 50


def summary(found: Policies) -> h.Node:
    """What all documents in force come to together."""
    sections = [
        [
            sentence(spelled(one.name)),
            _listed(one.allow, "nothing") if one.limited else "anything",
            _listed(one.deny, ""),
            source(one),
        ]
        for one in found.effective
    ]
    return [
        table("What may be asked for", ["About", "Allowed", "Denied", "Set by"], sections),
        _part("Who answers Codex", ["Who", "May answer", "Set by"], [_answering(one) for one in found.answering]),
        _part("Decided by rule", ["Rule", "What", "Decision", "Set by"], [_rule(one) for one in found.rules]),
        _part("Budgets", ["Budget", "Tokens", "Set by"], [_budget(one) for one in found.budgets]),
    ]


def _part(title: str, columns: Sequence[str], rows: list[list[h.Node]]) -> h.Node:
    return [h.h3[title], table(title, columns, rows)] if rows else None


def _answering(one: PolicyAnswering) -> list[h.Node]:
    kinds = ", ".join(KINDS.get(kind, kind).lower() for kind in one.kinds) or "nothing"
    return [sentence(one.who), kinds if one.limited else "everything", source(one)]


def _rule(one: PolicyApprovalRule) -> list[h.Node]:
    where = f" in {', '.join(one.folders)}" if one.folders else ""
    command = [" ", h.code(dir="ltr")[" ".join(one.command)]] if one.command else None
    return [
        h.span(dir="auto")[one.name],
        [KINDS.get(one.kind, one.kind), command, h.span(dir="ltr")[where]],
        DECISIONS.get(one.decision, one.decision),
        source(one),
    ]


def _budget(one: PolicyBudget) -> list[h.Node]:
    period = "in all" if one.period == "ever" else f"a {one.period}"
    return [h.span(dir="auto")[one.name], f"{one.tokens:,} for each {one.per}, {period}", source(one)]


def _listed(words: Iterable[str], nothing: str) -> h.Node:
    found = list(words)
    return [[" " if index else None, h.code(dir="ltr")[word]] for index, word in enumerate(found)] if found else nothing


# Drafts.


def faults(details: Sequence[dict[str, Any]], text: str) -> h.Element:
    """What is wrong with a text, with the lines it is wrong in."""
    lines = text.split("\n")
    return h.div(".faults", role="alert")[
        h.p[h.b["This can't be in force yet."]],
        h.ul[(_fault(one, lines) for one in details[:FAULTS_SHOWN])],
    ]


def _fault(one: dict[str, Any], lines: list[str]) -> h.Element:
    line = one.get("line")
    is_there = isinstance(line, int) and 0 < line <= len(lines)
    place = f"Line {line}: " if is_there else ""
    path = f"{one['path']} " if one.get("path") else ""
    return h.li[
        h.span(dir="auto")[f"{place}{path}{one.get('message', '')}"],
        h.code(".line", dir="ltr")[f"{line} | {lines[line - 1][:LONGEST_LINE]}"] if is_there else None,
    ]


def verdict(method: str, said: PolicyVerdict) -> h.Element:
    """Whether a request would be let through."""
    if said.allowed:
        return h.div(".verdict.good", role="status")[
            h.b["Allowed"], h.p[h.code(dir="ltr")[method], " would be let through."]
        ]
    return h.div(".verdict.bad", role="status")[h.b["Refused"], _denial(said.denial or PolicyDenial(reason_code=""))]


def approval_verdict(kind: str, said: ApprovalVerdict) -> h.Element:
    """What would become of a question of Codex."""
    decided = said.decision
    if decided is None:
        head = [h.b["Waits for a person"], h.p["No rule decides it."]]
    else:
        rule = f"By the rule “{decided.name}” ({decided.rule_id}) of {source(decided)}."
        head = [h.b[f"{DECISIONS.get(decided.decision, decided.decision)} by rule"], h.p(dir="auto")[rule]]
    may = ", ".join(one.who for one in said.answerers if one.allowed) or "nobody"
    return h.div(class_=f"verdict {'good' if decided and decided.decision == 'accept' else 'warn'}", role="status")[
        head,
        h.p[f"{KINDS.get(kind, kind)} may be answered by: {may}."],
        (
            h.p[
                f"{sentence(one.who)} may not: ",
                h.span(dir="auto")[one.denial.message or policies.reason_words(one.denial.reason_code)],
            ]
            for one in said.answerers
            if one.denial is not None
        ),
    ]


def _denial(denial: PolicyDenial) -> h.Node:
    rule = f"{denial.rule_id or 'A rule'} of {source(denial)}" + (
        f"; it is about {denial.field}" if denial.field else ""
    )
    return [h.p(dir="auto")[denial.message or policies.reason_words(denial.reason_code)], h.p[h.small[rule]]]


# Versions.


def version_row(change: PolicyChange, path: str, names: Names) -> h.Element:
    """One line of the history; `path` leads to what it changed."""
    who = people.who(change.actor, names)
    return h.li[
        h.div(".head")[
            h.b[h.a(href=path)[f"Version {change.version}"]],
            h.em(".pill.good")["In force"] if change.in_force else None,
            when(change.created_at),
        ],
        h.small(dir="auto")[f"{who.words if who else 'Unknown'} · {change.bytes:,} bytes, {change.format.upper()}"],
    ]


def difference(old: str, new: str, *, label: str) -> h.Element:
    """What changed between two texts, line by line."""
    lines = read_diffs.between(old, new)
    if not lines:
        return h.p(".about")["Nothing is different."]
    return diffs.block(lines, role="region", aria_label=label)

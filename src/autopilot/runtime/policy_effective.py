"""What the documents in force come to, line by line, each with the document that says so: for people. Pure.

Nothing is judged here (policy.py, policy_rules.py, spend_budgets.py do) and nothing is joined: all lines about a thing
hold at once. Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from autopilot.runtime import policy
from autopilot.runtime.policy_builtin import OPEN_LANES, OPEN_NETWORK_ACCESS, OPEN_SANDBOX_MODES
from autopilot.runtime.policy_document import ANSWERERS, Document, Documents
from autopilot.runtime.policy_rules import rule_id

SECTIONS = ("methods", "folders", "models", "sandbox", "network", "approval_policy", "lanes")


def of(documents: Documents) -> dict[str, list[dict[str, Any]]]:
    """The members of `Policies` but the documents themselves, the widest document first."""
    every = documents.all()
    return {
        "effective": [*_builtin(), *(line for one in every for line in _sections(one))],
        "answering": [line for one in every for line in _answering(one)],
        "rules": [line for one in every for line in _rules(one)],
        "budgets": [line for one in every for line in _budgets(one)],
    }


def _said_by(document: Document) -> dict[str, Any]:
    return {**document.subject.named(), "version": document.version}


def _builtin() -> Iterator[dict[str, Any]]:
    """What is open without any document, where that is not everything."""
    for name, allow in (("sandbox", OPEN_SANDBOX_MODES), ("network", OPEN_NETWORK_ACCESS), ("lanes", OPEN_LANES)):
        yield {"name": name, "document": policy.BUILTIN, "version": None, "limited": True, "allow": allow, "deny": ()}


def _sections(document: Document) -> Iterator[dict[str, Any]]:
    for name in SECTIONS:
        patterns = getattr(document.contents, name)
        if patterns.allow is not None or patterns.deny:
            allowed = {"limited": patterns.allow is not None, "allow": patterns.allow or (), "deny": patterns.deny}
            yield {"name": name, **_said_by(document), **allowed}


def _answering(document: Document) -> Iterator[dict[str, Any]]:
    for who in ANSWERERS:
        if who in document.contents.answer:
            kinds = document.contents.answer[who]
            yield {**_said_by(document), "who": who, "limited": kinds is not None, "kinds": kinds or ()}


def _rules(document: Document) -> Iterator[dict[str, Any]]:
    for index, rule in enumerate(document.contents.rules):
        yield {**_said_by(document), "rule_id": rule_id(index), **dataclasses.asdict(rule)}


def _budgets(document: Document) -> Iterator[dict[str, Any]]:
    for budget in document.contents.budgets:
        yield {**_said_by(document), **dataclasses.asdict(budget)}

"""Which rule of the policies in force decides an approval, and which option it chooses. Pure.

Only what can be told is decided: a command whose line is plain words (no shell operators, no expansions, nothing
redacted), files whose folders are all known, and for a yes nothing asked for beside them. Everything else is left to a
person, and so is every kind that nobody here knows.
Source: docs/protocol.md, "Policy"; docs/guide/policy.md.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autopilot.contract import ApprovalEvidence, ApprovalRequest
from autopilot.contract.redaction import REDACTED
from autopilot.runtime import policy, policy_folders
from autopilot.runtime.policy_document import KINDS, RULE, Documents, Rule

ACCEPT = "accept"
MOST_CHANGES = 500
"""Companions tell no more files of a change: one with so many may have more."""

_PLAIN = re.compile(r"""[\w ./:,=+@%'"-]+""")
"""A line that means the same to every shell, and holds one command."""
_SHELLS = frozenset(
    f"{folder}{name}" for folder in ("", "/bin/", "/usr/bin/") for name in ("sh", "bash", "dash", "zsh")
)
_RUN_LINE = frozenset({"-c", "-lc"})
_SHELL_LINE_WORDS = 3
"""A shell, its flag, and the line that it runs."""
_PLAIN_PARAMS = frozenset(
    {
        "approvalId",
        "availableDecisions",
        "callId",
        "command",
        "commandActions",
        "conversationId",
        "cwd",
        "fileChanges",
        "itemId",
        "parsedCmd",
        "proposedExecpolicyAmendment",
        "proposedNetworkPolicyAmendments",
        "reason",
        "startedAtMs",
        "threadId",
        "turnId",
    }
)
"""What Codex says of a question that asks for nothing but its command, or its files."""
_PLAIN_VALUES = {"kind": "command", "environmentId": "local"}


@dataclass(frozen=True, slots=True)
class Decided:
    """What a rule says."""

    rule_id: str
    """Where the rule stands in its document: `approvals.rule[0]`."""
    document: str
    team_id: str | None
    version: int
    decision: str
    """`accept`, `decline` or `cancel`."""
    option_id: str
    name: str
    """What the document calls the rule."""
    judged_by: Mapping[str, int | None]
    """The versions of all documents that were asked."""


def rule_id(index: int) -> str:
    """Where a rule stands in its document."""
    return f"approvals.rule[{index}]"


def decide(
    documents: Documents, asked: ApprovalRequest, params: Mapping[str, Any] | None, home: str | None = None
) -> Decided | None:
    """The decision; None: a person's. In each document the first rule that fits counts; a no stands before a yes.

    `params`: what Codex said itself. `home`: the home folder of the machine, where it is known.
    """
    if asked.kind not in KINDS or not asked.answerable or not policy.may_answer(documents, RULE, asked.kind).allowed:
        return None
    found = list(_first_of_each(documents, asked, params, home))
    return next((one for one in found if one.decision != ACCEPT), found[0] if found else None)


def words_of(evidence: ApprovalEvidence, said: object = None) -> tuple[str, ...] | None:
    """The words of a command, without a shell around it; None where they can't be told.

    `said`: the command as Codex said it itself, where it did: a line, or words.
    """
    line = shlex.join(evidence.command) if evidence.command_line is None else evidence.command_line
    if not _PLAIN.fullmatch(line) or REDACTED in line or said not in (None, line, list(evidence.command)):
        return None
    words = _split(line)
    if words is None or (evidence.command and words != tuple(evidence.command)):
        return None
    if len(words) == _SHELL_LINE_WORDS and words[0] in _SHELLS and words[1] in _RUN_LINE:
        return _split(words[2])
    return words


def _first_of_each(
    documents: Documents, asked: ApprovalRequest, params: Mapping[str, Any] | None, home: str | None
) -> Iterator[Decided]:
    for document in documents.all():
        for index, rule in enumerate(document.contents.rules):
            option_id = _option(asked, rule.decision)
            if option_id is not None and _fits(rule, asked, params or {}, home):
                where = rule_id(index)
                yield Decided(
                    rule_id=where,
                    document=document.subject.kind,
                    team_id=document.subject.team_id,
                    version=document.version,
                    decision=rule.decision,
                    option_id=option_id,
                    name=rule.name,
                    judged_by=documents.versions(),
                )
                break


def _fits(rule: Rule, asked: ApprovalRequest, params: Mapping[str, Any], home: str | None) -> bool:
    if rule.kind != asked.kind or (rule.decision == ACCEPT and _asks_for_more(params)):
        return False
    evidence = asked.evidence or ApprovalEvidence()
    if rule.command:
        words = words_of(evidence, params.get("command"))
        if words is None or words[: len(rule.command)] != rule.command:
            return False
    return not rule.folders or _is_within(rule.folders, _folders(evidence, rule.kind, home), home)


def _asks_for_more(params: Mapping[str, Any]) -> bool:
    """Whether a yes would grant anything beside the command or the files: a host, more rights, a whole folder."""
    return any(
        value is not None and name not in _PLAIN_PARAMS and _PLAIN_VALUES.get(name) != value
        for name, value in params.items()
    )


def _folders(evidence: ApprovalEvidence, kind: str, home: str | None) -> list[tuple[str, ...] | None]:
    """Where it would happen: a command's folder, or those of all files; None for one that can't be told."""
    if kind in ("command", "legacy_command"):
        return [None if evidence.cwd is None else policy_folders.parts_of(evidence.cwd, home)]
    if len(evidence.changes) >= MOST_CHANGES:
        return [None]
    paths = [path for one in evidence.changes for path in (one.path, one.move_path) if path is not None]
    return [None if (parts := policy_folders.parts_of(path, home)) is None else parts[:-1] for path in paths]


def _is_within(patterns: tuple[str, ...], folders: list[tuple[str, ...] | None], home: str | None) -> bool:
    return bool(folders) and all(
        parts is not None and any(policy_folders.meets(parts, pattern, home) for pattern in patterns)
        for parts in folders
    )


def _option(asked: ApprovalRequest, decision: str) -> str | None:
    """The option that amounts to the decision, and takes nothing to be filled in."""
    fitting = (one.option_id for one in asked.options if one.effect == decision and not one.takes_content)
    return next(fitting, None)


def _split(line: str) -> tuple[str, ...] | None:
    try:
        return tuple(shlex.split(line))
    except ValueError:
        return None

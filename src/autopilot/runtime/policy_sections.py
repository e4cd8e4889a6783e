"""The sections of a policy document, checked one by one: which keys there are, and what each may hold. Pure.

Every fault is noted and the reading goes on, so that whoever writes a document learns of all of them at once. Never
guesses: a key that is not known here is a fault, because a rule that is misspelt and ignored is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from autopilot.runtime import policy_builtin, policy_folders
from autopilot.runtime.document_text import MAX_ENTRIES, Faults, only, tables
from autopilot.runtime.policy_document import ANSWERERS, KINDS, USER, Budget, Contents, Patterns, Rule

DECISIONS = ("accept", "decline", "cancel")
BUDGET_PER = ("user", "worker", "machine", "model", "team")
USERS_BUDGET_PER = BUDGET_PER[:-1]
"""What one user's document can't share out among those who are not in it."""
BUDGET_PERIODS = ("day", "week", "month", "ever")
ON_EXHAUSTED = ("refuse", "interrupt")
MAX_LENGTH = 255
MAX_TOKENS = 2**53 - 1

_METHOD_PATTERN = re.compile(r"[!-)+-~]+(\*)?|\*")
MAX_NAME = 120
_COMMAND_KINDS = ("command", "legacy_command")
_FILE_KINDS = ("file_change", "legacy_patch")
_SECTIONS = ("methods", "folders", "models", "sandbox", "network", "approval_policy", "approvals", "lanes", "budget")


def contents_of(value: dict[str, Any], faults: Faults, *, subject: str) -> Contents:
    """What a document of this kind of subject says; of no use where `faults` has any."""
    only(value, "", _SECTIONS, faults)
    approvals = _table(value, "approvals", "approvals", ("answer", "rule"), faults)
    return Contents(
        methods=_patterns(value, "methods", faults, _method_fault),
        folders=_patterns(value, "folders", faults, _folder_fault),
        models=_patterns(value, "models", faults, _model_fault),
        sandbox=_patterns(value, "sandbox", faults, _sandbox_fault),
        network=_patterns(value, "network", faults, _one_of(policy_builtin.NETWORK_ACCESS)),
        approval_policy=_patterns(value, "approval_policy", faults, _one_of(policy_builtin.APPROVAL_POLICIES)),
        lanes=_patterns(value, "lanes", faults, _one_of(policy_builtin.LANES)),
        answer=_answer(approvals, faults),
        rules=_unique_names(_rules(approvals, faults), "approvals.rule", faults),
        budgets=_unique_names(_budgets(value, faults, subject), "budget", faults),
    )


Check = Callable[[str], tuple[str, tuple[str, ...] | None] | None]
"""What is wrong with one entry of a list, and what is allowed; None where nothing is wrong."""


def _patterns(value: dict[str, Any], name: str, faults: Faults, check: Check) -> Patterns:
    section = _table(value, name, name, ("allow", "deny"), faults)
    allow = _texts(section, "allow", f"{name}.allow", faults, check)
    deny = _texts(section, "deny", f"{name}.deny", faults, check) or ()
    if name == "methods":
        for index, pattern in enumerate(deny):
            if pattern in policy_builtin.ALWAYS:
                faults.add(f"{name}.deny[{index}]", f"names {pattern}, and what stops Codex can't be denied")
    return Patterns(allow, deny)


def _answer(approvals: dict[str, Any], faults: Faults) -> dict[str, tuple[str, ...] | None]:
    said = _table(approvals, "answer", "approvals.answer", ANSWERERS, faults)
    answer: dict[str, tuple[str, ...] | None] = {}
    for who in ANSWERERS:
        if said.get(who) == "*":
            answer[who] = None
        elif who in said:
            kinds = _texts(said, who, f"approvals.answer.{who}", faults, _one_of(KINDS), or_star=True)
            answer[who] = kinds or ()
    return answer


def _rules(approvals: dict[str, Any], faults: Faults) -> list[Rule]:
    path = "approvals.rule"
    keys = ("name", "kind", "command", "folders", "decision")
    return [_rule(table, f"{path}[{index}]", faults) for index, table in tables(approvals, "rule", path, keys, faults)]


def _rule(table: dict[str, Any], path: str, faults: Faults) -> Rule:
    rule = Rule(
        name=_name(table, path, faults),
        kind=_choice(table, "kind", path, KINDS, faults),
        decision=_choice(table, "decision", path, DECISIONS, faults),
        command=_texts(table, "command", f"{path}.command", faults, _word_fault) or (),
        folders=_texts(table, "folders", f"{path}.folders", faults, _folder_fault) or (),
    )
    if table.get("command") == [] or table.get("folders") == []:
        faults.add(path, "has an empty list, which would say nothing: leave it out, or fill it")
    if rule.command and rule.kind not in _COMMAND_KINDS:
        faults.add(f"{path}.command", "goes with the kinds of commands only", _COMMAND_KINDS)
    if rule.folders and rule.kind not in (*_COMMAND_KINDS, *_FILE_KINDS):
        faults.add(f"{path}.folders", "goes with commands and changes of files only", (*_COMMAND_KINDS, *_FILE_KINDS))
    if rule.decision == "accept":
        _check_accept(rule, path, faults)
    return rule


def _check_accept(rule: Rule, path: str, faults: Faults) -> None:
    """A yes without a person says exactly what it says yes to."""
    if rule.kind in _COMMAND_KINDS and not rule.command:
        faults.add(f"{path}.command", "is missing: a rule that accepts says which words the command begins with")
    elif rule.kind in _FILE_KINDS and not rule.folders:
        faults.add(f"{path}.folders", "is missing: a rule that accepts says in which folders files may change")
    elif rule.kind in KINDS and rule.kind not in (*_COMMAND_KINDS, *_FILE_KINDS):
        faults.add(f"{path}.decision", f"can't be accept for {rule.kind}: a person must say yes", DECISIONS[1:])


def _budgets(value: dict[str, Any], faults: Faults, subject: str) -> list[Budget]:
    keys = ("name", "per", "period", "tokens", "warn_at", "on_exhausted")
    per = USERS_BUDGET_PER if subject == USER else BUDGET_PER
    return [_budget(table, f"budget[{i}]", faults, per) for i, table in tables(value, "budget", "budget", keys, faults)]


def _budget(table: dict[str, Any], path: str, faults: Faults, per: tuple[str, ...]) -> Budget:
    tokens, warn_at = table.get("tokens"), table.get("warn_at")
    if isinstance(warn_at, Decimal):
        warn_at = float(warn_at)  # which compares whatever it is, also no number
    if not isinstance(tokens, int) or isinstance(tokens, bool) or not 1 <= tokens <= MAX_TOKENS:
        faults.add(f"{path}.tokens", f"must be a whole number from 1 to {MAX_TOKENS}")
        tokens = 1
    if warn_at is not None and (not isinstance(warn_at, (int, float)) or isinstance(warn_at, bool)):
        faults.add(f"{path}.warn_at", "must be a number over 0 and at most 1")
        warn_at = None
    elif warn_at is not None and not 0 < warn_at <= 1:
        faults.add(f"{path}.warn_at", "must be over 0 and at most 1: 0.8 warns at 80 %")
        warn_at = None
    return Budget(
        name=_name(table, path, faults),
        per=_choice(table, "per", path, per, faults),
        period=_choice(table, "period", path, BUDGET_PERIODS, faults),
        tokens=tokens,
        warn_at=None if warn_at is None else float(warn_at),
        on_exhausted=_choice(table, "on_exhausted", path, ON_EXHAUSTED, faults, default="refuse"),
    )


def _unique_names(items: list[Any], path: str, faults: Faults) -> tuple[Any, ...]:
    names = [item.name for item in items]
    for index, name in enumerate(names):
        if name and name in names[:index]:
            faults.add(f"{path}[{index}].name", f"is {name}, as an earlier one's")
    return tuple(items)


def _name(table: dict[str, Any], path: str, faults: Faults) -> str:
    name = table.get("name")
    if isinstance(name, str) and 1 <= len(name) <= MAX_NAME and name.isprintable():
        return name
    faults.add(f"{path}.name", f"must be a name of 1 to {MAX_NAME} printable characters")
    return ""


def _choice(
    table: dict[str, Any], key: str, path: str, allowed: tuple[str, ...], faults: Faults, *, default: str | None = None
) -> str:
    value = table.get(key, default)
    if isinstance(value, str) and value in allowed:
        return value
    faults.add(f"{path}.{key}", f"must be one of {', '.join(allowed)}", allowed)
    return ""


def _table(value: dict[str, Any], key: str, path: str, keys: tuple[str, ...], faults: Faults) -> dict[str, Any]:
    section = value.get(key, {})
    if not isinstance(section, dict):
        faults.add(path, "must be a table")
        return {}
    only(section, f"{path}.", keys, faults)
    return section


def _texts(
    table: dict[str, Any], key: str, path: str, faults: Faults, check: Check, *, or_star: bool = False
) -> tuple[str, ...] | None:
    """A list of texts; None where it is absent."""
    if key not in table:
        return None
    values = table[key]
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        faults.add(path, 'must be "*" or a list of texts' if or_star else "must be a list of texts")
        return ()
    if len(values) > MAX_ENTRIES:
        faults.add(path, f"must be at most {MAX_ENTRIES}")
        return ()
    for index, text in enumerate(values):
        fault = _text_fault(text) or check(text)
        if fault is not None:
            faults.add(f"{path}[{index}]", *fault)
    return tuple(values)


def _text_fault(text: str) -> tuple[str, None] | None:
    if not 1 <= len(text) <= MAX_LENGTH or not text.isprintable():
        return f"must be 1 to {MAX_LENGTH} printable characters", None
    return None


def _one_of(allowed: tuple[str, ...]) -> Check:
    def check(text: str) -> tuple[str, tuple[str, ...]] | None:
        return None if text in allowed else (f"is {text!r}, and must be one of {', '.join(allowed)}", allowed)

    return check


def _method_fault(text: str) -> tuple[str, None] | None:
    if _METHOD_PATTERN.fullmatch(text) is None:
        return f"is {text!r}, and must be a method's name, or its beginning and a * at the end: turn/*", None
    return None


def _model_fault(text: str) -> tuple[str, None] | None:
    if "*" in text[:-1] or " " in text:
        return f"is {text!r}, and must be a model's name, or its beginning and a * at the end: gpt-*", None
    return None


def _sandbox_fault(text: str) -> tuple[str, tuple[str, ...] | None] | None:
    if text.startswith(policy_builtin.PROFILE) and text != policy_builtin.PROFILE:
        return None
    return _one_of(policy_builtin.SANDBOX_MODES)(text)


def _folder_fault(text: str) -> tuple[str, None] | None:
    message = policy_folders.pattern_fault(text)
    return None if message is None else (f"is {text!r}, and {message}", None)


def _word_fault(_text: str) -> None:
    """Every text can be a word of a command."""

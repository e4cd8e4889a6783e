"""Writing a request by hand: what is asked in which words, what it takes, and what is wrong with what was written.

The table of methods is `autopilot.client.methods`; whoever sends asks `read` once more before. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autopilot.client import methods, typed_json
from autopilot.client.methods import METHODS, Param
from autopilot.client.presenters import receipts, visible
from autopilot.contract import Receipt, RequestOutcome

TITLE = "Send a request"
FIRST = "turn/start"
PARAMS = "Params (JSON)"
TAKES_NONE = "It takes no params."
GROUPS = (
    ("The session", ("turn/", "review/", "thread/")),
    ("New workers", ("thread/start", "thread/resume", "thread/fork")),
    ("Its machine", ("account/", "mcpServerStatus/", "model/", "permissionProfile/", "skills/", "thread/l")),
)
"""Methods by what their names begin with; the last group that fits has them."""
SHOWN_CHARACTERS = 12_000
"""Of an answer."""
NO_ANSWER = "There is nothing in the answer."


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written, looked through."""

    method: str
    params: dict[str, Any] | None
    """None: it is no JSON object."""
    problems: tuple[str, ...]
    """Why it can't be sent: sentences."""
    note: str = ""
    """What is worth knowing, and no reason not to send it."""

    @property
    def can_send(self) -> bool:
        """Whether Codex would take it, as far as is known here."""
        return self.params is not None and not self.problems


def read(method: str, written: str) -> Draft:
    """Look through the params of a request; nothing written is none of them."""
    params, problems = parsed(written)
    if params is None:
        return Draft(method, None, (problems,))
    names = methods.unknown(method, params) if method in METHODS else []
    shown = ", ".join(visible.line(name) for name in names)
    note = f"Not in the recorded schema, and sent as it is: {shown}." if names else ""
    return Draft(method, params, tuple(methods.problems(method, params)), note)


def parsed(written: str) -> tuple[dict[str, Any] | None, str]:
    """The params as they were written, or why they are none: a sentence."""
    try:
        params = typed_json.read(written.strip() or "{}")
    except json.JSONDecodeError as error:
        return None, f"This is not JSON: {error.msg.lower()}, in line {error.lineno}, column {error.colno}."
    except (ValueError, RecursionError):
        return None, "This is not JSON: a number that is none, or too deep."
    if not isinstance(params, dict):
        return None, "Params are a JSON object: { … }."
    return params, ""


def example(method: str) -> str:
    """What one begins with."""
    return json.dumps(METHODS[method].example, indent=2)


def is_written(params: str) -> bool:
    """Whether a person wrote that: nothing, or an example, is nobody's words."""
    return bool(params.strip()) and all(params.strip() != example(method) for method in METHODS)


def begun(method: str, params: str) -> str:
    """What stands there once this method is chosen: what a person wrote stays, else there is its example."""
    return params if is_written(params) else example(method)


def groups() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The methods in their groups, in the order of the table."""
    found: dict[str, list[str]] = {name: [] for name, _ in GROUPS}
    for method in METHODS:
        found[[name for name, begins in GROUPS if method.startswith(begins)][-1]].append(method)
    return ((name, tuple(names)) for name, names in found.items())


def words(method: str) -> str:
    """A method in a few words."""
    said = receipts.asked(method)
    return said if said != method else METHODS[method].words.rstrip(".")


def params_title(method: str) -> str:
    """What the list of its params is called."""
    params = METHODS[method].params
    return f"Params ({len(params)})" if params else TAKES_NONE


def param_words(param: Param) -> str:
    """What a param is, in a line: its types, whether it has to be there, what it means."""
    parts = [" or ".join(param.types), "required" if param.is_required else "", param.words]
    return " · ".join(part for part in parts if part)


def answer_text(receipt: Receipt | RequestOutcome) -> str:
    """What was answered, as JSON on several lines; why it failed, where it did; empty for nothing."""
    told = receipt.error or receipt.response
    return "" if told is None else visible.code(json.dumps(told, indent=2, ensure_ascii=False)[:SHOWN_CHARACTERS])

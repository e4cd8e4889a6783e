"""What a question of Codex looks like to a person, and what an answer must be: the parts that all kinds share. Pure.

A `Form` is made of Codex's raw params (and of the item they are about, where we heard of it); the wire answer is made
of the same raw params again, so that nothing a renderer did can change what Codex is told.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from autopilot.contract import (
    ApprovalEffect,
    ApprovalEvidence,
    ApprovalFact,
    ApprovalKind,
    ApprovalOption,
    ApprovalRisk,
    JsonObject,
)

Params = dict[str, Any]
LINE_CHARACTERS = 100
"""Of what a title quotes."""
FACT_CHARACTERS = 4000
NOT_ALLOWED = "The person said no."


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person decided."""

    option_id: str
    content: JsonObject | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """What is shown of a question, whatever shows it."""

    kind: ApprovalKind
    title: str
    options: list[ApprovalOption]
    evidence: ApprovalEvidence = field(default_factory=ApprovalEvidence)
    facts: list[ApprovalFact] = field(default_factory=list)
    risk: ApprovalRisk = ApprovalRisk.UNKNOWN
    form: JsonObject | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """How one method asks, and how it is answered."""

    form: Callable[[Params, Params | None], Form]
    """Of the params, and of the item as `item/started` told it."""
    wire: Callable[[Params, Choice], dict[str, Any]]
    """The result for a choice that fits the form."""


class Unfit(Exception):
    """An answer that does not fit its question."""


def option(
    option_id: str,
    label: str,
    effect: ApprovalEffect,
    description: str | None = None,
    *,
    content: bool = False,
    message: bool = False,
) -> ApprovalOption:
    """One option; `content` must come with it, `message` may."""
    return ApprovalOption(
        option_id=option_id,
        label=label,
        description=description,
        effect=effect,
        takes_content=content or None,
        takes_message=message or None,
    )


def decline(label: str = "No, go on without it") -> ApprovalOption:
    """The refusal that every kind has; words for the model may come with it."""
    return option("decline", label, ApprovalEffect.DECLINE, message=True)


def facts(*rows: tuple[str, str, Any]) -> list[ApprovalFact]:
    """Rows of name, label and value; what is absent or empty is left out."""
    told = [row for row in rows if row[2] not in (None, "", [], {})]
    return [ApprovalFact(name=name, label=label, value=text(value)) for name, label, value in told]


def text(value: Any) -> str:
    """Anything as words for a person; cut where it is very long."""
    if isinstance(value, str):
        shown = value
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        shown = "\n".join(value)
    elif isinstance(value, bool):
        shown = "yes" if value else "no"
    else:
        shown = json.dumps(value, ensure_ascii=False)
    return shown if len(shown) <= FACT_CHARACTERS else shown[: FACT_CHARACTERS - 1] + "…"


def line(words: str) -> str:
    """The first line, short enough for a title."""
    first = words.strip().split("\n", 1)[0]
    cut = first[:LINE_CHARACTERS].rstrip()
    return cut if cut == words.strip() else cut + "…"


def word(params: Params, name: str) -> str | None:
    """A member that is a text; what has another shape counts as absent."""
    value = params.get(name)
    return value if isinstance(value, str) and value else None


def rows(value: Any) -> list[dict[str, Any]]:
    """A list of objects; what has another shape is left out."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def words(value: Any) -> list[str]:
    """A list of texts; what has another shape is left out."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []

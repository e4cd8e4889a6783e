"""All kinds of items by their name, what each weighs, and their plain JSON form for a cache on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from autopilot.client.timeline_items import (
    AgentMessage,
    Attachment,
    AutoReview,
    Change,
    CommandExecution,
    Compaction,
    Failure,
    FileChange,
    Finding,
    Hook,
    Image,
    Item,
    Notice,
    OtherItem,
    Pause,
    Plan,
    PlanStep,
    Reasoning,
    Review,
    SubAgent,
    Tokens,
    ToolCall,
    TurnDiff,
    TurnEnded,
    TurnStarted,
    Usage,
    UserMessage,
    WebSearch,
    Whole,
)
from autopilot.client.timeline_records import (
    Asked,
    Denial,
    Fact,
    Handshake,
    Lifecycle,
    PolicyDenied,
    Question,
    ReceiptStep,
    Request,
)
from autopilot.contract import Actor

KINDS: dict[str, type[Item]] = {
    kind.kind: kind
    for kind in (
        *(UserMessage, AgentMessage, Reasoning, Plan, CommandExecution, FileChange, ToolCall, WebSearch, Image),
        *(Compaction, Review, AutoReview, SubAgent, Hook, Pause, OtherItem),
        *(TurnStarted, TurnEnded, TurnDiff, Usage, Failure, Notice),
        *(Request, Asked, PolicyDenied, Handshake, Lifecycle),
    )
}
_PART_WEIGHT = 200
"""What it costs to hold one object, in characters."""


def weight_of(value: Any) -> int:
    """Roughly how many characters an item holds, with what it costs to hold it."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, tuple):
        return sum(weight_of(part) for part in value)
    if is_dataclass(value):
        return _PART_WEIGHT + sum(weight_of(getattr(value, field.name)) for field in fields(value))
    return 0


def item_to_json(item: Item) -> dict[str, Any]:
    """Its plain form, for a cache on disk."""
    return {"kind": item.kind, **_plain(item)}


def item_from_json(value: dict[str, Any]) -> Item:
    """From its plain form.

    Raises:
        ValueError, TypeError, KeyError: it is none.
    """
    return _made(KINDS[value["kind"]], value)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def _made(kind: type[Any], value: dict[str, Any]) -> Any:
    readers = _READERS.get(kind, {}) | (_ITEM_READERS if issubclass(kind, Item) else {})
    return kind(
        **{
            field.name: readers.get(field.name, _same)(value[field.name])
            for field in fields(kind)
            if field.name in value
        }
    )


def _same(value: Any) -> Any:
    return value


def _one(kind: type[Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else _made(kind, value)


def _many(kind: type[Any]) -> Callable[[Any], Any]:
    return lambda values: tuple(_made(kind, value) for value in values)


def _pairs(values: Any) -> Any:
    return tuple((first, second) for first, second in values)


_ITEM_READERS: dict[str, Callable[[Any], Any]] = {"wholes": _many(Whole), "actor": _one(Actor)}
_READERS: dict[type[Any], dict[str, Callable[[Any], Any]]] = {
    UserMessage: {"parts": _many(Attachment)},
    Plan: {"steps": _many(PlanStep)},
    FileChange: {"changes": _many(Change)},
    WebSearch: {"queries": tuple, "findings": _many(Finding)},
    Usage: {"turn": _one(Tokens), "thread": _one(Tokens)},
    Request: {"steps": _many(ReceiptStep), "denial": _one(Denial)},
    PolicyDenied: {"denial": _one(Denial)},
    Question: {"choices": tuple},
    Asked: {"facts": _many(Fact), "changes": _many(Change), "questions": _many(Question), "labels": _pairs},
    Handshake: {"answered_by": _one(Actor)},
    Lifecycle: {"processes": tuple, "still_running": tuple, "unverified": tuple},
}
"""What is more than a plain value, by field."""

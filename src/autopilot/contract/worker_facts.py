"""What an event says about its worker: title, preview, cwd, model, activity, control.

The one fold of both sides: the runtime applies it in the transaction that appends, a client to the events after its
snapshot, and both hold the same facts at the same seq. Source of the methods: Codex's notifications.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

NAMES = ("title", "preview", "cwd", "model", "activity", "control")
SPEND = "spend"
"""A fact whose value is the counts of tokens so far, by their names in the contract."""
USAGE = "thread/tokenUsage/updated"
"""The notification that reports them."""
PREVIEW_CHARACTERS = 280
LARGEST_COUNT = 2**53 - 1
"""The largest number that every reader of JSON has exactly; more tokens than that nobody has used."""

Facts = Mapping[str, Mapping[str, Any]]
"""Name -> `{"value": …, "seq": int}`; a fact that nothing has said yet is absent."""


def fold(facts: Facts, seq: int, event_type: str, payload: Mapping[str, Any]) -> Facts:
    """The facts after this event; the very same object where it changes none."""
    said = _said(facts, event_type, payload)
    if not said:
        return facts
    return {**facts, **{name: {"value": value, "seq": seq} for name, value in said.items()}}


def _said(facts: Facts, event_type: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    if event_type in _TYPES:
        return _TYPES[event_type](payload)
    read = _METHODS.get(method) if isinstance(method := payload.get("method"), str) else None
    params = payload.get("params")
    if read is None or not isinstance(params, dict):
        return {}
    return {
        name: value for name, value in read(facts, params).items() if type(value) is (dict if name == SPEND else str)
    }


def _opened(payload: Mapping[str, Any]) -> dict[str, str]:
    del payload  # an opened log says nothing about Codex
    return {"activity": "unknown"}


def _stopped(payload: Mapping[str, Any]) -> dict[str, str]:
    return {"activity": "unknown" if payload.get("verified") is False else "idle"}


def _thread(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    thread = _object(params, "thread")
    status = _activity(_object(thread, "status"))
    return {
        "title": thread.get("name"),
        "preview": _line(thread.get("preview")),
        "cwd": thread.get("cwd"),
        "model": thread.get("model"),
        "activity": status,
    }


def _name(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    return {"title": params.get("threadName")}


def _settings(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    settings = _object(params, "threadSettings")
    return {"cwd": settings.get("cwd"), "model": settings.get("model")}


def _rerouted(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    return {"model": params.get("toModel")}


def _status(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    return {"activity": _activity(_object(params, "status"))}


def _turn_started(_facts: Facts, _params: dict[str, Any]) -> dict[str, Any]:
    return {"activity": "running"}


def _turn_completed(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    failed = _object(params, "turn").get("status") == "failed"
    return {"activity": "error" if failed else "idle"}


def _failed(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    return {} if params.get("willRetry") is True else {"activity": "error"}


def _item(facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    """The first thing a person said is the preview, until Codex gives one."""
    item = _object(params, "item")
    if "preview" in facts or item.get("type") != "userMessage":
        return {}
    content = item.get("content")
    words = [part.get("text") for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return {"preview": _line(next((word for word in words if isinstance(word, str) and word.strip()), None))}


def _usage(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    """Codex counts the whole thread anew with each answer of the model."""
    total = _object(_object(params, "tokenUsage"), "total")
    counts = {name: total.get(codex) for name, codex in COUNTS.items()}
    whole = all(type(count) is int and 0 <= count <= LARGEST_COUNT for count in counts.values())
    return {SPEND: counts} if whole else {}


def _elsewhere(_facts: Facts, params: dict[str, Any]) -> dict[str, Any]:
    """The companion says whether another program is the thread's writer."""
    return {"control": "observe_only" if params.get("elsewhere") is True else "full"}


def _activity(status: Mapping[str, Any]) -> str | None:
    kind, flags = status.get("type"), status.get("activeFlags")
    flags = flags if isinstance(flags, list) else []
    if kind == "active":
        if "waitingOnApproval" in flags:
            return "waiting_for_approval"
        return "waiting_for_input" if "waitingOnUserInput" in flags else "running"
    return {"idle": "idle", "systemError": "error", "notLoaded": "unknown"}.get(kind) if isinstance(kind, str) else None


def _object(parent: Mapping[str, Any], name: str) -> dict[str, Any]:
    child = parent.get(name)
    return child if isinstance(child, dict) else {}


def _line(value: object) -> str | None:
    """Words for a list: one line, bounded; None where there are none."""
    if not isinstance(value, str) or not value.strip():
        return None
    return " ".join(value[: PREVIEW_CHARACTERS * 4].split())[:PREVIEW_CHARACTERS]


COUNTS = {
    "input_tokens": "inputTokens",
    "cached_input_tokens": "cachedInputTokens",
    "output_tokens": "outputTokens",
    "reasoning_output_tokens": "reasoningOutputTokens",
    "total_tokens": "totalTokens",
}
"""Counts of tokens: the contract's names, and Codex's."""
_TYPES: dict[str, Callable[[Mapping[str, Any]], dict[str, str]]] = {
    "worker.started": _opened,
    "worker.stopped": _stopped,
}
_METHODS: dict[object, Callable[[Facts, dict[str, Any]], dict[str, Any]]] = {
    "thread/started": _thread,
    "thread/name/updated": _name,
    "thread/settings/updated": _settings,
    "thread/status/changed": _status,
    "turn/started": _turn_started,
    "turn/completed": _turn_completed,
    "model/rerouted": _rerouted,
    USAGE: _usage,
    "error": _failed,
    "desktop/thread_elsewhere": _elsewhere,
    "item/started": _item,
    "item/completed": _item,
}

METHODS = frozenset(_METHODS)
"""The methods whose notifications may say something; others need not be looked at."""
TYPES = frozenset(_TYPES)
"""The event types that do so whatever their method."""

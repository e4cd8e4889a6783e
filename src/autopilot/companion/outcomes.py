"""What became of a request, in the words that the inbox reports. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec

from autopilot.companion.codex import large

MAX_REPORT_BYTES = 4 * 1024 * 1024 - 64 * 1024
MAX_ERROR_BYTES = 256 * 1024
"""Codex's words of what went wrong beyond this are cut: an end that no log takes would end nothing."""
MAX_ERROR_CHARACTERS = 16 * 1024

REFUSED = "response_refused"
"""Codex did it, and the server will never take what it answered."""
RESPONSE_ID = "response:"
"""What the id of the event begins with that ends a worker's request; the request's own follows."""

State = Literal["completed", "failed", "indeterminate"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request."""

    state: State
    response: Any = None
    error: dict[str, Any] | None = None


def completed(response: dict[str, Any], **effect: Any) -> Outcome:
    """Codex did it; `effect` says in our words what that meant."""
    return Outcome("completed", response | ({"autopilot": effect} if effect else {}))


def failed(code: str, message: str, **facts: Any) -> Outcome:
    """It was refused, and nothing was done."""
    return Outcome("failed", error={"code": code, "message": message, **facts})


def answered(raw: msgspec.Raw, effect: str | None = None) -> Outcome:
    """Codex's answer to a call, whatever its size."""
    response = msgspec.json.decode(raw)
    return completed(response, effect=effect) if effect is not None else Outcome("completed", response)


def short(error: dict[str, Any] | None) -> dict[str, Any] | None:
    """An error as an event or a receipt can hold it, however much Codex said."""
    size = len(msgspec.json.encode(error))
    if error is None or size <= MAX_ERROR_BYTES:
        return error
    message = str(error.get("message", ""))[:MAX_ERROR_CHARACTERS]
    return {"code": str(error.get("code", ""))[:100], "message": message, "truncated": True, "bytes": size}


def told(outcome: Outcome, about: Mapping[str, Any]) -> large.Cut:
    """The response as an event can hold it: up to a bound as it is, else in part, with what refers to the whole."""
    if len(msgspec.json.encode(outcome.response)) <= large.EVENT_BYTES:
        return large.Cut(outcome.response)
    return large.cut(outcome.response, about, at="/response")


def reported(outcome: Outcome) -> Outcome:
    """The outcome as a machine's receipt can hold it: that has no log, and so nothing to lay a large answer beside."""
    size = len(msgspec.json.encode(outcome.response))
    if size <= MAX_REPORT_BYTES:
        return replace(outcome, error=short(outcome.error))
    words = f"the answer has {size} bytes, a machine's receipt takes {MAX_REPORT_BYTES}: ask a worker of that machine"
    return failed("response_too_large", words, bytes=size, limit=MAX_REPORT_BYTES)

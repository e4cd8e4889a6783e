"""What became of a request, in the words that the inbox reports. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

MAX_RESPONSE_BYTES = 4 * 1024 * 1024 - 64 * 1024

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


def bounded(raw: msgspec.Raw, effect: str | None = None) -> Outcome:
    """Codex's answer to a call, where the ledger can take it."""
    size = len(bytes(raw))
    if size > MAX_RESPONSE_BYTES:
        return failed("response_too_large", f"the answer has {size} bytes, the ledger takes {MAX_RESPONSE_BYTES}")
    response = msgspec.json.decode(raw)
    return completed(response, effect=effect) if effect is not None else Outcome("completed", response)

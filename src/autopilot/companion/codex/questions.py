"""What Codex asks of its client, and how each kind is answered while no person can be asked. Pure.

Until approvals exist every question to a person gets an explicit refusal in the shape of its kind; questions to the
machine get their answer; an unknown kind gets a JSON-RPC error. Nothing is ever answered with an empty object.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

METHOD_NOT_FOUND = -32601
REFUSED = -32000

_DECLINE: dict[str, Any] = {"decision": "decline"}
_WORDS = "Autopilot: nobody can be asked here yet; the question was refused."

REFUSALS: dict[str, dict[str, Any]] = {
    "item/commandExecution/requestApproval": _DECLINE,
    "item/fileChange/requestApproval": _DECLINE,
    "item/permissions/requestApproval": {"permissions": {"network": None, "fileSystem": None}, "scope": "turn"},
    "mcpServer/elicitation/request": {"action": "decline", "content": None, "_meta": None},
    "item/tool/call": {"contentItems": [{"type": "inputText", "text": _WORDS}], "success": False},
    "applyPatchApproval": {"decision": "denied"},
    "execCommandApproval": {"decision": "denied"},
}
"""The refusal of each kind that is refused in the same words every time."""

SECRETS = frozenset({"account/chatgptAuthTokens/refresh", "attestation/generate"})
"""Questions to the machine about things that we neither have nor would store."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to Codex."""

    result: dict[str, Any] | None = None
    error: tuple[int, str] | None = None
    refused: bool = True
    """Whether a person would have been asked, so that it is to be recorded."""

    @property
    def outcome(self) -> Any:
        """What to record of it."""
        return self.result if self.error is None else {"error": {"code": self.error[0], "message": self.error[1]}}


def answer(method: str, params: msgspec.Raw, now: datetime) -> Answer:
    """The answer to one request of Codex."""
    if method in REFUSALS:
        return Answer(result=REFUSALS[method])
    if method == "item/tool/requestUserInput":
        return Answer(result=_no_answers(params))
    if method == "currentTime/read":
        return Answer(result={"currentTimeAt": int(now.timestamp())}, refused=False)
    if method in SECRETS:
        return Answer(error=(REFUSED, f"{method} is not offered by this client"), refused=False)
    return Answer(error=(METHOD_NOT_FOUND, f"{method} is not known to this client"))


def is_for_the_machine(method: str) -> bool:
    """Whether every client would answer it alike, and no person is asked."""
    return method == "currentTime/read"


def _no_answers(params: msgspec.Raw) -> dict[str, Any]:
    """Every question with the honest answer that there is none: an empty map would be no explicit refusal."""
    asked = msgspec.json.decode(params)
    questions = asked.get("questions", []) if isinstance(asked, dict) else []
    named = [question["id"] for question in questions if isinstance(question, dict) and "id" in question]
    return {"answers": {name: {"answers": [_WORDS]} for name in named}}

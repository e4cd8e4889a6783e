"""An approval as a timeline tells it: what is asked, how far it has come. Of the object itself: `decisions`."""

from __future__ import annotations

from autopilot.client.presenters.decisions import CLOSED, RISKS, UNKNOWN_RISK
from autopilot.client.presenters.labels import Label, sentence, spelled

KINDS = {
    "command": "Run a command",
    "file_change": "Change files",
    "permissions": "More rights",
    "user_input": "A question for you",
    "mcp_form": "A form of a tool server",
    "mcp_url": "A page to open",
    "mcp_tool_call": "Call a tool",
    "dynamic_tool": "Call a client's tool",
    "legacy_command": "Run a command",
    "legacy_patch": "Change files",
    "unsupported": "Something this version does not know",
}
STATES: dict[str, Label] = {
    "pending": Label("Waits for an answer", "warn"),
    "decided": Label("Answered, on its way", "busy"),
    "delivered": Label("Answered, on the machine", "busy"),
    "applied": Label("Codex took the answer", "good"),
    "superseded": Label("Answered elsewhere", "quiet"),
    "expired": Label("Nobody answered in time", "warn"),
    "closed": Label("Asked no more", "quiet"),
}
OUTCOMES: dict[str, Label] = {
    "accepted": Label("Allowed", "good"),
    "declined": Label("Declined", "bad"),
    "cancelled": Label("Cancelled, and the turn with it", "bad"),
    "unknown": Label("Outcome unknown", "quiet"),
}
AT_THE_COMPUTER = "Only to be answered at the computer"


def kind_of(kind: str) -> str:
    """What is asked, in general; an unknown kind as it is."""
    return KINDS.get(kind) or sentence(spelled(kind)) or "A question"


def risk_of(risk: str | None) -> Label | None:
    """How much a wrong yes could cost; None where nothing is said."""
    return RISKS.get(risk, UNKNOWN_RISK) if risk else None


def state_of(state: str, outcome: str | None = None, closed_reason: str | None = None) -> Label:
    """How far it has come, and how it ended."""
    ended = OUTCOMES.get(outcome or "")
    if ended is not None and state in ("applied", "superseded"):
        elsewhere = ", elsewhere" if state == "superseded" else ""
        return Label(ended.text + elsewhere, ended.tone)
    if state == "closed" and closed_reason:
        why = CLOSED.get(closed_reason) or spelled(closed_reason)
        return Label(f"Asked no more: {why}")
    return STATES.get(state) or Label(sentence(spelled(state)))

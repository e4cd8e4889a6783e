"""What an event about an approval says of its item in a timeline. Pure; every field may be missing.

The first end is the end, as in the approval itself. The option of a decision is shown by its label, which only the
question knows: it is kept with the item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autopilot.client.timeline_codex import list_of, object_of, text_of
from autopilot.client.timeline_items import Asked, clip
from autopilot.contract import Envelope

PREFIX = "worker.approval."
ENDS = frozenset({"applied", "superseded", "expired", "closed"})

_STATUSES = {"accepted": "completed", "declined": "declined", "cancelled": "declined"}


def id_of(payload: Mapping[str, Any]) -> str:
    """Which approval the event is about; empty where it says none."""
    return text_of(payload, "approval_id") or text_of(object_of(payload, "approval"), "approval_id")


def told(event: Envelope, before: Asked | None, limit: int) -> dict[str, Any]:
    """The fields that the event changes; none where it changes nothing any more."""
    step = event.eventType.removeprefix(PREFIX)
    if step == "requested":
        return {} if before else _question(object_of(event.payload, "approval"), limit)
    if before is not None and before.state in ENDS:
        return {}
    if step == "decided":
        return _decision(event, before, limit)
    if step == "reopened":
        return {"state": "pending", "status": "open", "option": None, "by": None, "message": None}
    return _end(step, object_of(event.payload, "approval")) if step in ENDS else {}


def _question(asked: Mapping[str, Any], limit: int) -> dict[str, Any]:
    evidence = object_of(asked, "evidence")
    words = [word for word in list_of(evidence, "command") if isinstance(word, str)]
    return {
        "what": text_of(asked, "kind"),
        "state": "pending",
        "status": "open",
        "title": clip(text_of(asked, "title"), limit),
        "command": clip(text_of(evidence, "command_line") or " ".join(words), limit) or None,
        "cwd": text_of(evidence, "cwd") or None,
        "reason": clip(text_of(evidence, "reason"), limit) or None,
        "answerable": asked.get("answerable") is not False,
        "labels": tuple(
            (text_of(option, "option_id"), text_of(option, "label"))
            for option in list_of(asked, "options")
            if isinstance(option, dict)
        ),
    }


def _decision(event: Envelope, before: Asked | None, limit: int) -> dict[str, Any]:
    decision = object_of(event.payload, "decision")
    option_id = text_of(decision, "option_id")
    labels = dict(before.labels) if before else {}
    return {
        "state": "decided",
        "status": "open",
        "option": labels.get(option_id) or option_id,
        "by": event.actor.surface if event.actor else None,
        "message": clip(text_of(decision, "message"), limit) or None,
    }


def _end(state: str, end: Mapping[str, Any]) -> dict[str, Any]:
    outcome = text_of(end, "outcome") or None
    return {
        "state": state,
        "status": _STATUSES.get(outcome or "", "interrupted" if state in {"expired", "closed"} else "completed"),
        "outcome": outcome,
        "closed_reason": text_of(end, "reason") or None,
    }

"""What an event about an approval says of its item in a timeline. Pure; every field may be missing.

The first end is the end, as in the approval itself. The option of a decision is shown by its label, which only the
question knows: it is kept with the item.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autopilot.client.timeline_codex import MOST_PARTS, SHORT, list_of, object_of, text_of
from autopilot.client.timeline_items import Change, clip
from autopilot.client.timeline_records import Asked, Fact, Question
from autopilot.contract import Envelope

PREFIX = "worker.approval."
KEY = "approval:"
"""What keys of approvals in a timeline begin with."""
ENDS = frozenset({"applied", "superseded", "expired", "closed"})

_OPEN: dict[str, Any] = {
    "state": "pending",
    "status": "open",
    "option": None,
    "actor": None,
    "rule_id": None,
    "decided_at": None,
    "message": None,
}
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
        return dict(_OPEN)
    return _end(step, object_of(event.payload, "approval")) if step in ENDS else {}


def _question(asked: Mapping[str, Any], limit: int) -> dict[str, Any]:
    evidence = object_of(asked, "evidence")
    words = [word for word in list_of(evidence, "command") if isinstance(word, str)]
    return {
        "what": text_of(asked, "kind"),
        "state": "pending",
        "status": "open",
        "title": clip(text_of(asked, "title"), limit),
        "risk": text_of(asked, "risk") or None,
        "command": clip(text_of(evidence, "command_line") or " ".join(words), limit) or None,
        "cwd": text_of(evidence, "cwd") or None,
        "reason": clip(text_of(evidence, "reason"), limit) or None,
        "facts": tuple(
            Fact(label=clip(text_of(fact, "label"), SHORT), value=clip(text_of(fact, "value"), SHORT))
            for fact in objects(asked, "facts")
        ),
        "changes": tuple(
            Change(
                path=text_of(change, "path"),
                action=text_of(change, "kind"),
                diff=clip(text_of(change, "diff"), limit),
                moved_to=text_of(change, "move_path") or None,
            )
            for change in objects(evidence, "changes")
        ),
        "questions": tuple(_one_of_several(question) for question in objects(evidence, "questions")),
        "url": clip(text_of(asked, "url"), SHORT) or None,
        "answerable": asked.get("answerable") is not False,
        "labels": tuple(
            (text_of(option, "option_id"), text_of(option, "label")) for option in objects(asked, "options")
        ),
    }


def _one_of_several(question: Mapping[str, Any]) -> Question:
    return Question(
        text=clip(text_of(question, "text"), SHORT),
        header=clip(text_of(question, "header"), SHORT),
        choices=tuple(clip(text_of(option, "label"), SHORT) for option in objects(question, "options")),
    )


def objects(raw: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects of a list, no more than are shown."""
    return [one for one in list_of(raw, name)[:MOST_PARTS] if isinstance(one, dict)]


def _decision(event: Envelope, before: Asked | None, limit: int) -> dict[str, Any]:
    decision = object_of(event.payload, "decision")
    option_id = text_of(decision, "option_id")
    labels = dict(before.labels) if before else {}
    return {
        "state": "decided",
        "status": "open",
        "option": labels.get(option_id) or option_id,
        "actor": event.actor,
        "rule_id": text_of(decision, "rule_id") or None,
        "decided_at": event.occurredAt,
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

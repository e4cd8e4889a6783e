"""What an event of the ledger's own says of its item in a timeline: requests, denials, handshakes, the log. Pure.

Every field may be missing. What Codex says is read by timeline_codex, approvals by timeline_approvals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autopilot.client.timeline_codex import MOST_PARTS, SHORT, list_of, number_of, object_of, text_of
from autopilot.client.timeline_items import Item, clip, joined
from autopilot.client.timeline_records import Denial, Handshake, ReceiptStep, Request
from autopilot.contract import Actor, Envelope

ASKS = frozenset({"ios/handshake", "web/handshake", "cli/handshake"})
ACK = "desktop/handshake_ack"
MOST_STEPS = 20


def request(event: Envelope, before: Request | None, state: str, limit: int) -> dict[str, Any]:
    """The fields of a request that has come to this state."""
    payload = event.payload
    error = object_of(payload, "error")
    message = text_of(error, "message") or text_of(error, "code") or text_of(payload, "reason_code")
    told: dict[str, Any] = {"state": state}
    if message:
        told["error"] = clip(message, limit)
    steps = before.steps if before else ()
    if len(steps) < MOST_STEPS and (not steps or steps[-1].state != state):
        told["steps"] = (*steps, ReceiptStep(state=state, at=event.occurredAt))
    if before is None:
        told |= {"request_id": text_of(payload, "request_id"), "method": text_of(payload, "method")}
        told |= {"x_request_id": event.xRequestId}
    if state == "accepted":
        told["actor"] = event.actor
        told["words"] = clip(_words(object_of(payload, "params")), limit)
        told["expires_at"] = text_of(payload, "expires_at") or None
    return told


def _words(params: Mapping[str, Any]) -> str:
    parts = [text_of(part, "text") for part in list_of(params, "input") if isinstance(part, dict)]
    return joined(parts) or text_of(params, "reason")


def denial(payload: Mapping[str, Any], limit: int) -> Denial:
    """What a policy said no by."""
    return Denial(
        reason_code=text_of(payload, "reason_code"),
        message=clip(text_of(payload, "message"), limit),
        document=text_of(payload, "document") or None,
        rule_id=text_of(payload, "rule_id") or None,
        version=number_of(payload, "version"),
    )


def handshake(event: Envelope, before: Handshake | None) -> dict[str, Any]:
    """The fields of a handshake that an event changes; only a machine answers, and only once."""
    payload = event.payload
    if text_of(payload, "method") in ASKS:
        source = clip(text_of(payload, "source"), SHORT)
        return {} if before and before.actor else {"source": source, "actor": event.actor}
    by_machine = event.actor is not None and event.actor.machine_id is not None
    if not by_machine or (before is not None and before.answered_by is not None):
        return {}
    session_id = clip(text_of(payload, "desktop_session_id"), SHORT) or None
    return {
        "status": "completed",
        "answered_by": event.actor,
        "answered_at": event.occurredAt,
        "session_id": session_id,
    }


def lifecycle(event: Envelope, asked: Item | None, limit: int) -> dict[str, Any]:
    """The fields of a log's opening or closing; `asked`: the request that it is the result of, if that is known."""
    payload = event.payload
    verified = payload.get("verified")
    actor: Actor | None = asked.actor if isinstance(asked, Request) and asked.actor else event.actor
    return {
        "reason": clip(text_of(payload, "reason"), limit) or None,
        "verified": verified if isinstance(verified, bool) else None,
        "actor": actor,
        "processes": tuple(_process(one) for one in _objects(payload, "processes")),
        "still_running": tuple(_process(one) for one in _objects(payload, "still_running")),
        "unverified": tuple(
            clip(words, SHORT) for words in list_of(payload, "unverified")[:MOST_PARTS] if isinstance(words, str)
        ),
    }


def _process(raw: Mapping[str, Any]) -> str:
    ended_by = text_of(raw, "ended_by")
    return clip(text_of(raw, "command"), SHORT) + (f" ({ended_by})" if ended_by else "")


def _objects(payload: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [one for one in list_of(payload, name)[:MOST_PARTS] if isinstance(one, dict)]

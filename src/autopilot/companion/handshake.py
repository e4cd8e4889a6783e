"""Answer handshakes: each once, also over restarts, for as long as whoever asked still waits. Pure but for the outbox.

The ack is an event like any other, put under an id made of the handshake's: the outbox puts it once, the ledger keeps
it once. Source: docs/protocol.md, "Handshake".
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

import msgspec

from autopilot.companion.codex import translate
from autopilot.companion.codex.translate import EVENT_ID_CHARACTERS, Event
from autopilot.companion.threads import Thread

ASK = "ios/handshake"
"""Whoever asks: the ledger takes no other method for a handshake, and no answer to what it takes for none."""
ACK = "desktop/handshake_ack"
ACK_ID = "handshake_ack"
WINDOW = timedelta(seconds=30)
"""From the ledger's time of recording; whoever asked has given up after it."""


def ack(thread: Thread, envelope: dict[str, Any], *, session_id: str, now: datetime) -> Event | None:
    """The answer to an event of the feed, or None where it is no handshake or too old.

    `now` is the server's time.
    """
    payload = envelope.get("payload")
    if not isinstance(payload, dict) or payload.get("method") != ASK:
        return None
    handshake_id = payload.get("handshake_id")
    if not isinstance(handshake_id, str) or not _in_time(envelope.get("occurredAt"), now):
        return None
    body = {
        "source": translate.SOURCE,
        "method": ACK,
        "handshake_id": handshake_id,
        "desktop_session_id": session_id,
        "occurred_at": translate.timestamp(now),
    }
    return Event(
        thread_id=thread.thread_id,
        event_type="worker.event",
        method=ACK,
        event_id=_event_id(handshake_id),
        payload=msgspec.json.encode(body),
    )


def _event_id(handshake_id: str) -> str:
    """Of the answer. The ledger takes more for a handshake's id than for an event's: such a one is hashed."""
    plain = f"{ACK_ID}:{handshake_id}"
    if len(plain) <= EVENT_ID_CHARACTERS and plain.isascii() and plain.isprintable() and " " not in plain:
        return plain
    return f"{ACK_ID}:~{hashlib.sha256(handshake_id.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _in_time(recorded_at: Any, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(recorded_at) <= WINDOW
    except (TypeError, ValueError):
        return False

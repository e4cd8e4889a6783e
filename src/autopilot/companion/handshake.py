"""Answer handshakes: each once, also over restarts, for as long as whoever asked still waits. Pure but for the outbox.

The ack is an event like any other, put under an id made of the handshake's: the outbox puts it once, the ledger keeps
it once. Source: docs/protocol.md, "Handshake".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from autopilot.companion.codex import translate
from autopilot.companion.codex.translate import Event
from autopilot.companion.threads import Thread

ASKS = frozenset({"ios/handshake", "web/handshake", "cli/handshake"})
ACK = "desktop/handshake_ack"
WINDOW = timedelta(seconds=30)
"""From the ledger's time of recording; whoever asked has given up after it."""


def ack(thread: Thread, envelope: dict[str, Any], *, session_id: str, now: datetime) -> Event | None:
    """The answer to an event of the feed, or None where it is no handshake or too old.

    `now` is the server's time.
    """
    payload = envelope.get("payload")
    if not isinstance(payload, dict) or payload.get("method") not in ASKS:
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
        event_id=f"handshake_ack:{handshake_id}",
        payload=msgspec.json.encode(body),
    )


def _in_time(recorded_at: Any, now: datetime) -> bool:
    try:
        return now - datetime.fromisoformat(recorded_at) <= WINDOW
    except (TypeError, ValueError):
        return False

"""What the runtime itself writes into a worker's log about requests and leases: drafts of such events. Pure."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from autopilot.runtime.ledger_rows import RUNTIME_ACTOR, Draft, text_or_null

SOURCE = "autopilot-runtime"


def note(
    event_type: str,
    facts: dict[str, Any],
    *,
    x_request_id: str | None = None,
    actor: str = RUNTIME_ACTOR,
) -> Draft:
    """An event of the runtime's own, with an id that is nobody else's."""
    value = {"source": SOURCE, **facts}
    payload = msgspec.json.encode(value).decode()
    return Draft(event_type, payload, value, f"runtime:{uuid.uuid4().hex}", actor, text_or_null(x_request_id))

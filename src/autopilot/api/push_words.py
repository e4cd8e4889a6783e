"""What a notification says: short, one line for its title, no more than fits on a locked screen.

Pure. The words are those of the apps' own alerts (client/presenters/alerts.py). A user who wants no content gets to
know that there is something, and where it is. Whatever Codex or a person wrote is clipped, on one line and without what
turns text around; it is redacted already, as all that the ledger shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from autopilot.api.push_sender import PAYLOAD_BYTES
from autopilot.client.presenters.alerts import clipped, name, request_words
from autopilot.contract import PushNotification, encode

TITLE_CHARACTERS = 80
BODY_CHARACTERS = 180


def encoded(notification: PushNotification) -> bytes:
    """The JSON that travels."""
    payload = json.dumps(encode(notification), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    assert len(payload) <= PAYLOAD_BYTES, "every part of a notification is bounded"
    return payload


def named(worker: Mapping[str, Any]) -> str:
    """What a worker is called where there is little room: its title, what was asked first, its folder, or its id."""
    return name(_said(worker, "title"), _said(worker, "preview"), _said(worker, "cwd"), str(worker["worker_id"]))


def _said(worker: Mapping[str, Any], fact: str) -> str | None:
    said = worker.get(fact)
    value = said.get("value") if isinstance(said, dict) else said
    return value if isinstance(value, str) else None


__all__ = ["BODY_CHARACTERS", "TITLE_CHARACTERS", "clipped", "encoded", "named", "request_words"]

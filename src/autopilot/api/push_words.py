"""What a notification says: short, one line for its title, no more than fits on a locked screen.

Pure. A user who wants no content gets to know that there is something, and where it is. Whatever Codex or a person
wrote is clipped, on one line and without what turns text around; it is redacted already, as all that the ledger shows.
"""

from __future__ import annotations

import json

from autopilot.api.push_sender import PAYLOAD_BYTES
from autopilot.contract import PushNotification, encode

TITLE_CHARACTERS = 80
BODY_CHARACTERS = 180


def clipped(text: str | None, most: int) -> str:
    """On one line, within `most` characters."""
    kept = "".join(character if character.isprintable() else " " for character in (text or "")[: most * 8])
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def encoded(notification: PushNotification) -> bytes:
    """The JSON that travels."""
    payload = json.dumps(encode(notification), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    assert len(payload) <= PAYLOAD_BYTES, "every part of a notification is bounded"
    return payload

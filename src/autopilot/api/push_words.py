"""What a notification says: short, one line for its title, no more than fits on a locked screen.

Pure. A user who wants no content gets to know that there is something, and where it is. Whatever Codex or a person
wrote is clipped, on one line and without what turns text around; it is redacted already, as all that the ledger shows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from autopilot.api.push_sender import PAYLOAD_BYTES
from autopilot.contract import PushNotification, encode

TITLE_CHARACTERS = 80
BODY_CHARACTERS = 180
NAME_CHARACTERS = 60
STOP = "worker/stop"
_DONE = {
    STOP: "Stop",
    "turn/start": "Your message",
    "turn/steer": "Your message",
    "turn/interrupt": "Interruption",
    "thread/start": "New session",
    "thread/fork": "Copy",
}
_STATES = {
    "failed": "failed",
    "rejected": "was refused",
    "expired": "was not taken in time",
    "indeterminate": "may or may not have happened",
}


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


def named(worker: Mapping[str, Any]) -> str:
    """What a worker is called where there is little room: its title, what was asked first, its folder, or its id."""
    cwd = worker.get("cwd")
    fact = (cwd or {}).get("value") if isinstance(cwd, dict) else cwd
    folder = fact.rstrip("/").rpartition("/")[2] if isinstance(fact, str) else ""
    for name in ("title", "preview"):
        said = worker.get(name)
        text = said.get("value") if isinstance(said, dict) else said
        if isinstance(text, str) and text.strip():
            return clipped(text, NAME_CHARACTERS)
    return clipped(folder or str(worker["worker_id"]), NAME_CHARACTERS)


def request_words(method: str, state: str) -> str:
    """What became of what one asked for, as a title."""
    if state == "completed":
        return "Stopped" if method == STOP else f"{_DONE.get(method, 'Your request')} done"
    return f"{_DONE.get(method, 'Your request')} {_STATES.get(state, state)}"

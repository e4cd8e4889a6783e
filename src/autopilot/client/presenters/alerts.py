"""What a person is told when they are not looking: short, one line for its title, no more than a locked screen shows.

The same words wherever an alert comes from: Web Push (api/push_words.py) and the apps' own. Whatever Codex or a person
wrote is clipped, on one line and without what turns text around.
"""

from __future__ import annotations

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


def name(title: str | None, preview: str | None, cwd: str | None, worker_id: str) -> str:
    """What a worker is called where there is little room: its title, what was asked first, its folder, or its id."""
    for text in (title, preview):
        if text is not None and text.strip():
            return clipped(text, NAME_CHARACTERS)
    folder = (cwd or "").rstrip("/").rpartition("/")[2]
    return clipped(folder or worker_id, NAME_CHARACTERS)


def asks(worker: str) -> str:
    """Codex asks something."""
    return f"Codex asks: {worker}"


def turn_ended(worker: str, *, failed: bool) -> str:
    """A turn is done, or failed."""
    return f"{'Failed' if failed else 'Done'}: {worker}"


def request_words(method: str, state: str) -> str:
    """What became of what one asked for, as a title."""
    if state == "completed":
        return "Stopped" if method == STOP else f"{_DONE.get(method, 'Your request')} done"
    return f"{_DONE.get(method, 'Your request')} {_STATES.get(state, state)}"


def came_in(device: str | None) -> str:
    """Somebody came in without a passkey."""
    return f"Somebody signed in without a passkey: {clipped(device, NAME_CHARACTERS) or 'another device'}"

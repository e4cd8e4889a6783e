"""Join streaming previews, so that a fast model costs ten events a second and not a thousand.

Pure but for the times handed in. Deltas of one item are held for up to `WINDOW_SECONDS` and joined; anything else that
is said about the same thread lets go of them first, so that no preview comes after the truth it previews.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from autopilot.companion.codex.messages import Message
from autopilot.companion.codex.translate import DELTAS, Names

WINDOW_SECONDS = 0.1
MAX_JOINED_CHARACTERS = 64 * 1024
"""A preview that has grown this long goes out at once."""


@dataclass(slots=True)
class Held:
    """Deltas of one item, joined so far."""

    message: Message
    names: Names
    since: float
    params: dict[str, Any]
    texts: list[str] = field(default_factory=list)
    characters: int = 0

    def joined(self) -> Message:
        """One notification with all the text; a single delta stays the raw text that it was."""
        if len(self.texts) == 1:
            return self.message
        params = self.params | {"delta": "".join(self.texts)}
        return msgspec.structs.replace(self.message, params=msgspec.Raw(msgspec.json.encode(params)))


@dataclass(frozen=True, slots=True)
class Said:
    """A notification to be written down; `coalesced` is how many it stands for."""

    message: Message
    names: Names
    coalesced: int = 1


class Coalescer:
    """Notifications in, in order; fewer notifications out."""

    def __init__(self) -> None:
        self._held: dict[str, dict[tuple[str, ...], Held]] = {}

    def add(self, message: Message, names: Names, now: float) -> list[Said]:
        """Take one notification; what is to be written down now."""
        thread = names.thread_id or ""
        if message.method not in DELTAS:
            return [*self._release(thread), Said(message, names)]
        params = _params(message)
        delta = params.get("delta")
        if not isinstance(delta, str):
            return [*self._release(thread), Said(message, names)]
        held = self._hold(thread, message, names, params, now)
        held.texts.append(delta)
        held.characters += len(delta)
        return self._release(thread) if held.characters > MAX_JOINED_CHARACTERS else []

    def due(self, now: float) -> list[Said]:
        """Threads whose oldest preview has waited long enough."""
        ready = [thread for thread, held in self._held.items() if _oldest(held) + WINDOW_SECONDS <= now]
        return [said for thread in ready for said in self._release(thread)]

    def release_all(self) -> list[Said]:
        """Everything held."""
        return [said for thread in list(self._held) for said in self._release(thread)]

    @property
    def next_due(self) -> float | None:
        """When `due` has something again, on the clock of `add`; None when nothing is held."""
        return min((_oldest(held) + WINDOW_SECONDS for held in self._held.values()), default=None)

    def _hold(self, thread: str, message: Message, names: Names, params: dict[str, Any], now: float) -> Held:
        # Everything but the text tells one stream of previews from another (a summary's index, for example).
        key = (str(message.method), *(f"{name}={value}" for name, value in sorted(params.items()) if name != "delta"))
        return self._held.setdefault(thread, {}).setdefault(key, Held(message, names, now, params))

    def _release(self, thread: str) -> list[Said]:
        return [Said(held.joined(), held.names, len(held.texts)) for held in self._held.pop(thread, {}).values()]


def _oldest(held: dict[tuple[str, ...], Held]) -> float:
    return min(one.since for one in held.values())


def _params(message: Message) -> dict[str, Any]:
    params = msgspec.json.decode(message.params)
    return params if isinstance(params, dict) else {}

"""What Codex says of this machine rather than of a thread: rate limits, the account, warnings. The last of each kind.

Owns which kinds are told, and what of them the runtime does not know yet. In memory only: the runtime keeps what it was
told, and after a restart Codex says the rest anew. Never waits and never speaks to anybody: `Leases` tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from autopilot.companion.codex import translate
from autopilot.companion.codex.messages import Message
from autopilot.contract import MachineFact

KINDS = frozenset(
    {
        "account/updated",
        "account/login/completed",
        "account/rateLimits/updated",
        "configWarning",
        "deprecationNotice",
        "guardianWarning",
        "remoteControl/status/changed",
        "warning",
        "windows/worldWritableWarning",
    }
)
MAX_PARAMS_BYTES = 16 * 1024


class MachineFacts:
    """Takes what names no thread; `pending` until it is `told`."""

    def __init__(self) -> None:
        self._last: dict[str, MachineFact] = {}
        self._pending: dict[str, MachineFact] = {}
        self.news = asyncio.Event()
        """Set when something is another than it was; cleared by whoever tells."""

    def take(self, message: Message, now: datetime) -> None:
        """One notification that names no thread."""
        method = message.method
        if method not in KINDS:
            return
        raw = bytes(message.params)
        said = msgspec.json.decode(raw) if len(raw) <= MAX_PARAMS_BYTES else {"truncated": {"bytes": len(raw)}}
        if not isinstance(said, dict):
            return
        self.say(method, said, translate.moment(message.emittedAtMs) or now)

    def say(self, method: str, said: dict[str, Any], moment: datetime) -> None:
        """A fact of this kind; also of our own (`desktop/…`)."""
        at = translate.timestamp(moment)
        before = self._last.get(method)
        self._last[method] = self._pending[method] = MachineFact(method=method, params=said, occurred_at=at)
        if before is None or before.params != said:
            self.news.set()

    def pending(self) -> tuple[MachineFact, ...]:
        """What the runtime was not told yet."""
        return tuple(self._pending.values())

    def told(self, facts: Iterable[MachineFact]) -> None:
        """The runtime knows these; what was said since stays pending."""
        for fact in facts:
            if self._pending.get(fact.method) is fact:
                del self._pending[fact.method]

    def tell_again(self) -> None:
        """The runtime may have lost what it knew."""
        self._pending = dict(self._last)

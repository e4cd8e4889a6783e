"""Who waits for a receipt, and whom a committed transaction wakes.

Owns the waiters of this process and the list of what a transaction changed. Wake-ups are hints: a waiter reads the
receipt again, and what it reads decides. Never wakes for what is not committed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autopilot.runtime.ledger import LedgerTx
    from autopilot.runtime.ledger_rows import Worker

Identity = tuple[str, str, str]
"""A receipt's: target kind, target id, request id."""

_MEMO = "wakes"


@dataclass(slots=True)
class Wakes:
    """What a transaction changed that somebody may wait for."""

    receipts: set[Identity] = field(default_factory=set)
    feeds: dict[str, int] = field(default_factory=dict)
    """machine_id -> the feed_seq it has come to."""
    workers: dict[int, Worker] = field(default_factory=dict)
    """By worker_no: workers of which something has changed that no event tells of."""


def wakes_of(tx: LedgerTx) -> Wakes:
    """The list of this transaction."""
    return tx.memo.setdefault(_MEMO, Wakes())


class Waiters:
    """Calls of this process that wait for a receipt to change."""

    def __init__(self) -> None:
        self.stopping = False
        self._waiting: dict[Identity, set[asyncio.Event]] = {}

    @contextlib.contextmanager
    def watch(self, identity: Identity) -> Iterator[asyncio.Event]:
        """An event that is set whenever the receipt may have changed, or the runtime stops."""
        changed = asyncio.Event()
        watching = self._waiting.setdefault(identity, set())
        watching.add(changed)
        try:
            yield changed
        finally:
            watching.discard(changed)
            if not watching:
                self._waiting.pop(identity, None)

    def wake(self, identities: set[Identity]) -> None:
        """Let those look again who wait for one of these receipts."""
        for identity in identities:
            for changed in self._waiting.get(identity, ()):
                changed.set()

    def wake_all(self) -> None:
        """Let everybody look again: something is shared otherwise."""
        self.wake(set(self._waiting))

    def stop(self) -> None:
        """Let every call answer with what it has."""
        self.stopping = True
        self.wake_all()

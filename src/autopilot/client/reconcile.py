"""Merge snapshots and events of one worker, in whatever order they arrive, into one truth. Pure.

The state is always `fold(newest snapshot, the events after it)`. What is older than the state, a snapshot of a lower
seq or one that was asked for earlier, changes nothing; events that don't join on are left to the next snapshot.
"""

from __future__ import annotations

from collections import deque

from autopilot.client.worker_state import fold, step
from autopilot.contract import Envelope, WorkerSnapshot

RECENT_EVENTS = 1000
"""Events kept to be folded onto a snapshot that arrives late; the oldest are let go."""


class Reconciler:
    """The state of one worker."""

    def __init__(self, *, recent: int = RECENT_EVENTS) -> None:
        self.snapshot: WorkerSnapshot | None = None
        """The state, true at its `latest_seq`; None before the first snapshot."""
        self._recent: deque[Envelope] = deque(maxlen=recent)
        self._ticket = 0

    def event(self, event: Envelope) -> None:
        """Take the next event of the log."""
        if self._recent and event.seq != self._recent[-1].seq + 1:
            self._recent.clear()
        self._recent.append(event)
        if self.snapshot is not None and event.seq == self.snapshot.latest_seq + 1:
            self.snapshot = step(self.snapshot, event)

    def merge(self, snapshot: WorkerSnapshot, ticket: int) -> None:
        """Take a snapshot; `ticket` grows in the order in which snapshots were *asked for*, not answered."""
        if ticket <= self._ticket:
            return
        self._ticket = ticket
        joins = bool(self._recent) and self._recent[0].seq <= snapshot.latest_seq + 1
        fresh = fold(snapshot, self._recent) if joins else snapshot
        if self.snapshot is None or fresh.latest_seq >= self.snapshot.latest_seq:
            self.snapshot = fresh

    def reset(self) -> None:
        """Forget: the log doesn't go on from what is known."""
        self.snapshot = None
        self._recent.clear()

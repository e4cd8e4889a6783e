"""Follow everything of a principal on one connection, over any number of broken ones.

Owns the opaque cursor and what each frame is. Relies on follower.py for connecting, waiting and giving up: to it, this
stream is a log of the frames that were handed out, counted here, and a place in it stands for the cursor that came with
it. Never reads a cursor. Source: docs/protocol.md, "The stream of everything".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from autopilot.client.calls import path_of
from autopilot.client.follower import Follower, FollowPolicy
from autopilot.client.http import ByteStream, Http
from autopilot.client.sse import Frame
from autopilot.contract import (
    Approval,
    Envelope,
    Machine,
    Receipt,
    StateGone,
    StateRecovery,
    StreamCaughtUp,
    StreamOpen,
    StreamStale,
    WorkerSummary,
    decode,
)

Entry: TypeAlias = (
    Envelope
    | WorkerSummary
    | Machine
    | Approval
    | Receipt
    | StateGone
    | StateRecovery
    | StreamStale
    | StreamOpen
    | StreamCaughtUp
)
"""`StreamOpen` begins each connection: all state follows, up to `StreamCaughtUp`."""

KINDS: dict[str, Any] = {
    "codex.state.worker": WorkerSummary,
    "codex.state.machine": Machine,
    "codex.state.approval": Approval,
    "codex.state.receipt": Receipt,
    "codex.state.gone": StateGone,
    "codex.state.recovery": StateRecovery,
    "codex.stream.stale": StreamStale,
    "codex.stream.open": StreamOpen,
    "codex.stream.caught_up": StreamCaughtUp,
}


@dataclass(frozen=True, slots=True)
class EverythingSource:
    """The stream, opened at a place that has a cursor."""

    http: Http
    workers: str | None
    cursors: dict[int, str | None]

    async def open(self, cursor: int | None, tail_ms: int | None) -> ByteStream:
        """Open it after the frame that was handed out in this place."""
        query = {
            "workers": self.workers,
            "cursor": self.cursors.get(cursor or 0),
            "tail_ms": tail_ms,
            "frames": "control",
        }
        return await self.http.open("stream", path_of("stream"), query=query)


class EverythingFollower(Follower[Entry]):
    """A follower whose `cursor` only counts: store `resume_at`, and hand it to the next one.

    Never raises StaleCursor: a log that does not go on is an entry, `StreamStale`, and the stream goes on by itself.
    """

    def __init__(
        self, http: Http, workers: Iterable[str], *, cursor: str | None = None, policy: FollowPolicy | None = None
    ) -> None:
        """`workers`: whose events are wanted; `cursor`: a `resume_at` (None: their events from now on)."""
        self._cursors: dict[int, str | None] = {0: cursor}
        super().__init__(
            EverythingSource(http, ",".join(workers) or None, self._cursors),
            lambda value: decode(Envelope, value),
            cursor=0,
            policy=policy,
            clock=http.clock,
            rng=http.rng,
            name="everything",
        )

    @property
    def resume_at(self) -> str | None:
        """The opaque cursor of the last entry that the consumer has handled."""
        return self._cursors[self.cursor or 0]

    # pyrefly: ignore[missing-override-decorator] - Python 3.11 has none, and this room is the standard library only
    def _entries(self, frame: Frame) -> tuple[Entry, ...]:
        kind = Envelope if frame.event.startswith("codex.worker.") else KINDS.get(frame.event)
        if kind is None or kind is StreamCaughtUp:
            self._control(frame)
        if kind is None:
            return ()
        entry = self._decoded(frame, lambda value: decode(kind, value))
        if frame.id is not None:
            self._handed = self._place(frame.id)
        if kind is Envelope:  # state comes with every opening: it is no sign that the next one will last
            self._backoff.reset()
        return (entry,)

    def _place(self, cursor: str) -> int:
        """The next place, which stands for this cursor; places before what is handled are forgotten."""
        handled, seen = self._position.cursor or 0, (self._position.seen or 0) + 1
        self._position.accept(seen)
        for place in [place for place in self._cursors if place < handled]:
            del self._cursors[place]
        self._cursors[seen] = cursor
        return seen

"""A reader's place in a log without gaps: what was seen, what was handled, what must come next. Pure."""

from __future__ import annotations

from autopilot.contract.errors import NetworkError


class Position:
    """`cursor` <= `seen`: entries up to `seen` were handed out, entries up to `cursor` were handled."""

    def __init__(self, cursor: int | None) -> None:
        """`cursor` None: from now on, wherever that is; the first thing seen decides."""
        self.cursor = cursor
        self.seen = cursor

    def start_at(self, seq: int) -> None:
        """The log ends at `seq` now; means something only to a reader who asked for 'from now on'."""
        if self.seen is None:
            self.cursor = self.seen = seq

    def accept(self, seq: int) -> bool:
        """Whether `seq` is the entry to hand out next; False for one that was seen.

        Raises:
            NetworkError: entries are missing before it (`reason_code: gap`): read again from `seen`.
        """
        self.start_at(seq - 1)
        seen = self.seen or 0
        if seq <= seen:
            return False
        if seq > seen + 1:
            message = f"the stream skipped from {seen} to {seq}"
            raise NetworkError(message, reason_code="gap", expected=seen + 1, found=seq)
        self.seen = seq
        return True

    def handled(self, seq: int) -> None:
        """Everything up to `seq` is handled; ignored for what was not handed out, and never goes back."""
        if self.seen is not None and (self.cursor or 0) < seq <= self.seen:
            self.cursor = seq

"""A worker's events as a person reads them: messages, commands with output, diffs, turns, receipts.

Pure: no clock, no I/O; the same events in order give the same timeline, and a timeline saved at seq n and folded on
with the events after n equals the fold of all. Bounded: old items are dropped first. What an event does is in
timeline_fold.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from autopilot.client.timeline_board import Board, TimelineLimits
from autopilot.client.timeline_fold import Step
from autopilot.client.timeline_form import item_from_json, item_to_json
from autopilot.client.timeline_items import Item, TurnEnded
from autopilot.contract import Envelope, WorkerSnapshot, WorkerSummary

FORM = 2
"""Version of the saved form; another one is not read."""
IN_A_TURN = frozenset({"running", "waiting_for_approval", "waiting_for_input"})
"""Activities of a worker whose turn has not ended."""


class Timeline:
    """The items so far, oldest first. For one task at a time."""

    def __init__(self, limits: TimelineLimits | None = None, *, after: int = 0) -> None:
        """`after`: events up to here are not part of it (a timeline of the log's end)."""
        self.seq = after
        """The last event folded."""
        self.begins_after = after
        self._board = Board(limits or TimelineLimits())

    @property
    def items(self) -> tuple[Item, ...]:
        """All of them; the same tuple until something changes."""
        return self._board.items

    @property
    def active_turn_id(self) -> str | None:
        """The turn that runs, if one does."""
        return self._board.active_turn_id

    @property
    def dropped(self) -> int:
        """How many items were let go to stay within the limits."""
        return self._board.dropped

    @property
    def is_whole(self) -> bool:
        """Whether it goes back to the beginning of the log."""
        return self.begins_after == 0 and self.dropped == 0

    def get(self, key: str) -> Item | None:
        """One item by its key."""
        return self._board.get(key)

    def apply(self, event: Envelope) -> tuple[Item, ...]:
        """Take one event; the items it made or changed, as they are now. Events at or below `seq` change nothing."""
        if event.seq <= self.seq:
            return ()
        self.seq = event.seq
        return tuple(Step(self._board, event).run())

    def fold(self, events: Iterable[Envelope]) -> Self:
        """Take events in order; itself."""
        for event in events:
            self.apply(event)
        return self

    def save(self) -> dict[str, Any]:
        """A plain JSON form, from which `restore` makes an equal timeline."""
        return {**self.outline(), "items": [item_to_json(item) for item in self.items]}

    def outline(self) -> dict[str, Any]:
        """`save` without the items: quick to take, for whoever writes the items elsewhere."""
        return {
            "form": FORM,
            "seq": self.seq,
            "begins_after": self.begins_after,
            "dropped": self.dropped,
            "active_turn_id": self.active_turn_id,
        }

    @classmethod
    def restore(cls, saved: dict[str, Any], limits: TimelineLimits | None = None) -> Timeline:
        """From the saved form.

        Raises:
            ValueError: it is none, or of another version: fold anew.
        """
        try:
            if saved["form"] != FORM:
                raise ValueError("a timeline of another version")
            timeline = cls(limits, after=saved["begins_after"])
            timeline.seq = saved["seq"]
            for value in saved["items"]:
                timeline._board.put(item_from_json(value))
            timeline._board.active_turn_id = saved["active_turn_id"]
            timeline._board.dropped += saved["dropped"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"no saved timeline: {error!r}") from error
        return timeline


def running_turn(timeline: Timeline, worker: WorkerSnapshot | WorkerSummary | None) -> str | None:
    """The turn that runs. One that began before a timeline did is known by its items, while the worker is in a turn."""
    if timeline.active_turn_id is not None or worker is None or worker.activity is None:
        return timeline.active_turn_id
    if timeline.is_whole or worker.activity.value not in IN_A_TURN:
        return None
    latest = next((item for item in reversed(timeline.items) if item.turn_id is not None), None)
    return None if latest is None or isinstance(latest, TurnEnded) else latest.turn_id

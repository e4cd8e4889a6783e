"""Which events of a log are spent: previews of a completed item, and diffs of a turn that a later one replaced.

Pure: frames in, in order; seqs out. What may still become spent is held, bounded: beyond the bound the oldest is let go
of, and keeps its payload. Only what the same source says completes its item, and only an end that is whole: of one that
was too large for the ledger the previews are all there is.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

PREVIEWS = frozenset(
    {
        "item/agentMessage/delta",
        "item/plan/delta",
        "item/reasoning/summaryTextDelta",
        "item/reasoning/textDelta",
        "item/commandExecution/outputDelta",
        "item/fileChange/outputDelta",
        "item/fileChange/patchUpdated",
    }
)
"""Say nothing of an item that its `item/completed` does not say."""
DIFF = "turn/diff/updated"
"""The whole diff of a turn, each time."""
MAX_HELD = 50_000
"""Events; a seq and a size each."""


class Place(NamedTuple):
    """An event that is held or spent."""

    seq: int
    bytes: int


class _Named(msgspec.Struct, frozen=True):
    id: Any = None


class _Params(msgspec.Struct, frozen=True):
    turnId: Any = None  # noqa: N815 - the wire's name
    itemId: Any = None  # noqa: N815 - the wire's name
    item: _Named = _Named()
    turn: _Named = _Named()
    truncated: Any = None


class _Payload(msgspec.Struct, frozen=True):
    source: Any = None
    method: Any = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


class _Frame(msgspec.Struct, frozen=True):
    payload: _Payload


class Spent:
    """Follows one log."""

    def __init__(self, max_held: int = MAX_HELD) -> None:
        self.spent: list[Place] = []
        """Found so far; whoever empties them takes them out."""
        self._items: dict[tuple[str, ...], list[Place]] = {}
        self._diffs: dict[tuple[str, ...], Place] = {}
        self._held = 0
        self._max_held = max_held

    def look(self, seq: int, size: int, frame: str) -> None:
        """Take the next event, of so many bytes."""
        try:
            payload = msgspec.json.decode(frame, type=_Frame).payload
            if payload.method not in _METHODS:
                return
            params = msgspec.json.decode(payload.params, type=_Params)
        except (msgspec.DecodeError, TypeError):  # of another shape, or a method that is no string: nobody's preview
            return
        self._step(Place(seq, size), payload, params)

    @property
    def first_held(self) -> int | None:
        """The first event that may still become spent."""
        seqs = [places[0].seq for places in self._items.values()] + [place.seq for place in self._diffs.values()]
        return min(seqs, default=None)

    def _step(self, place: Place, payload: _Payload, params: _Params) -> None:
        method, turn = payload.method, params.turnId or params.turn.id
        item = params.item.id if method == "item/completed" else params.itemId
        if method == DIFF:
            self._diff(_key(payload.source, turn), place)
        elif method == "turn/completed":
            self._held -= self._diffs.pop(_key(payload.source, turn), None) is not None
        elif method == "item/completed":
            places = self._items.pop(_key(payload.source, turn, item), [])
            self._held -= len(places)
            self.spent += places if params.truncated is None else []
        else:
            self._items.setdefault(_key(payload.source, turn, item), []).append(place)
            self._hold()

    def _diff(self, turn: tuple[str, ...], place: Place) -> None:
        before = self._diffs.pop(turn, None)
        self._diffs[turn] = place
        if before is None:
            self._hold()
        else:
            self.spent.append(before)

    def _hold(self) -> None:
        self._held += 1
        if self._held <= self._max_held:
            return
        if self._items:
            self._held -= len(self._items.pop(next(iter(self._items))))
        else:
            self._diffs.pop(next(iter(self._diffs)))
            self._held -= 1


def _key(*names: Any) -> tuple[str, ...]:
    return tuple(map(repr, names))


_METHODS = PREVIEWS | {DIFF, "item/completed", "turn/completed"}

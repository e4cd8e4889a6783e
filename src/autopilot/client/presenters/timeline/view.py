"""What every item of a timeline has on a screen, and what is needed to say it.

A view holds what is shown, ready: visible, bounded texts, labels with tones, outputs and diffs already cut. Whoever
draws it decides on nothing but looks. Fields that end in `_id` are names to go somewhere with, not to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from autopilot.client.presenters import times, visible
from autopilot.client.presenters.cuts import SHORT, Caps
from autopilot.client.presenters.people import Names, who
from autopilot.client.timeline_items import Item
from autopilot.contract import Actor

NOBODY = Names()
LONGEST_NAME = 160

Emphasis = Literal["", "loud", "quiet", "commentary", "empty", "retry", "pending", "ended", "waiting"]
"""
loud        a person should look
quiet       as it should be: it steps back
commentary  the model talks to itself
empty       there is nothing but a word
retry       it went wrong, and is tried again
pending     it waits for an answer
ended       it waits no more
waiting     it may yet be answered, for some seconds
"""


@dataclass(frozen=True, slots=True)
class Context:
    """What a presenter knows besides its item."""

    names: Names = NOBODY
    caps: Caps = SHORT
    now: datetime | None = None
    """For the few that look different when time has passed; None: as if none had."""

    def by(self, actor: Actor | None) -> str:
        """Who it was, on which device; empty for nobody."""
        one = who(actor, self.names)
        return visible.line(one.words) if one else ""


@dataclass(frozen=True, slots=True)
class WholeLink:
    """The whole of what is shown in part."""

    artifact_id: str
    words: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What every item has around what it tells."""

    label: str
    """What it is, in a line, for who can't see it."""
    at: str
    """When the ledger recorded it."""
    last_seq: int
    """The event that changed it last: where one looks for all of it."""
    wholes: tuple[WholeLink, ...] = ()
    """All of what is shown in part."""
    wholes_more: str = ""
    """How many more of these there are, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What all have."""

    frame: Frame
    emphasis: Emphasis = ""

    @property
    def at(self) -> str:
        """When the ledger recorded it."""
        return self.frame.at

    @property
    def last_seq(self) -> int:
        """The event that changed it last."""
        return self.frame.last_seq


def framed(item: Item, label: str, context: Context) -> Frame:
    """The frame of an item."""
    shown = item.wholes[: context.caps.entries]
    more = len(item.wholes) - len(shown)
    return Frame(
        visible.line(label, LONGEST_NAME),
        item.at if times.parsed(item.at) else "",
        item.last_seq,
        tuple(WholeLink(one.artifact_id, f"Whole: {times.size(one.bytes)}") for one in shown),
        f"and {more} more" if more else "",
    )

"""Texts in Markdown before anything draws them: how much of one is Markdown, what is plain, where a link may lead.

Pure. What draws it loads nothing of it: images are links.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from autopilot.client.presenters import visible

_ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s\"'<>`]+", re.IGNORECASE)
LONGEST_ADDRESS = 4000
_MOST_MARKS, _MARKS = 2500, "[*_`~<"
"""Texts with more of these take a time that grows with the square of it; they are shown as they came."""
_MOST_ADDRESSES = 100
"""The same of what may be an address: more are not looked for."""


@dataclass(frozen=True, slots=True)
class Prose:
    """A text as it is shown."""

    markdown: str
    """Its beginning, to be drawn as Markdown."""
    plain: str = ""
    """What follows, as it came."""
    left_out: str = ""
    """How much is not shown, in words; empty where everything is."""

    @property
    def finds_addresses(self) -> bool:
        """Whether bare addresses in it become links."""
        return self.markdown.count(":") <= _MOST_ADDRESSES

    def __bool__(self) -> bool:
        return bool(self.markdown or self.plain)


def prose(text: str, limit: int) -> Prose:
    """A text, so that none takes long to draw: Markdown for about `limit` characters, then plain for as many."""
    head, rest = _parted(text, limit)
    if sum(map(head.count, _MARKS)) > _MOST_MARKS:
        head, rest = "", text
    left_out = f"{len(rest) - limit:,} characters more" if len(rest) > limit else ""
    return Prose(visible.prose(head), visible.prose(rest[:limit]), left_out)


def may_link(address: str) -> bool:
    """Whether an address may be gone to from here: http, https and mailto."""
    return len(address) <= LONGEST_ADDRESS and _ADDRESS.fullmatch(address) is not None


def _parted(text: str, limit: int) -> tuple[str, str]:
    """The text up to a line end before the limit, and the rest."""
    if len(text) <= limit:
        return text, ""
    end = text.rfind("\n", limit // 2, limit)
    end = limit if end < 0 else end
    return text[:end], text[end:]

"""What a presenter hands out: a few words, and what they mean for whoever glances at them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autopilot.client.presenters import visible

Tone = Literal["good", "bad", "warn", "busy", "quiet"]
"""
good   as it should be
bad    it failed, or is gone
warn   a person should look
busy   it goes on
quiet  nothing to see
"""


@dataclass(frozen=True, slots=True)
class Label:
    """A few words with a tone."""

    text: str
    tone: Tone = "quiet"


_LONGEST = 100
"""Characters of a word that is worth spelling."""


def spelled(word: str) -> str:
    """A word of a program's (`waiting_for_input`, `turnEnded`) as words: of values nobody foresaw."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in word[:_LONGEST])
    return visible.line(" ".join(spaced.replace("_", " ").replace("-", " ").replace(".", " ").split()))


def sentence(words: str) -> str:
    """The same with a capital at its beginning."""
    return words[:1].upper() + words[1:]

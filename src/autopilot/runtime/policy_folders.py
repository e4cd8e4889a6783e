"""Folders as policies name them: absolute, or below the home folder; and whether one meets a pattern. Pure.

A folder is compared by its parts after `.` and doubled slashes are taken out; one with `..` in it meets nothing.
`~` stands for the home folder of the machine: where that is known, `~/x` and `/home/ann/x` are the same; where it is
not, `~` is compared as it is written. What links on the machine make of a folder is the machine's to know.
"""

from __future__ import annotations

import re

_SPLIT = re.compile(r"/+")
_ANY_DEPTH = "**"


def parts_of(folder: str, home: str | None = None) -> tuple[str, ...] | None:
    """The parts of an absolute folder; None where it can't be told what it is.

    What is below `~` is a folder like any other where the home folder is known; else `~` is its first part.
    """
    text = folder.replace("\\", "/")
    if "\x00" in text or not (text.startswith(("/", "~/")) or text == "~"):
        return None
    parts = [part for part in _SPLIT.split(text) if part not in ("", ".")]
    if ".." in parts:
        return None
    if text.startswith("/"):
        return ("", *parts)
    known = parts_of(home) if home is not None and home.startswith("/") else None
    return ("~", *parts[1:]) if known is None else (*known, *parts[1:])


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern; None where nothing is."""
    if pattern == "*":
        return None
    if not (pattern.startswith(("/", "~/")) or pattern == "~"):
        return "must be absolute (/srv/work/**), below the home folder (~/work/**), or *"
    parts = _SPLIT.split(pattern)
    if ".." in parts:
        return "must not have .. in it"
    if any(_ANY_DEPTH in part and part != _ANY_DEPTH for part in parts) or _ANY_DEPTH in parts[:-1]:
        return "may have ** only as its last part"
    if any(part.count("*") > 1 for part in parts if part != _ANY_DEPTH):
        return "may have one * in a part at most"
    return None


def meets(folder: tuple[str, ...], pattern: str, home: str | None = None) -> bool:
    """Whether a folder's parts meet a pattern: `*` within one part, `**` at the end for the folder and all below."""
    if pattern == "*":
        return True
    wanted = parts_of(pattern, home)
    if wanted is None:
        return False
    if wanted[-1:] == (_ANY_DEPTH,):
        wanted = wanted[:-1]
        folder = folder[: len(wanted)]
    return len(folder) == len(wanted) and all(map(_part_meets, folder, wanted))


def might_meet(folder: tuple[str, ...], pattern: str, home: str | None = None) -> bool:
    """Whether a pattern that denies reaches this folder: it or something below it, or where that can't be told.

    Whoever works in a folder works in all below it; and `~` may be any folder as long as the home is unknown.
    """
    wanted = parts_of(pattern, home)
    if pattern == "*" or wanted is None:
        return True
    if (wanted[:1] == ("~",)) != (folder[:1] == ("~",)):  # one is below a home that nobody here knows
        return True
    is_above = len(folder) < len(wanted) and all(map(_part_meets, folder, wanted))
    return is_above or meets(folder, pattern, home)


def _part_meets(part: str, pattern: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return part == pattern
    return len(part) >= len(before) + len(after) and part.startswith(before) and part.endswith(after)

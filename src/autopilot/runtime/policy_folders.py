"""Folders as policies name them: absolute, or below the home folder; and whether one meets a pattern. Pure.

A folder is compared by its parts after `.` and doubled slashes are taken out; one with `..` in it meets nothing.
`~` stands for the home folder of the machine, and is compared as it is written: `/home/ann/x` and `~/x` are the same
only where the home folder is known. What links on the machine make of a folder is the machine's to know.
"""

from __future__ import annotations

import re

_SPLIT = re.compile(r"/+")
_ANY_DEPTH = "**"


def parts_of(folder: str, home: str | None = None) -> tuple[str, ...] | None:
    """The parts of an absolute folder, `~` first where it is below home; None where it can't be told what it is."""
    text = folder.replace("\\", "/")
    if "\x00" in text or not (text.startswith(("/", "~/")) or text == "~"):
        return None
    parts = [part for part in _SPLIT.split(text) if part not in ("", ".")]
    if ".." in parts:
        return None
    home_parts = [part for part in _SPLIT.split(home) if part] if home else []
    if home_parts and parts[: len(home_parts)] == home_parts and parts[:1] != ["~"]:
        parts = ["~", *parts[len(home_parts) :]]
    return tuple(parts) if parts[:1] == ["~"] else ("", *parts)


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
    if home is None and (wanted[:1] == ("~",)) != (folder[:1] == ("~",)):
        return True
    is_above = len(folder) < len(wanted) and all(map(_part_meets, folder, wanted))
    return is_above or meets(folder, pattern, home)


def _part_meets(part: str, pattern: str) -> bool:
    before, star, after = pattern.partition("*")
    if not star:
        return part == pattern
    return len(part) >= len(before) + len(after) and part.startswith(before) and part.endswith(after)

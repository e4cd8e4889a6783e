"""Text of anybody's as text on a screen: what can't be seen is made visible, what breaks an encoding is replaced.

What a markup means is for whoever writes it to escape; this takes care of lone surrogates, NUL and other controls, and
of characters that reorder or hide text. In prose only what overrides the direction is shown, since right-to-left
languages need the rest; in code everything invisible is.
"""

from __future__ import annotations

import re

REPLACEMENT = "\ufffd"
_SURROGATES = "\ud800-\udfff"
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_NON_CHARACTERS = "\ufdd0-\ufdef\ufffe\uffff"
_OVERRIDES = "\u202a-\u202e"
_INVISIBLE = (
    "\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028\u2029\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_IN_PROSE = re.compile(f"[{_SURROGATES}{_CONTROLS}{_NON_CHARACTERS}{_OVERRIDES}]")
_IN_CODE = re.compile(f"[{_SURROGATES}{_CONTROLS}{_NON_CHARACTERS}{_OVERRIDES}{_INVISIBLE}]")
_HALVES = re.compile(f"[{_SURROGATES}]")
_LINE_ENDS = re.compile(r"\r\n?")
_PICTURES = 0x2400
_DELETE, _SPACE = 0x7F, 0x20


def prose(text: str) -> str:
    """What a person or a model wrote."""
    return _IN_PROSE.sub(_visible, _LINE_ENDS.sub("\n", text))


def code(text: str) -> str:
    """Commands, paths, output, diffs, names of programs: nothing in it may hide."""
    return _IN_CODE.sub(_visible, _LINE_ENDS.sub("\n", text))


def whole(text: str) -> str:
    """As it is, but for halves of characters: what is copied or shared keeps all the rest."""
    return _HALVES.sub(REPLACEMENT, text)


def line(text: str, limit: int = 300) -> str:
    """Some words on one line, as code; a longer one keeps its beginning."""
    short = text if len(text) <= limit else text[:limit] + "…"
    return code(short).replace("\n", " ").strip()


def words(text: str, limit: int = 4000) -> str:
    """Some words of somebody's, with their line ends; longer ones keep their beginning."""
    return prose(text if len(text) <= limit else text[:limit] + "…")


def _visible(found: re.Match[str]) -> str:
    number = ord(found.group())
    if number < _SPACE:
        return chr(_PICTURES + number)
    if number == _DELETE:
        return "\u2421"
    if "\ud800" <= found.group() <= "\udfff" or number in (0xFFFE, 0xFFFF):
        return REPLACEMENT
    return f"⟨U+{number:04X}⟩"

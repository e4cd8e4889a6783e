"""Markdown for screens whose reader of Markdown is not ours: nothing in it is loaded, nothing of it nests too deep.

Such a reader would load images and may fall over what is in itself a hundred times. What is handed out has no image
any more, whatever stands before it, and its blocks of code are apart, to be shown as they are. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from autopilot.client.presenters import visible
from autopilot.client.presenters.prose import Prose

_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)")
_LANGUAGE = re.compile(r"[A-Za-z0-9+#._-]{1,24}")
_ENTITY = re.compile(r"&#(?:[xX](?P<hex>[0-9a-fA-F]{1,8})|(?P<number>[0-9]{1,8}));?")
_DEEP = re.compile(r"^[ \t]*(?:(?:>|[-+*]|[0-9]{1,9}[.)])[ \t]*){13}|^(?:[^|\n]*\|){65}|[\[(*_]{40}", re.MULTILINE)
"""Quotes, lists and brackets in one another, and tables, that no screen has room for."""
_IMAGE, _LINK = "![", "!\u2060["
"""What would begin an image begins a link instead."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text."""

    text: str
    kind: Literal["markdown", "code", "plain"] = "markdown"
    language: str = ""
    """Of code, where it is told."""


def pieces(of: Prose, *, breaks: bool = False) -> tuple[Piece, ...]:
    """A text in parts, in order. `breaks`: a line end is one, as people type; else as in Markdown."""
    found = [Piece(of.markdown, "plain")] if _DEEP.search(of.markdown) else list(_parts(of.markdown, breaks=breaks))
    return (*found, Piece(of.plain, "plain")) if of.plain else tuple(found)


def _parts(text: str, *, breaks: bool) -> Iterator[Piece]:
    """Markdown and blocks of code in turn; a block without end goes on to the end: the rest is still coming."""
    prose: list[str] = []
    code: list[str] | None = None
    fence = language = ""
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if code is not None:
            if found and found["fence"].startswith(fence) and not found["info"].strip():
                yield Piece(visible.code("\n".join(code)), "code", language)
                code = None
            else:
                code.append(line)
        elif found and "`" not in found["info"]:
            yield from _markdown(prose, breaks=breaks)
            prose.clear()
            code, fence, language = list[str](), found["fence"], _language(found["info"])
        else:
            prose.append(line)
    yield from _markdown(prose, breaks=breaks)
    if code is not None:
        yield Piece(visible.code("\n".join(code)), "code", language)


def _markdown(lines: list[str], *, breaks: bool) -> Iterator[Piece]:
    text = ("  \n" if breaks else "\n").join(lines).strip("\n")
    if text.strip():
        yield Piece(_ENTITY.sub(_character, text.replace(_IMAGE, _LINK)))


def _language(info: str) -> str:
    word = info.split(maxsplit=1)[0] if info.strip() else ""
    return word if _LANGUAGE.fullmatch(word) else ""


def _character(found: re.Match[str]) -> str:
    """An entity of a character that may not be in prose, made visible; any other as it is."""
    number = int(found["hex"], 16) if found["hex"] else int(found["number"])
    try:
        character = chr(number)
    except (ValueError, OverflowError):
        return visible.REPLACEMENT
    shown = visible.prose(character)
    return found.group() if shown == character else shown

"""What a command printed, in a terminal's look: colours become classes, whatever else an escape can do is dropped.

Never an inline style: the page's policy forbids them, and a colour that somebody chose may not be readable.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import htpy as h
from rich.ansi import AnsiDecoder
from rich.color import Color, ColorSystem
from rich.style import Style
from rich.text import Text

from autopilot.client.timeline_items import clip
from autopilot.web.timeline import safe
from autopilot.web.timeline.cuts import Cut, cut
from autopilot.web.timeline.frame import left_out
from autopilot.web.timeline.look import Caps

_ESCAPES = re.compile(
    r"(?P<sgr>\x1b\[[0-9;:]{0,40}m)"
    r"|\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|[\]P_^X][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?|[ -/]{1,4}[0-~]|[0-~])?"
)
"""Colours and the like, which stay; titles, links, pictures, moves and the short ones, which go."""
_OVERSTRUCK = re.compile(r"[^\n\x08]\x08")
_ATTRIBUTES = (("bold", "b"), ("dim", "d"), ("italic", "i"), ("underline", "u"), ("strike", "s"))


def output(text: str, caps: Caps, whole: str | None = None) -> Iterator[h.Node]:
    """The blocks of an output: head, what is folded, tail; `whole`: where all of it is."""
    shown = cut(_drawn(clip(text, 4 * caps.characters)), caps)
    decoder = AnsiDecoder()
    yield block(_lines(decoder, shown.head))
    if shown.folded:
        yield h.details(".more")[h.summary[_more(len(shown.folded))], block(_lines(decoder, shown.folded))]
    if not shown.is_whole:
        yield left_out(_left_out(shown), whole)
    if shown.tail:
        yield block(_lines(decoder, shown.tail))


def _left_out(shown: Cut) -> str:
    """What is not shown."""
    parts = [_more(shown.left_out_lines)] if shown.left_out_lines else []
    parts += [f"{shown.left_out_characters:,} characters more"] if shown.left_out_characters else []
    return " and ".join(parts)


def block(content: h.Node) -> h.Element:
    """A piece of terminal."""
    return h.pre(".term", tabindex="0", dir="ltr")[h.code[content]]


def plain(text: str) -> str:
    """A text without its escapes, everything left visible."""
    return safe.code(_ESCAPES.sub("", text))


def _more(lines: int) -> str:
    return f"{lines:,} line more" if lines == 1 else f"{lines:,} lines more"


def _drawn(text: str) -> str:
    """The text as a terminal would have it in the end: a line that was overwritten shows what was written last."""
    if "\x1b" in text:
        text = _ESCAPES.sub(lambda found: found["sgr"] or "", text)
    if "\x08" in text:
        text = _OVERSTRUCK.sub("", text)
    if "\r" in text:
        text = "\n".join(_last(line) for line in text.replace("\r\n", "\n").split("\n"))
    return text


def _last(line: str) -> str:
    """What stands in a line after its carriage returns."""
    return next((part for part in reversed(line.split("\r")) if part), "") if "\r" in line else line


def _lines(decoder: AnsiDecoder, lines: Iterable[str]) -> list[h.Node]:
    shown: list[h.Node] = []
    plain: list[str] = []
    styled = bool(decoder.style)
    for line in lines:
        if "\x1b" not in line and not styled:
            plain.append(safe.code(line) + "\n")
            continue
        if plain:
            shown.append("".join(plain))
            plain = []
        text = decoder.decode_line(line)
        styled = bool(decoder.style)
        shown += [*_spans(text), "\n"]
    return [*shown, "".join(plain)]


def _spans(text: Text) -> Iterator[h.Node]:
    """The pieces of a decoded line; its spans follow one another and do not overlap."""
    at = 0
    for start, end, style in text.spans:
        if start > at:
            yield safe.code(text.plain[at:start])
        classes = _classes(style) if isinstance(style, Style) else ""
        piece = safe.code(text.plain[start:end])
        yield h.span(class_=classes)[piece] if classes else piece
        at = max(at, end)
    if at < len(text.plain):
        yield safe.code(text.plain[at:])


def _classes(style: Style) -> str:
    front, back = style.color, style.bgcolor
    if style.reverse:
        front, back = back, front
    names = [name for attribute, name in _ATTRIBUTES if getattr(style, attribute)]
    names += [f"f{_number(front)}"] if _number(front) is not None else []
    names += [f"g{_number(back)}"] if _number(back) is not None else []
    if style.reverse and not (style.color or style.bgcolor):
        names.append("r")
    return " ".join(names)


def _number(color: Color | None) -> int | None:
    """Which of a terminal's sixteen colours comes nearest."""
    return None if color is None or color.is_default else color.downgrade(ColorSystem.STANDARD).number

"""What a command printed, as pieces of text with a style: what a terminal would show of it, and nothing else.

Colours are told as one of a terminal's sixteen, so that each screen can choose ones that are readable on it; whatever
else an escape can do (moves, titles, links, pictures) is dropped. Every piece is visible text. Pure, and without the
packages of the servers: it runs on the phone (tests/client/test_terminal_words.py holds it to what rich makes of the
same escapes).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from autopilot.client.presenters import visible
from autopilot.client.presenters.cuts import Caps, cut, lines_more
from autopilot.client.timeline_items import clip

_ESCAPES = re.compile(
    r"(?P<sgr>\x1b\[[0-9;:]{0,120}m)"
    r"|\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|[\]P_^X][^\x07\x1b\n]{0,4096}(?:\x07|\x1b\\)?|[ -/]{1,4}[0-~]|[0-~])?"
)
"""Colours and the like, which stay; titles, links, pictures, moves and the short ones, which go."""
_OVERSTRUCK = re.compile(r"[^\n\x08]\x08")
_SGR = re.compile(r"\x1b\[([0-9;:]*)m")


class Style(NamedTuple):
    """How a piece of text looks."""

    front: int | None = None
    """0 to 15, in the order of ECMA-48 and then the bright ones: black, red, green, yellow, blue, magenta, cyan,
    white. None: the screen's own."""
    back: int | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    reverse: bool = False
    """Front and back are swapped; where neither is set, the screen's own are to be."""


PLAIN = Style()


class Run(NamedTuple):
    """A piece of text in one style; line ends are in it."""

    text: str
    style: Style = PLAIN


@dataclass(frozen=True, slots=True)
class Output:
    """An output as it is shown: head, what is folded away, and tail."""

    head: tuple[Run, ...]
    folded: tuple[Run, ...] = ()
    """Shown when a person asks."""
    folded_words: str = ""
    """How much that is."""
    left_out: str = ""
    """How much is not shown at all, in words, between the folded part and the tail; empty where everything is."""
    tail: tuple[Run, ...] = ()


def output(text: str, caps: Caps) -> Output:
    """What is shown of an output, within its caps."""
    shown = cut(_drawn(clip(text, 4 * caps.characters)), caps)
    style, head = _runs(shown.head, PLAIN)
    style, folded = _runs(shown.folded, style)
    _, tail = _runs(shown.tail, style)
    return Output(head, folded, lines_more(len(shown.folded)) if folded else "", shown.left_out, tail)


def plain(text: str) -> str:
    """A text without its escapes, everything left visible."""
    return visible.code(_ESCAPES.sub("", text))


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


def _runs(lines: Sequence[str], style: Style) -> tuple[Style, tuple[Run, ...]]:
    """The pieces of some lines, which begin in a style, and the style they end in."""
    if not lines:
        return style, ()
    text = "\n".join(lines) + "\n"
    if "\x1b" not in text:
        return style, tuple(_lined(visible.code(text), style))
    pieces = _SGR.split(text)
    runs: list[Run] = []
    for index in range(0, len(pieces), 2):
        if index:
            style = styled(style, pieces[index - 1])
        if pieces[index]:
            runs += _lined(visible.code(pieces[index]), style)
    return style, tuple(_joined(runs))


def _lined(text: str, style: Style) -> Iterator[Run]:
    """A piece of its own for each line of what has a style: the line ends themselves have none."""
    if style == PLAIN or "\n" not in text:
        yield Run(text, style)
        return
    *ended, rest = text.split("\n")
    for line in ended:
        if line:
            yield Run(line, style)
        yield Run("\n")
    if rest:
        yield Run(rest, style)


def _joined(runs: Iterable[Run]) -> Iterator[Run]:
    """Neighbours of the same look as one."""
    before: Run | None = None
    for run in runs:
        if before is None or before.style != run.style:
            if before is not None:
                yield before
            before = run
        else:
            before = Run(before.text + run.text, run.style)
    if before is not None:
        yield before


@lru_cache(maxsize=4096)
def styled(style: Style, codes: str) -> Style:
    """The style after a sequence of SGR parameters (`1;31`); what is not known changes nothing."""
    given = iter(codes.split(";"))
    for code in given:
        if ":" in code:
            style = _with_parts(style, code.split(":"))
        elif code in ("38", "48"):
            style = _with_color(style, code, given)
        else:
            style = _with(style, int(code or "0") if len(code) <= len("107") else -1)
    return style


_FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "reverse", 9: "strike", 21: "underline"}
_ENDS = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("reverse",), 29: ("strike",)}
_COLORS = {
    **{30 + number: ("front", number) for number in range(8)},
    **{40 + number: ("back", number) for number in range(8)},
    **{90 + number: ("front", 8 + number) for number in range(8)},
    **{100 + number: ("back", 8 + number) for number in range(8)},
    39: ("front", None),
    49: ("back", None),
}


def _with(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN
    if code in _COLORS:
        place, number = _COLORS[code]
        return style._replace(front=number) if place == "front" else style._replace(back=number)
    if code in _FLAGS:
        return style._replace(**{_FLAGS[code]: True})
    return style._replace(**dict.fromkeys(_ENDS.get(code, ()), False))


def _with_color(style: Style, code: str, given: Iterator[str]) -> Style:
    """38 or 48 with what follows it: `5;n`, or `2;r;g;b`."""
    kind = next(given, "")
    numbers = [_byte(next(given, None)) for _ in range({"5": 1, "2": 3}.get(kind, 0))]
    return _colored(style, code, numbers)


def _with_parts(style: Style, parts: Sequence[str]) -> Style:
    """The same with colons: `38:5:n`, `38:2::r:g:b`; and the kinds of underlining, `4:3`."""
    code, kind = parts[0], parts[1]
    if code in ("38", "48"):
        wanted = {"5": 1, "2": 3}.get(kind, 0)
        return _colored(style, code, [_byte(one) for one in parts[-wanted:]] if len(parts) >= 2 + wanted > 2 else [])  # noqa: PLR2004 - the code, the kind, and what that kind needs
    return style._replace(underline=kind != "0") if code == "4" else style


def _colored(style: Style, code: str, numbers: Sequence[int | None]) -> Style:
    told = [number for number in numbers if number is not None]
    if not told or len(told) < len(numbers):
        return style
    color = _nearest(_of_256(told[0])) if len(told) == 1 else _nearest((told[0], told[1], told[2]))
    if len(told) == 1 and told[0] < len(_SIXTEEN):
        color = told[0]
    return style._replace(front=color) if code == "38" else style._replace(back=color)


def _byte(text: str | None) -> int | None:
    """A number of a colour; None where there is none, or something else in its place."""
    return min(255, int(text[:4] or "0")) if text is not None and ":" not in text else None


_SIXTEEN = (
    *((0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170)),
    *((85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255)),
    (255, 255, 255),
)
_STEPS = (0, 95, 135, 175, 215, 255)
_CUBE, _GREYS = 16, 232


def _of_256(number: int) -> tuple[int, int, int]:
    """A colour of the palette of 256: sixteen, a cube of six, greys."""
    if number < _CUBE:
        return _SIXTEEN[number]
    if number >= _GREYS:
        grey = 8 + 10 * (number - _GREYS)
        return grey, grey, grey
    red, rest = divmod(number - _CUBE, 36)
    return _STEPS[red], _STEPS[rest // 6], _STEPS[rest % 6]


def _nearest(color: tuple[int, int, int]) -> int:
    """Which of the sixteen looks most like it, weighed as eyes do (`redmean`)."""
    red, green, blue = color

    def distance(number: int) -> int:
        its_red, its_green, its_blue = _SIXTEEN[number]
        mean = (red + its_red) // 2
        return (
            ((512 + mean) * (red - its_red) ** 2 >> 8)
            + 4 * (green - its_green) ** 2
            + ((767 - mean) * (blue - its_blue) ** 2 >> 8)
        )

    return min(range(len(_SIXTEEN)), key=distance)

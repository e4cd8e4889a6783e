"""What a command printed, in a terminal's look: each piece of `presenters.terminal` with the classes of its style.

Never an inline style: the page's policy forbids them, and a colour that somebody chose may not be readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import htpy as h
from markupsafe import Markup, escape

from autopilot.client.presenters.terminal import PLAIN, Output, Run, Style
from autopilot.web.timeline.frame import left_out

_ATTRIBUTES = (("bold", "b"), ("dim", "d"), ("italic", "i"), ("underline", "u"), ("strike", "s"))


def output(shown: Output | None, whole: str | None = None) -> Iterator[h.Node]:
    """The blocks of an output: head, what is folded, tail; `whole`: where all of it is."""
    if shown is None:
        return
    yield block(_html(shown.head))
    if shown.folded:
        yield h.details(".more")[h.summary[shown.folded_words], block(_html(shown.folded))]
    if shown.left_out:
        yield left_out(shown.left_out, whole)
    if shown.tail:
        yield block(_html(shown.tail))


def block(content: h.Node) -> h.Element:
    """A piece of terminal."""
    return h.pre(".term", tabindex="0", dir="ltr")[h.code[content]]


def _html(runs: Iterable[Run]) -> Markup:
    """Written directly: an output has hundreds of pieces, and an element for each took most of a rendering's time."""
    return Markup("".join(_piece(run) for run in runs))  # noqa: S704 - each piece is escaped


def _piece(run: Run) -> str:
    classes = _classes(run.style) if run.style is not PLAIN else ""
    text = str(escape(run.text))
    return f'<span class="{classes}">{text}</span>' if classes else text


@lru_cache(maxsize=1024)
def _classes(style: Style) -> str:
    front, back = (style.back, style.front) if style.reverse else (style.front, style.back)
    names = [name for attribute, name in _ATTRIBUTES if getattr(style, attribute)]
    names += [f"f{front}"] if front is not None else []
    names += [f"g{back}"] if back is not None else []
    if style.reverse and front is None and back is None:
        names.append("r")
    return " ".join(names)

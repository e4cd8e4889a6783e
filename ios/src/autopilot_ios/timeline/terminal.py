"""What a command printed, in a terminal's look: each piece of `presenters.terminal` in its colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import flet as ft

from autopilot.client.presenters.terminal import PLAIN, Output, Run, Style
from autopilot.client.presenters.timeline import View
from autopilot_ios.look import palette
from autopilot_ios.timeline import frame
from autopilot_ios.timeline.frame import Controls, Place

MOST_PIECES = 400
"""Of one block: more colours than that are a picture, and are shown without."""
BLOCK_LINES = 120
"""Of one text: a longer output is several, so that only those in sight are laid out."""
INSET = ft.Padding(12, 8, 12, 8)


def output(shown: Output | None, view: View, place: Place, name: str) -> Controls:
    """The blocks of an output: head, what is folded, tail."""
    if shown is None:
        return []
    folded = (
        frame.fold(
            [frame.small(shown.folded_words, color=palette.CODE_LINK)],
            lambda: blocks(shown.folded),
            place=place,
            name=f"{name}-more",
            spoken=shown.folded_words,
            color=palette.CODE_LINK,
            padding=ft.Padding(12, 0, 12, 0),
        )
        if shown.folded
        else None
    )
    out = [
        ft.Container(one, padding=ft.Padding(12, 0, 12, 0))
        for one in frame.left_out(shown.left_out, view, place, name, color=palette.CODE_MUTED)
    ]
    return [*blocks(shown.head), *([folded] if folded else []), *out, *blocks(shown.tail)]


def blocks(runs: Sequence[Run]) -> Controls:
    """Pieces as blocks that are as long as their longest line."""
    return [block(some) for some in _split(runs)] if runs else []


def block(runs: Sequence[Run]) -> ft.Control:
    """One of them."""
    text = ft.Text(style=palette.mono(frame.TINY, palette.CODE_TEXT), no_wrap=True)
    if len(runs) > MOST_PIECES or all(run.style == PLAIN for run in runs):
        text.value = "".join(run.text for run in runs).removesuffix("\n")
    else:
        text.spans = [ft.TextSpan(run.text, _style(run.style)) for run in _ended(runs)]
    return sideways(ft.Container(text, padding=INSET))


def sideways(inside: ft.Control) -> ft.Row:
    """What is wider than the screen, to be moved from side to side."""
    return ft.Row([inside], scroll=ft.ScrollMode.HIDDEN, vertical_alignment=ft.CrossAxisAlignment.START)


def boxed(parts: Controls) -> ft.Container:
    """A terminal that stands in something else."""
    return ft.Container(
        ft.Column(parts, spacing=0, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
        bgcolor=palette.CODE,
        border_radius=10,
        clip_behavior=ft.ClipBehavior.HARD_EDGE,
    )


def _split(runs: Sequence[Run]) -> Iterable[list[Run]]:
    """So many lines at a time; a piece of several lines is cut where it has to be."""
    some: list[Run] = []
    lines = 0
    for run in runs:
        rest = run.text
        while (room := BLOCK_LINES - lines) <= rest.count("\n"):
            at = -1
            for _ in range(room):
                at = rest.index("\n", at + 1)
            yield [*some, Run(rest[:at], run.style)]
            some, lines, rest = list[Run](), 0, rest[at + 1 :]
        if rest:
            some.append(Run(rest, run.style))
            lines += rest.count("\n")
    if some:
        yield some


def _ended(runs: Sequence[Run]) -> Sequence[Run]:
    """Without the line end at the end, which would be a line."""
    last = runs[-1]
    return [*runs[:-1], last._replace(text=last.text.removesuffix("\n"))]


@lru_cache(maxsize=512)
def _style(style: Style) -> ft.TextStyle:
    """Every piece says its colour: one that has none does not take that of its text."""
    front, back = (style.back, style.front) if style.reverse else (style.front, style.back)
    swapped = style.reverse and front is None and back is None
    return ft.TextStyle(
        color=palette.CODE if swapped else _front(front, back=back, dim=style.dim),
        bgcolor=palette.CODE_TEXT if swapped else None if back is None else palette.TERMINAL_BACKS[back],
        weight=ft.FontWeight.W_700 if style.bold else None,
        italic=style.italic,
        decoration=_decoration(style),
    )


def _front(front: int | None, *, back: int | None, dim: bool) -> ft.ColorValue:
    if back is not None:
        return "#ffffff"
    if front is not None:
        return palette.TERMINAL_FRONTS[front]
    return palette.CODE_MUTED if dim else palette.CODE_TEXT


def _decoration(style: Style) -> ft.TextDecoration | None:
    if style.underline:
        return ft.TextDecoration.UNDERLINE
    return ft.TextDecoration.LINE_THROUGH if style.strike else None

"""Changes of files, to be read: one fold a file, line numbers, counts. What is shown: `presenters.diffs`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import flet as ft

from autopilot.client.presenters.diffs import Line, Shown, ShownFile
from autopilot.client.presenters.timeline import View
from autopilot_ios.look import blocks, palette
from autopilot_ios.timeline import frame
from autopilot_ios.timeline.frame import Controls, Place
from autopilot_ios.timeline.terminal import sideways

BACKS = {"add": palette.ADDED, "del": palette.REMOVED}
FRONTS = {"hunk": palette.PURPLE, "note": palette.MUTED}
BLOCK_LINES = 150
INSET = ft.Padding(6, 1, 10, 1)


def files(shown: Shown, view: View, place: Place) -> Controls:
    """Each file with its lines folded under its name."""
    folds = [_file(one, view, place, number) for number, one in enumerate(shown.files)]
    return [*folds, *frame.left_out(shown.left_out, view, place, "files")]


def counts(of: Shown | ShownFile) -> ft.Control:
    """The counts, for eyes and ears."""
    return ft.Text(
        spans=[
            ft.TextSpan(f"+{of.added} ", ft.TextStyle(color=palette.GREEN)),
            ft.TextSpan(f"−{of.removed}", ft.TextStyle(color=palette.RED)),  # noqa: RUF001 - the sign, not a hyphen
        ],
        size=frame.TINY,
        semantics_label=of.counts,
    )


def _file(one: ShownFile, view: View, place: Place, number: int) -> ft.Control:
    name = ft.Text(
        spans=[
            ft.TextSpan(one.folder, ft.TextStyle(color=palette.MUTED)),
            ft.TextSpan(one.name, ft.TextStyle(weight=ft.FontWeight.W_700, color=palette.TEXT)),
            *([ft.TextSpan(f" → {one.moved_to}", ft.TextStyle(color=palette.TEXT))] if one.moved_to else []),
        ],
        style=palette.mono(frame.TINY, palette.TEXT),
        expand=True,
    )
    action = [frame.small(one.action)] if one.action else []
    return frame.fold(
        [name, *action, counts(one)],
        lambda: _lines(one, view, place, number),
        place=place,
        name=f"file-{number}",
        spoken=f"{one.folder}{one.name}, {one.counts}",
        is_open=one.is_open,
    )


def _lines(one: ShownFile, view: View, place: Place, number: int) -> Controls:
    left_out = frame.left_out(one.left_out, view, place, f"file-{number}")
    note = [frame.small(one.note)] if one.note else []
    return [*_blocks(one.head), *left_out, *_blocks(one.tail), *note]


def _blocks(lines: Sequence[Line]) -> Controls:
    return [_block(lines[at : at + BLOCK_LINES]) for at in range(0, len(lines), BLOCK_LINES)]


def _block(lines: Sequence[Line]) -> ft.Control:
    """Neighbours of the same kind are one text, as wide as the longest line of all."""
    digits = max((len(str(line.number)) for line in lines if line.number), default=1)
    groups = ft.Column(
        list(_groups(lines, digits)),
        spacing=0,
        tight=True,
        intrinsic_width=True,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
    return ft.Container(sideways(groups), border_radius=8, clip_behavior=ft.ClipBehavior.HARD_EDGE)


def _groups(lines: Sequence[Line], digits: int) -> Iterator[ft.Control]:
    plain, muted = palette.mono(frame.TINY, palette.TEXT), palette.mono(frame.TINY, palette.MUTED)
    styles = {kind: palette.mono(frame.TINY, color) for kind, color in FRONTS.items()}
    for kind, found in groupby(lines, key=lambda line: line.kind):
        some = list(found)
        numbers = "\n".join(str(line.number or "").rjust(digits) for line in some)
        texts = "\n".join(line.text for line in some)
        yield ft.Container(
            ft.Row(
                [
                    ft.Text(numbers, style=muted),
                    ft.Text(texts, style=styles.get(kind, plain), no_wrap=True),
                ],
                spacing=8,
                tight=True,
                vertical_alignment=ft.CrossAxisAlignment.START,
            ),
            padding=INSET,
            bgcolor=BACKS.get(kind),
        )


def card_of(title: str, shown: Shown, state: ft.Control | None) -> ft.Control:
    """The head of changes: how many files, how many lines."""
    return frame.head(blocks.words(title, strong=True), counts(shown), state)

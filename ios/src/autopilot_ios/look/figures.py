"""Numbers as pictures: figures in tiles, meters, a plot of columns; each also said in words for whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flet as ft

from autopilot.client.presenters import visible
from autopilot.client.presenters.spend_figures import Figure, Meter, Plot
from autopilot_ios.look import blocks, palette

PLOT_HEIGHT = 120.0
MANY = 40
"""From so many columns on there is no room between them."""
TOKENS = (palette.TINT, palette.PURPLE, palette.tinted(palette.MUTED, 0.45))
"""Of what a day's tokens are: the input that was cached counts least."""
MODELS = (palette.TINT, palette.ORANGE, palette.PURPLE, palette.GREEN, palette.RED, palette.MUTED)
"""Of models, the greatest first, all others last."""


def tiles(figures: Sequence[Figure]) -> ft.Control:
    """Two beside each other; where their number is odd, the first for itself."""
    made = [_tile(one) for one in figures]
    odd = len(made) % 2
    pairs = [made[:odd], *(made[at : at + 2] for at in range(odd, len(made), 2))]
    rows = [ft.Row(pair, spacing=10, intrinsic_height=True) for pair in pairs if pair]
    return blocks.column(rows, gap=10)


def _tile(one: Figure) -> ft.Control:
    inside = ft.Column(
        [blocks.footnote(one.name), blocks.words(one.value, size=22, strong=True), blocks.footnote(one.note)],
        spacing=2,
        tight=True,
    )
    card = blocks.card(inside, padding=12)
    said = ft.Semantics(content=card, label=f"{one.name}: {one.value}, {one.note}", exclude_semantics=True)
    return ft.Container(said, expand=True)


def meter(one: Meter, *, key: str, on_click: blocks.Click | None = None) -> ft.Control:
    """How much of something: a name, words, a bar, a line below."""
    head = ft.Row(
        [
            ft.Container(blocks.words(one.name, size=16, lines=2), expand=True),
            blocks.words(one.words, size=14, color=palette.MUTED),
        ],
        spacing=10,
    )
    long = len(one.name) + len(one.words) > 34  # noqa: PLR2004 - what fits beside each other on a phone
    heads: list[ft.Control] = [blocks.words(one.name, size=16), blocks.footnote(one.words)] if long else [head]
    bar = ft.ProgressBar(
        value=one.share,
        color=palette.TONES[one.tone],
        bgcolor=palette.tinted(palette.MUTED, 0.2),
        bar_height=6,
        border_radius=3,
        semantics_label=visible.prose(f"{one.name}: {one.spoken}"),
    )
    return blocks.tappable(blocks.column([*heads, bar, blocks.footnote(one.detail)], gap=6), key=key, on_click=on_click)


def plot(shown: Plot, colors: Sequence[ft.ColorValue]) -> ft.Control:
    """Columns, stacked from the bottom, with what they are of; `colors`: of its parts, from the bottom."""
    spacing = 0.5 if len(shown.bars) > MANY else 2.0
    columns = ft.Row(
        [_column(shares, colors) for shares in shown.bars],
        spacing=spacing,
        height=PLOT_HEIGHT,
        vertical_alignment=ft.CrossAxisAlignment.END,
    )
    legend = ft.Row(
        [
            ft.Row(
                [ft.Container(width=10, height=10, border_radius=3, bgcolor=color), blocks.footnote(name)],
                spacing=5,
                tight=True,
            )
            for name, color in zip(shown.parts, colors, strict=False)
        ],
        spacing=12,
        wrap=True,
        run_spacing=4,
    )
    head = ft.Row(
        [ft.Container(blocks.words(shown.title, strong=True), expand=True), blocks.footnote(f"up to {shown.top}")]
    )
    days = ft.Row([blocks.footnote(label) for label in shown.labels], alignment=ft.MainAxisAlignment.SPACE_BETWEEN)
    line = ft.Container(height=0.5, bgcolor=palette.LINE)
    drawn = blocks.column([head, blocks.column([columns, line], gap=0), days, legend], gap=6)
    return ft.Semantics(content=drawn, label=f"{shown.title}; {shown.spoken}", image=True, exclude_semantics=True)


def _column(shares: Sequence[float], colors: Sequence[ft.ColorValue]) -> ft.Control:
    pieces = [_piece(share, color) for share, color in zip(shares, colors, strict=False) if share]
    return ft.Column(
        pieces[::-1],
        spacing=0,
        expand=True,
        alignment=ft.MainAxisAlignment.END,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )


def _piece(share: float, color: ft.ColorValue) -> ft.Control:
    return ft.Container(height=PLOT_HEIGHT * share, bgcolor=color)


def segments(
    options: Sequence[tuple[str, str]],
    chosen: str,
    on_choose: Callable[[str], object],
    *,
    key: str,
    in_card: bool = False,
) -> ft.Control:
    """One of a few, beside each other; in more than one line where they do not fit. `in_card`: they lie in one."""
    unchosen = palette.tinted(palette.MUTED, 0.12) if in_card else palette.CARD

    def one(value: str, name: str) -> ft.Control:
        is_chosen = value == chosen
        pill = ft.Container(
            ft.Text(
                name,
                size=13,
                weight=ft.FontWeight.W_600 if is_chosen else None,
                color=palette.ON_TINT if is_chosen else palette.TEXT,
            ),
            key=f"{key}-{value}",
            padding=ft.Padding(10, 13, 10, 13),
            border_radius=20,
            bgcolor=palette.TINT if is_chosen else unchosen,
            on_click=lambda: on_choose(value),
        )
        return ft.Semantics(content=pill, button=True, selected=is_chosen, label=name, exclude_semantics=True)

    return ft.Row([one(value, name) for value, name in options], spacing=6, wrap=True, run_spacing=6)


def fact(name: str, value: str, *, key: str | None = None, mono: bool = False) -> ft.Control:
    """A name, and what is so; below each other where it is long."""
    text = ft.Text(
        visible.prose(value),
        size=None if mono else 15,
        style=palette.mono(12, palette.MUTED) if mono else None,
        color=palette.MUTED,
        selectable=False,
    )
    long = len(name) + len(value) > 36  # noqa: PLR2004 - what fits beside each other on a phone
    inside: ft.Control = (
        blocks.column([blocks.words(name), text], gap=2)
        if long
        else ft.Row([ft.Container(blocks.words(name), expand=True), text], spacing=12)
    )
    return ft.Container(inside, key=key, padding=ft.Padding(16, 11, 14, 11))

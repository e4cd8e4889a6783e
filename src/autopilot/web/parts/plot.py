"""Plots, drawn on the server: SVG without inline style, words in HTML beside it, so that they never shrink with it.

Each plot has a title that says what is seen, and a table of the same numbers. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h

from autopilot.client.presenters import spend
from autopilot.client.presenters.spend import Column
from autopilot.client.presenters.spend_models import ModelPlot
from autopilot.web.parts.blocks import table

HEIGHT = 100
STEP = 10
BAR = 7.6
LINES = (0, 25, 50, 75)
PARTS = (("output", "Output"), ("fresh", "Input"), ("cached", "Cached input"))
"""What a column is stacked of, from the bottom, by the name of its colour in CSS."""


def columns(title: str, shown: Sequence[Column], currency: str | None) -> h.Element:
    """Tokens over time, stacked; and the table."""
    top = spend.ceiling(max(1, *(one.tokens.total_tokens for one in shown)))
    words = f"{title}; {spend.over_time_words(shown)}"
    bars = [_column(one, index * STEP, top) for index, one in enumerate(shown)]
    labels = [one.label for one in shown]
    return _figure(title, PARTS, top, labels, _drawing(words, bars), _table(title, shown, currency))


def models(plot: ModelPlot) -> h.Element:
    """What each model used over time, stacked; and the table."""
    kinds = [(f"of-{place}", name) for place, name in enumerate(plot.models)]
    bars = [
        _stack(
            f"{one.label}: {one.total:,} tokens",
            [(kind, count) for (kind, _), count in zip(kinds, one.tokens, strict=True)],
            index * STEP,
            plot.top,
        )
        for index, one in enumerate(plot.columns)
    ]
    rows = [[one.label, *(f"{count:,}" for count in one.tokens)] for one in reversed(plot.columns) if one.total]
    told = table(plot.title, ["Days", *plot.models], rows, numbers=len(plot.models))
    drawing = _drawing(f"{plot.title}; {plot.words}", bars)
    return _figure(plot.title, kinds, plot.top, [one.label for one in plot.columns], drawing, told)


def _figure(
    title: str,
    kinds: Sequence[tuple[str, str]],
    top: int,
    labels: Sequence[str],
    *parts: h.Element,
) -> h.Element:
    """The frame of a plot; `parts`: its drawing, and the table of the same numbers."""
    drawing, told = parts
    return h.figure(".plot")[
        h.figcaption[
            h.span[title],
            h.ul(".legend")[(h.li[h.i(class_=f"swatch {kind}"), h.span(dir="auto")[name]] for kind, name in kinds)],
        ],
        h.div(".canvas")[
            h.div(".axis", aria_hidden="true")[h.span[spend.short(top)], h.span[spend.short(top // 2)], h.span["0"]],
            drawing,
        ],
        h.div(".days", aria_hidden="true")[(h.span[label] for label in _labelled(labels))],
        h.details[h.summary["As a table"], told],
    ]


def _drawing(words: str, bars: Sequence[h.Element]) -> h.Element:
    width = STEP * len(bars)
    attributes = {"viewBox": f"0 0 {width} {HEIGHT}", "preserveAspectRatio": "none", "role": "img"}
    return h.svg(".columns", attributes, aria_label=words)[
        (h.line(".grid", x1="0", x2=str(width), y1=str(y), y2=str(y)) for y in LINES), bars
    ]


def _column(one: Column, x: int, top: int) -> h.Element:
    cached = min(one.tokens.cached_input_tokens, one.tokens.input_tokens)
    parts = [("output", one.tokens.output_tokens), ("fresh", one.fresh_input), ("cached", cached)]
    return _stack(f"{one.label}: {one.tokens.total_tokens:,} tokens", parts, x, top)


def _stack(title: str, parts: Sequence[tuple[str, int]], x: int, top: int) -> h.Element:
    """One column, from the bottom up."""
    bars: list[h.Element] = []
    y = float(HEIGHT)
    for kind, count in parts:
        height = HEIGHT * count / top
        y -= height
        if height:
            place = {"x": f"{x + (STEP - BAR) / 2:g}", "y": f"{y:.2f}"}
            bars.append(h.rect(class_=kind, **place, width=f"{BAR:g}", height=f"{height:.2f}"))
    hit = h.rect(".hit", x=str(x), y="0", width=str(STEP), height=str(HEIGHT))
    return h.g[h.title[title], hit, bars]


def _labelled(shown: Sequence[str]) -> list[str]:
    """The first, the middle and the last."""
    return [shown[0], *([shown[len(shown) // 2]] if len(shown) > 2 else []), *([shown[-1]] if len(shown) > 1 else [])]  # noqa: PLR2004 - three of them


def _table(title: str, shown: Sequence[Column], currency: str | None) -> h.Element:
    used = [one for one in reversed(shown) if one.tokens.total_tokens]
    names = ["Days", "Input", "Cached", "Output", "Total", *(["Cost"] if currency else [])]
    rows = [
        [
            one.label,
            f"{one.tokens.input_tokens:,}",
            f"{one.tokens.cached_input_tokens:,}",
            f"{one.tokens.output_tokens:,}",
            f"{one.tokens.total_tokens:,}",
            *([("-" if one.micros is None else spend.micros_words(one.micros, currency))] if currency else []),
        ]
        for one in used
    ]
    return table(title, names, rows, numbers=len(names) - 1)

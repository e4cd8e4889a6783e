"""Plots, drawn on the server: SVG without inline style, words in HTML beside it, so that they never shrink with it.

Each plot has a title that says what is seen, and a table of the same numbers. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import htpy as h

from autopilot.client.presenters import spend
from autopilot.client.presenters.spend import Column
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
    return h.figure(".plot")[
        h.figcaption[
            h.span[title], h.ul(".legend")[(h.li[h.i(class_=f"swatch {kind}"), name] for kind, name in PARTS)]
        ],
        h.div(".canvas")[
            h.div(".axis", aria_hidden="true")[h.span[spend.short(top)], h.span[spend.short(top // 2)], h.span["0"]],
            _drawing(title, shown, top),
        ],
        h.div(".days", aria_hidden="true")[(h.span[one.label] for one in _labelled(shown))],
        h.details[h.summary["As a table"], _table(title, shown, currency)],
    ]


def _drawing(title: str, shown: Sequence[Column], top: int) -> h.Element:
    width = STEP * len(shown)
    attributes = {"viewBox": f"0 0 {width} {HEIGHT}", "preserveAspectRatio": "none", "role": "img"}
    return h.svg(".columns", attributes, aria_label=f"{title}; {summary(shown)}")[
        (h.line(".grid", x1="0", x2=str(width), y1=str(y), y2=str(y)) for y in LINES),
        (_column(one, index * STEP, top) for index, one in enumerate(shown)),
    ]


def _column(one: Column, x: int, top: int) -> h.Element:
    cached = min(one.tokens.cached_input_tokens, one.tokens.input_tokens)
    heights = {"output": one.tokens.output_tokens, "fresh": one.fresh_input, "cached": cached}
    bars: list[h.Element] = []
    y = float(HEIGHT)
    for kind, _ in PARTS:
        height = HEIGHT * heights[kind] / top
        y -= height
        if height:
            bars.append(
                h.rect(
                    class_=kind, x=f"{x + (STEP - BAR) / 2:g}", y=f"{y:.2f}", width=f"{BAR:g}", height=f"{height:.2f}"
                )
            )
    hit = h.rect(".hit", x=str(x), y="0", width=str(STEP), height=str(HEIGHT))
    return h.g[h.title[f"{one.label}: {one.tokens.total_tokens:,} tokens"], hit, bars]


def summary(shown: Sequence[Column]) -> str:
    """What one would see, in words: the first and last days, and the day of the most."""
    most = max(shown, key=lambda one: one.tokens.total_tokens)
    span = f"{spend.day_words(shown[0].first_day)} to {spend.day_words(shown[-1].last_day)}"
    if not most.tokens.total_tokens:
        return f"{span}, nothing used"
    return f"{span}, most on {most.label}: {most.tokens.total_tokens:,} tokens"


def _labelled(shown: Sequence[Column]) -> list[Column]:
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

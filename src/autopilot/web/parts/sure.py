"""A second tap before something that can't be taken back: a fold that says what it does, with the button in it."""

from __future__ import annotations

import htpy as h

from autopilot.web.parts.blocks import posting


def sure(label: str, words: h.Node, path: str, csrf: str, *, button: str, extra: h.Node = None) -> h.Element:
    """`extra`: what is to be filled in besides."""
    return h.details(".sure")[
        h.summary(role="button")[label],
        posting(path, csrf, h.p[words], extra, h.div(".buttons")[h.button(".danger.primary", type="submit")[button]]),
    ]

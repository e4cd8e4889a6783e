"""How the beginnings and ends of turns look, what went wrong, reviews, and an item of no known kind."""

from __future__ import annotations

import flet as ft

from autopilot.client.presenters.timeline.turns import AutoReviewView, FailureView, ReviewView, RuleView
from autopilot.client.presenters.timeline.view import View
from autopilot_ios.look import blocks, palette
from autopilot_ios.timeline import frame
from autopilot_ios.timeline.frame import Place
from autopilot_ios.timeline.markdown import markdown


def rule(view: RuleView, place: Place) -> ft.Control:
    """A line across the timeline."""
    said = [
        frame.chip(view.state) if view.state else None,
        blocks.words(view.text, size=frame.TINY, color=palette.MUTED) if view.text else None,
        frame.moment(view.at, place) if view.tells_when else None,
    ]
    across = ft.Row(
        [_line(), *(one for one in said if one is not None), _line()],
        spacing=10,
        vertical_alignment=ft.CrossAxisAlignment.CENTER,
    )
    words = frame.words(view.words, size=14, color=palette.RED) if view.words else None
    return ft.Container(frame.stack([across, words, *frame.wholes(view, place)]), padding=ft.Padding(0, 8, 0, 4))


def failure(view: FailureView, place: Place) -> ft.Control:
    """An error of Codex."""
    return frame.card(
        [
            frame.head(
                blocks.words(view.title, strong=True),
                frame.chip(view.state) if view.state else None,
                frame.moment(view.at, place),
            ),
            frame.words(view.words, size=14, color=palette.MUTED) if view.words else None,
            *frame.wholes(view, place),
        ],
        edge=palette.ORANGE if view.emphasis == "retry" else palette.RED,
    )


def review(view: ReviewView, place: Place) -> ft.Control:
    """A review begins, or ends with what it says."""
    return frame.card(
        [
            frame.head(blocks.words(view.title, strong=True), frame.moment(view.at, place)),
            frame.words(view.words) if view.words else None,
            *markdown(view.text, view, place),
            *frame.wholes(view, place),
        ]
    )


def auto_review(view: AutoReviewView, place: Place) -> ft.Control:
    """A model judged instead of a person."""
    return frame.card(
        [
            frame.head(frame.small(view.title), frame.chip(view.verdict)),
            frame.mono(view.action) if view.action else None,
            frame.words(view.words, size=14) if view.words else None,
            *frame.wholes(view, place),
        ]
    )


def unknown(view: View, place: Place) -> ft.Control:
    """An item of a kind that this version does not know."""
    return ft.Container(
        frame.stack([frame.small(view.frame.label), *frame.wholes(view, place)]), padding=ft.Padding(4, 2, 4, 2)
    )


def _line() -> ft.Control:
    return ft.Container(height=0.5, bgcolor=palette.LINE, expand=True)

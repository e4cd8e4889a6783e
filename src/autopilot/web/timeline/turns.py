"""How the ends of turns, errors, reviews and other lines worth a glance look."""

from __future__ import annotations

import htpy as h

from autopilot.client.presenters.timeline.turns import AutoReviewView, FailureView, ReviewView, RuleView
from autopilot.web.timeline import markdown
from autopilot.web.timeline.frame import chip, moment, mono, wholes, words
from autopilot.web.timeline.look import Look


def rule(view: RuleView, _look: Look) -> h.Node:
    """A line across the timeline."""
    return [
        h.p(".rule-line")[
            h.span[chip(view.state) if view.state else None, view.text], moment(view.at) if view.tells_when else None
        ],
        words(view.words),
    ]


def failure(view: FailureView, look: Look) -> h.Node:
    """An error of Codex."""
    return [
        h.header[h.b[view.title], chip(view.state) if view.state else None, moment(view.at)],
        words(view.words),
        wholes(view, look),
    ]


def review(view: ReviewView, look: Look) -> h.Node:
    """A review begins or ends."""
    said = markdown.rendered(view.text, whole=look.whole(view.last_seq)) if view.text else words(view.words)
    return [h.header[h.b[view.title], moment(view.at)], said, wholes(view, look)]


def auto_review(view: AutoReviewView, look: Look) -> h.Node:
    """A model judged instead of a person."""
    return [
        h.header[h.span(".what")[view.title], chip(view.verdict)],
        h.p(".line")[mono(view.action)] if view.action else None,
        words(view.words),
        wholes(view, look),
    ]

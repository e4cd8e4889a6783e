"""Where turns begin and end, what they used, what went wrong, and other lines worth a glance."""

from __future__ import annotations

import htpy as h

from autopilot.client.presenters import times, visible
from autopilot.client.presenters.codex_errors import failure_words
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.client.presenters.outcomes import context_used, item_status, tokens
from autopilot.client.timeline_items import (
    AutoReview,
    Compaction,
    Failure,
    Notice,
    Review,
    TurnEnded,
    TurnStarted,
    Usage,
)
from autopilot.web.timeline import markdown
from autopilot.web.timeline.frame import article, chip, moment, mono, wholes, words
from autopilot.web.timeline.look import Look

_JUDGED = {"inProgress": "busy", "approved": "good", "denied": "bad", "aborted": "warn"}


def turn_started(item: TurnStarted, _look: Look) -> h.Element:
    """A turn begins."""
    return article(item, "Turn begins", h.p(".rule-line")[h.span["Turn"], moment(item.at)])


def turn_ended(item: TurnEnded, _look: Look) -> h.Element:
    """A turn ends, and how."""
    label = item_status(item.status)
    took = times.took(item.duration_ms)
    said = " ".join(part for part in (label.text, f"in {took}" if took else "") if part)
    return article(
        item,
        f"Turn ended: {said}",
        h.p(".rule-line")[
            h.span[chip(label) if label.tone != "good" else None, said if label.tone == "good" else took]
        ],
        words(item.error) if item.error else None,
    )


def usage(item: Usage, _look: Look) -> h.Element:
    """What a turn used."""
    turn = item.turn
    parts = [f"{tokens(turn.total)} tokens", f"{tokens(turn.output)} written"]
    parts += [context_used(item)] if item.context_window else []
    said = " · ".join(parts)
    return article(item, f"Used {said}", h.p(".line")[said])


def failure(item: Failure, look: Look) -> h.Element:
    """An error of Codex."""
    title = failure_words(item)
    return article(
        item,
        f"Error: {title}",
        h.header[
            h.b[visible.line(title)], chip(Label("Tries again", "busy")) if item.will_retry else None, moment(item.at)
        ],
        words(item.message) if item.message and item.message != title else None,
        wholes(item, look),
        also="retry" if item.will_retry else "loud",
    )


def notice(item: Notice, look: Look) -> h.Element:
    """A line worth a glance."""
    title = {"model/rerouted": "Another model answers", "thread/goal/updated": "Goal"}.get(item.type, "")
    return article(
        item,
        f"Note: {item.text or item.type}",
        h.p(".line", dir="auto")[h.span(".what")[title], " ", visible.prose(item.text[:4000]) or mono(item.type)],
        wholes(item, look),
    )


def compaction(item: Compaction, _look: Look) -> h.Element:
    """The context was compacted."""
    said = "Compacting the context" if item.status == "open" else "Context compacted"
    return article(item, said, h.p(".rule-line")[h.span[said], moment(item.at)])


def review(item: Review, look: Look) -> h.Element:
    """A review begins or ends."""
    title = "Review begins" if item.entered else "Review"
    body = words(item.text) if item.entered else markdown.rendered(item.text, look.caps.markdown_characters)
    return article(item, title, h.header[h.b[title], moment(item.at)], body if item.text else None, wholes(item, look))


def auto_review(item: AutoReview, look: Look) -> h.Element:
    """A model judged instead of a person."""
    tone = _JUDGED.get(item.verdict, "quiet")
    verdict = sentence(spelled(item.verdict)) or "Judged"
    risk = f", {spelled(item.risk)} risk" if item.risk else ""
    return article(
        item,
        f"Judged by a model: {verdict}",
        h.header[
            h.span(".what")["Judged by a model"], h.span(class_=f"chip tone-{tone}")[visible.line(verdict + risk)]
        ],
        h.p(".line")[mono(item.action, 600)] if item.action else None,
        words(item.rationale) if item.rationale else None,
        wholes(item, look),
    )

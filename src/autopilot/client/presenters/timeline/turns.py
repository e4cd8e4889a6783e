"""Where turns begin and end, what they used, what went wrong, and other lines worth a glance."""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.client.presenters import times, visible
from autopilot.client.presenters.codex_errors import failure_words
from autopilot.client.presenters.labels import Label, Tone, sentence, spelled
from autopilot.client.presenters.outcomes import context_used, item_status, tokens
from autopilot.client.presenters.prose import Prose, prose
from autopilot.client.presenters.timeline.doings import LineView
from autopilot.client.presenters.timeline.view import Context, View, framed
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

TRIES_AGAIN = Label("Tries again", "busy")
_NOTICES = {"model/rerouted": "Another model answers", "thread/goal/updated": "Goal"}
_JUDGED: dict[str, Tone] = {"inProgress": "busy", "approved": "good", "denied": "bad", "aborted": "warn"}
_LONGEST_ACTION = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView(View):
    """A line across the timeline."""

    text: str
    state: Label | None = None
    tells_when: bool = True
    """Whether its time belongs beside it."""
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureView(View):
    """An error of Codex."""

    title: str
    state: Label | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewView(View):
    """A review begins, or ends with what it says."""

    title: str
    words: str
    """What is reviewed."""
    text: Prose
    """What the review says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoReviewView(View):
    """A model judged instead of a person."""

    title: str
    verdict: Label
    action: str
    words: str


def turn_started(item: TurnStarted, context: Context) -> RuleView:
    """A turn begins."""
    return RuleView(frame=framed(item, "Turn begins", context), text="Turn")


def turn_ended(item: TurnEnded, context: Context) -> RuleView:
    """A turn ends, and how."""
    state = item_status(item.status)
    took = times.took(item.duration_ms)
    said = " ".join(part for part in (state.text, f"in {took}" if took else "") if part)
    is_good = state.tone == "good"
    return RuleView(
        frame=framed(item, f"Turn ended: {said}", context),
        text=said if is_good else took,
        state=None if is_good else state,
        tells_when=False,
        words=visible.words(item.error or ""),
    )


def usage(item: Usage, context: Context) -> LineView:
    """What a turn used."""
    parts = [f"{tokens(item.turn.total)} tokens", f"{tokens(item.turn.output)} written"]
    parts += [context_used(item)] if item.context_window else []
    said = " · ".join(parts)
    return LineView(frame=framed(item, f"Used {said}", context), text=said)


def failure(item: Failure, context: Context) -> FailureView:
    """An error of Codex."""
    title = failure_words(item)
    return FailureView(
        frame=framed(item, f"Error: {title}", context),
        emphasis="retry" if item.will_retry else "loud",
        title=visible.line(title),
        state=TRIES_AGAIN if item.will_retry else None,
        words=visible.words(item.message) if item.message != title else "",
    )


def notice(item: Notice, context: Context) -> LineView:
    """A line worth a glance."""
    return LineView(
        frame=framed(item, f"Note: {item.text or item.type}", context),
        what=_NOTICES.get(item.type, ""),
        subject="" if item.text else visible.line(item.type),
        text=visible.words(item.text),
    )


def compaction(item: Compaction, context: Context) -> RuleView:
    """The context was compacted."""
    said = "Compacting the context" if item.status == "open" else "Context compacted"
    return RuleView(frame=framed(item, said, context), text=said)


def review(item: Review, context: Context) -> ReviewView:
    """A review begins or ends."""
    title = "Review begins" if item.entered else "Review"
    return ReviewView(
        frame=framed(item, title, context),
        title=title,
        words=visible.words(item.text) if item.entered else "",
        text=Prose("") if item.entered else prose(item.text, context.caps.markdown_characters),
    )


def auto_review(item: AutoReview, context: Context) -> AutoReviewView:
    """A model judged instead of a person."""
    verdict = sentence(spelled(item.verdict)) or "Judged"
    risk = f", {spelled(item.risk)} risk" if item.risk else ""
    return AutoReviewView(
        frame=framed(item, f"Judged by a model: {verdict}", context),
        title="Judged by a model",
        verdict=Label(verdict + risk, _JUDGED.get(item.verdict, "quiet")),
        action=visible.line(item.action, _LONGEST_ACTION),
        words=visible.words(item.rationale or ""),
    )

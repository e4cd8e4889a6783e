"""How what people and the model say looks: messages, thoughts, plans."""

from __future__ import annotations

import htpy as h

from autopilot.client.presenters.prose import Prose
from autopilot.client.presenters.timeline.messages import (
    AgentMessageView,
    Part,
    PlanView,
    ReasoningView,
    Step,
    UserMessageView,
)
from autopilot.client.presenters.timeline.view import View
from autopilot.web.timeline import markdown
from autopilot.web.timeline.frame import left_out, moment, wholes
from autopilot.web.timeline.look import Look


def user_message(view: UserMessageView, look: Look) -> h.Node:
    """A person's words, and whose."""
    return [
        h.div(".bubble")[
            _markdown(view.text, view, look, breaks=True),
            [_part(part) for part in view.parts],
            left_out(view.more, None),
        ],
        wholes(view, look),
        h.footer[h.bdi[view.by], moment(view.at)],
    ]


def agent_message(view: AgentMessageView, look: Look) -> h.Node:
    """The model's words."""
    return [markdown.rendered(view.text, whole=look.whole(view.last_seq)), wholes(view, look)]


def reasoning(view: ReasoningView, look: Look) -> h.Node:
    """What the model thought, folded."""
    if view.emphasis == "empty":
        return h.p(".line")[view.verb]
    return h.details[
        h.summary[h.span(".verb")[view.verb], h.bdi(".gist")[view.gist]],
        _markdown(view.text, view, look),
        wholes(view, look),
    ]


def plan(view: PlanView, look: Look) -> h.Node:
    """A plan with its steps, or as text."""
    return [
        h.header[h.b[view.title], h.span(".tally")[view.tally] if view.tally else None],
        _markdown(view.text, view, look),
        h.ol(".steps")[(_step(step) for step in view.steps)] if view.steps else None,
        left_out(view.more, None),
        wholes(view, look),
    ]


def picture(source: str, alt: str) -> h.Node:
    """A small image whose content is here; nothing for none."""
    return h.img(src=source, alt=alt, loading="lazy", decoding="async") if source else None


def _markdown(text: Prose, view: View, look: Look, *, breaks: bool = False) -> h.Node:
    return markdown.rendered(text, breaks=breaks, whole=look.whole(view.last_seq)) if text else None


def _step(step: Step) -> h.Element:
    return h.li(class_=step.state)[h.span(".sr")[step.word + ": "], h.span(dir="auto")[step.text]]


def _part(part: Part) -> h.Element:
    if part.picture:
        return h.figure(".attached")[picture(part.picture, part.name or part.what)]
    return h.p(".attachment")[
        h.span(".what")[part.what],
        " ",
        markdown.link(part.name, part.name),
        f", {part.size}" if part.size else None,
    ]

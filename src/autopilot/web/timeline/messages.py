"""What people and the model say: messages, thoughts, plans."""

from __future__ import annotations

import re

import htpy as h

from autopilot.client.presenters import times, visible
from autopilot.client.presenters.people import who
from autopilot.client.timeline_items import AgentMessage, Attachment, Item, Plan, PlanStep, Reasoning, UserMessage
from autopilot.web.timeline import markdown
from autopilot.web.timeline.frame import article, moment, wholes
from autopilot.web.timeline.look import Look

_IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_LARGEST_PICTURE = 150_000
_STEP_WORDS = {"completed": "done", "inProgress": "in progress", "pending": "to do"}
_STEP_CLASSES = {"completed": "done", "inProgress": "doing", "pending": "todo"}
_FIRST_WORDS = 90


def user_message(item: UserMessage, look: Look) -> h.Element:
    """A person's words, and whose."""
    by = who(item.actor, look.names)
    said = by.words if by else "At the computer"
    more = item.attachments - len(item.parts)
    return article(
        item,
        f"Message, {said}",
        h.div(".bubble")[
            _markdown(item.text, item, look, breaks=True) if item.text else None,
            [_attachment(part) for part in item.parts],
            h.p(".left-out")[f"{more} attachments more"] if more > 0 else None,
        ],
        wholes(item, look),
        h.footer[h.bdi[visible.line(said)], moment(item.at)],
    )


def agent_message(item: AgentMessage, look: Look) -> h.Element:
    """The model's words."""
    return article(
        item,
        "Message, Codex",
        _markdown(item.text, item, look),
        wholes(item, look),
        also="commentary" if item.phase == "commentary" else "",
    )


def reasoning(item: Reasoning, look: Look) -> h.Element:
    """What the model thought, folded."""
    text = item.summary or item.text
    title = next((line.strip(" *#") for line in text.split("\n") if line.strip(" *#")), "")
    title = title if len(title) <= _FIRST_WORDS else title[:_FIRST_WORDS] + "…"
    verb = "Thinking" if item.status == "open" else "Thought"
    if not text:
        return article(item, verb, h.p(".line")[verb], also="empty")
    return article(
        item,
        f"{verb}: {title}",
        h.details[
            h.summary[h.span(".verb")[verb], h.bdi(".gist")[visible.line(title)]],
            _markdown(text, item, look),
            wholes(item, look),
        ],
    )


def plan(item: Plan, look: Look) -> h.Element:
    """A plan with its steps, or as text."""
    steps = item.steps[: look.caps.entries]
    done = sum(step.status == "completed" for step in item.steps)
    more = len(item.steps) - len(steps)
    return article(
        item,
        f"Plan, {done} of {len(item.steps)} done" if item.steps else "Plan",
        h.header[h.b["Plan"], h.span(".tally")[f"{done} of {len(item.steps)}"] if item.steps else None],
        _markdown(item.text, item, look) if item.text else None,
        h.ol(".steps")[(_step(step) for step in steps)] if steps else None,
        h.p(".left-out")[f"{more} steps more"] if more else None,
        wholes(item, look),
    )


def picture(source: str, alt: str) -> h.Node:
    """A small image whose content is here: a checked `data:` URL, or PNG in base64; None for anything else."""
    if len(source) > _LARGEST_PICTURE:
        return None
    if source and not source.startswith("data:") and _BASE64.fullmatch(source):
        source = f"data:image/png;base64,{source}"
    if not _IMAGE.fullmatch(source):
        return None
    return h.img(src=source, alt=visible.line(alt), loading="lazy", decoding="async")


def _markdown(text: str, item: Item, look: Look, *, breaks: bool = False) -> h.Node:
    return markdown.rendered(text, look.caps.markdown_characters, breaks=breaks, whole=look.whole(item.last_seq))


def _step(step: PlanStep) -> h.Element:
    word = _STEP_WORDS.get(step.status, step.status)
    return h.li(class_=_STEP_CLASSES.get(step.status, "todo"))[
        h.span(".sr")[visible.line(word) + ": "],
        h.span(dir="auto")[visible.prose(step.step[:2000])],
    ]


def _attachment(part: Attachment) -> h.Element:
    shown = picture(part.data, part.name or part.type)
    if shown is not None:
        return h.figure(".attached")[shown]
    size = f", {times.size(part.characters * 3 // 4)}" if part.characters else ""
    return h.p(".attachment")[
        h.span(".what")[visible.line(part.type)], " ", markdown.link(part.name, part.name), size or None
    ]

"""What people and the model say: messages, thoughts, plans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autopilot.client.presenters import times, visible
from autopilot.client.presenters.pictures import picture
from autopilot.client.presenters.prose import Prose, prose
from autopilot.client.presenters.timeline.view import Context, View, framed
from autopilot.client.timeline_items import AgentMessage, Attachment, Plan, PlanStep, Reasoning, UserMessage

AT_THE_COMPUTER = "At the computer"
_STEP_WORDS = {"completed": "done", "inProgress": "in progress", "pending": "to do"}
_STEP_STATES: dict[str, Literal["done", "doing", "todo"]] = {
    "completed": "done",
    "inProgress": "doing",
    "pending": "todo",
}
_FIRST_WORDS = 90
_LONGEST_STEP = 2000


@dataclass(frozen=True, slots=True)
class Part:
    """What came with a message and is no text."""

    what: str
    """Codex's word for it."""
    name: str
    """Its name, path or address: where it may be gone to (`prose.may_link`), a link."""
    size: str
    picture: str
    """A `data:` URL to show instead; else empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessageView(View):
    """A person's words, and whose."""

    by: str
    text: Prose
    """Its line ends are line ends."""
    parts: tuple[Part, ...]
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMessageView(View):
    """The model's words."""

    text: Prose


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningView(View):
    """What the model thought, folded under its gist."""

    verb: str
    gist: str
    text: Prose


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan."""

    state: Literal["done", "doing", "todo"]
    word: str
    """The state for who can't see it."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView(View):
    """A plan with its steps, or as text."""

    title: str
    tally: str
    text: Prose
    steps: tuple[Step, ...]
    more: str


def user_message(item: UserMessage, context: Context) -> UserMessageView:
    """A person's words, and whose."""
    by = context.by(item.actor) or AT_THE_COMPUTER
    more = item.attachments - len(item.parts)
    return UserMessageView(
        frame=framed(item, f"Message, {by}", context),
        by=by,
        text=prose(item.text, context.caps.markdown_characters),
        parts=tuple(_part(part) for part in item.parts),
        more=f"{more} attachments more" if more > 0 else "",
    )


def agent_message(item: AgentMessage, context: Context) -> AgentMessageView:
    """The model's words."""
    return AgentMessageView(
        frame=framed(item, "Message, Codex", context),
        emphasis="commentary" if item.phase == "commentary" else "",
        text=prose(item.text, context.caps.markdown_characters),
    )


def reasoning(item: Reasoning, context: Context) -> ReasoningView:
    """What the model thought: the first words of it tell the rest."""
    text = item.summary or item.text
    gist = next((line.strip(" *#") for line in text.split("\n") if line.strip(" *#")), "")
    gist = visible.line(gist, _FIRST_WORDS)
    verb = "Thinking" if item.status == "open" else "Thought"
    return ReasoningView(
        frame=framed(item, f"{verb}: {gist}" if text else verb, context),
        emphasis="" if text else "empty",
        verb=verb,
        gist=gist,
        text=prose(text, context.caps.markdown_characters),
    )


def plan(item: Plan, context: Context) -> PlanView:
    """A plan with its steps, or as text."""
    steps = item.steps[: context.caps.entries]
    done = sum(step.status == "completed" for step in item.steps)
    more = len(item.steps) - len(steps)
    tally = f"{done} of {len(item.steps)}" if item.steps else ""
    return PlanView(
        frame=framed(item, f"Plan, {tally} done" if tally else "Plan", context),
        title="Plan",
        tally=tally,
        text=prose(item.text, context.caps.markdown_characters),
        steps=tuple(_step(step) for step in steps),
        more=f"{more} steps more" if more else "",
    )


def _part(part: Attachment) -> Part:
    return Part(
        visible.line(part.type),
        visible.line(part.name),
        times.size(part.characters * 3 // 4) if part.characters else "",
        picture(part.data),
    )


def _step(step: PlanStep) -> Step:
    word = _STEP_WORDS.get(step.status, step.status)
    return Step(_STEP_STATES.get(step.status, "todo"), visible.line(word), visible.prose(step.step[:_LONGEST_STEP]))

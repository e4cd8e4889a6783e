"""How messages, thoughts and plans look."""

from __future__ import annotations

from collections.abc import Iterable

import flet as ft

from autopilot.client.presenters.prose import may_link
from autopilot.client.presenters.timeline.messages import (
    AgentMessageView,
    Part,
    PlanView,
    ReasoningView,
    Step,
    UserMessageView,
)
from autopilot_ios.look import blocks, palette
from autopilot_ios.timeline import frame
from autopilot_ios.timeline.frame import Controls, Place
from autopilot_ios.timeline.markdown import markdown

MARKS = {
    "done": (ft.CupertinoIcons.CHECKMARK_CIRCLE_FILL, palette.GREEN),
    "doing": (ft.CupertinoIcons.CIRCLE_LEFTHALF_FILL, palette.TINT),
    "todo": (ft.CupertinoIcons.CIRCLE, palette.MUTED),
}


def user_message(view: UserMessageView, place: Place) -> ft.Control:
    """A person's words, and whose: at the right, as one is used to."""
    inside = [
        *markdown(view.text, view, place, breaks=True),
        *(_part(part, place, number) for number, part in enumerate(view.parts)),
        *([frame.small(view.more)] if view.more else []),
    ]
    bubble = ft.Container(
        frame.stack(inside),
        padding=ft.Padding(15, 10, 15, 10),
        bgcolor=palette.tinted(palette.TINT, 0.15),
        border_radius=ft.BorderRadius(20, 20, 20, 6),
    )
    foot = ft.Row(
        [frame.small(view.by), frame.moment(view.at, place)], spacing=8, alignment=ft.MainAxisAlignment.END, wrap=True
    )
    held = ft.Row([ft.Container(expand=1), ft.Container(bubble, expand=7)], spacing=0)
    return ft.Container(frame.stack([held, *frame.wholes(view, place), foot], gap=4), padding=ft.Padding(0, 8, 0, 8))


def agent_message(view: AgentMessageView, place: Place) -> ft.Control:
    """The model's words: what one reads, so that nothing is around them."""
    inside = [*markdown(view.text, view, place), *frame.wholes(view, place)]
    return ft.Container(frame.stack(inside, gap=10), padding=ft.Padding(4, 4, 4, 4))


def reasoning(view: ReasoningView, place: Place) -> ft.Control:
    """What the model thought, folded."""
    verb = blocks.words(view.verb, size=14, color=palette.MUTED, strong=True)
    if not view.text:
        return ft.Container(verb, padding=ft.Padding(4, 4, 4, 4))
    gist = blocks.words(view.gist, size=14, color=palette.MUTED, lines=1)
    gist.expand = True

    def inside() -> Controls:
        text = [*markdown(view.text, view, place), *frame.wholes(view, place)]
        edge = ft.Border(left=ft.BorderSide(2, palette.LINE))
        return [ft.Container(frame.stack(text), padding=ft.Padding(12, 0, 0, 0), border=edge)]

    return frame.fold(
        [verb, gist], inside, place=place, name="thought", spoken=view.frame.label, padding=ft.Padding(4, 0, 4, 0)
    )


def plan(view: PlanView, place: Place) -> ft.Control:
    """A plan with its steps, or as text."""
    tally = frame.small(view.tally) if view.tally else None
    return frame.card(
        [
            frame.head(blocks.words(view.title, strong=True), tally),
            *markdown(view.text, view, place),
            *(_step(step) for step in view.steps),
            frame.small(view.more) if view.more else None,
            *frame.wholes(view, place),
        ]
    )


def picture(source: str, name: str) -> ft.Control:
    """A small image whose content is here: nothing is loaded."""
    shown = ft.Image(
        src=source.partition(",")[2],
        semantics_label=name,
        fit=ft.BoxFit.CONTAIN,
        border_radius=10,
        error_content=frame.small("This picture can't be shown."),
    )
    return ft.Container(shown, alignment=ft.Alignment.CENTER_LEFT)


def to_elsewhere(address: str, shown: str, *, key: str, place: Place) -> ft.Control:
    """A link to elsewhere; only the words, where the address is none to go to."""
    if not may_link(address):
        return frame.mono(shown)
    return frame.link(shown, key=key, on_click=lambda: place.look.ways.open_link(address))


def _part(part: Part, place: Place, number: int) -> ft.Control:
    if part.picture:
        return picture(part.picture, part.name or part.what)
    name = to_elsewhere(part.name, part.name, key=f"{place.key}-part-{number}", place=place) if part.name else None
    return frame.line(frame.small(part.what), name, frame.small(part.size) if part.size else None)


def _step(step: Step) -> ft.Control:
    icon, color = MARKS[step.state]
    text = blocks.words(step.text, color=palette.MUTED if step.state == "done" else palette.TEXT)
    text.weight = ft.FontWeight.W_600 if step.state == "doing" else None
    text.expand = True
    parts: Iterable[ft.Control] = [ft.Icon(icon, size=18, color=color, semantics_label=step.word), text]
    return ft.Row(list(parts), spacing=10, vertical_alignment=ft.CrossAxisAlignment.START)

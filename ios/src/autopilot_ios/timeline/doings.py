"""How what the model does looks: commands, changes of files, calls of tools, searches, images, other agents."""

from __future__ import annotations

import flet as ft

from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.terminal import Output
from autopilot.client.presenters.timeline.doings import (
    ChangesView,
    CommandView,
    ImageView,
    LineView,
    OtherView,
    ToolCallView,
    WebSearchView,
)
from autopilot.client.presenters.timeline.view import View
from autopilot_ios.look import blocks, palette
from autopilot_ios.timeline import diffs, frame, terminal
from autopilot_ios.timeline.frame import Controls, Place
from autopilot_ios.timeline.messages import picture, to_elsewhere

HEAD = ft.Padding(12, 9, 12, 9)


def command(view: CommandView, place: Place) -> ft.Control:
    """A command line, what it printed, how it ended: a terminal."""
    prompt = ft.Text(
        spans=[
            ft.TextSpan("$ ", ft.TextStyle(color=palette.CODE_PROMPT, weight=ft.FontWeight.W_700)),
            ft.TextSpan(view.prompt, ft.TextStyle(color=palette.CODE_TEXT)),
        ],
        style=palette.mono(13, palette.CODE_TEXT),
        max_lines=None if place.look.is_whole else 8,
        overflow=ft.TextOverflow.ELLIPSIS,
    )
    ended = frame.stack(
        [_end(view.end), frame.mono(view.took, size=11, color=palette.CODE_MUTED) if view.took else None], gap=1
    )
    ended.horizontal_alignment = ft.CrossAxisAlignment.END
    top = frame.head(prompt, ended)
    top.vertical_alignment = ft.CrossAxisAlignment.START
    notes = [("in", view.folder), ("typed", view.typed)]
    said = [frame.mono(f"{word} {text}", size=11, color=palette.CODE_MUTED, lines=2) for word, text in notes if text]
    foot = [ft.Container(one, padding=ft.Padding(12, 0, 12, 0)) for one in frame.wholes(view, place)]
    return ft.Container(
        ft.Column(
            [
                ft.Container(frame.stack([top, *said], gap=3), padding=HEAD, bgcolor=palette.CODE_HEAD),
                *terminal.output(view.output, view, place, "output"),
                *foot,
            ],
            spacing=0,
            tight=True,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
        ),
        bgcolor=palette.CODE,
        border_radius=blocks.RADIUS,
        clip_behavior=ft.ClipBehavior.HARD_EDGE,
    )


def changes(view: ChangesView, place: Place) -> ft.Control:
    """The files that change, each with its diff."""
    if view.is_folded:
        title = blocks.words(view.title, strong=True)
        title.expand = True
        return frame.card(
            [
                frame.fold(
                    [title, diffs.counts(view.files)],
                    lambda: diffs.files(view.files, view, place),
                    place=place,
                    name="all",
                    spoken=view.frame.label,
                ),
                *frame.wholes(view, place),
            ],
            is_folded=True,
        )
    return frame.card(
        [
            frame.head(blocks.words(view.title, strong=True), diffs.counts(view.files), _chip(view.state)),
            *diffs.files(view.files, view, place),
            *frame.wholes(view, place),
        ],
        gap=2,
    )


def tool_call(view: ToolCallView, place: Place) -> ft.Control:
    """A call of a tool: what it was given and gave, folded."""
    name = frame.mono(view.tool, size=13, lines=2)
    name.expand = True
    took = [frame.small(view.took)] if view.took else []
    state = [frame.chip(view.state)] if view.state else []
    return frame.card(
        [
            frame.fold(
                [frame.small(view.what), name, *state, *took],
                lambda: [
                    *_part("Given", view.given, view, place),
                    *_part("Gave", view.gave, view, place),
                    *frame.wholes(view, place),
                ],
                place=place,
                name="call",
                spoken=view.frame.label,
            ),
            frame.small(view.progress) if view.progress else None,
            frame.words(view.error, size=14, color=palette.RED) if view.error else None,
        ],
        gap=4,
        is_folded=not (view.error or view.progress),
    )


def web_search(view: WebSearchView, place: Place) -> ft.Control:
    """A search, a page that was opened, and what was found."""
    found = view.page
    page = to_elsewhere(found.url, found.words, key=f"{place.key}-page", place=place) if found else None

    def findings() -> Controls:
        links = [
            to_elsewhere(one.url, one.words, key=f"{place.key}-found-{number}", place=place)
            for number, one in enumerate(view.findings)
        ]
        return [*links, *([frame.small(view.more)] if view.more else [])]

    folded = (
        frame.fold([frame.small(view.tally)], findings, place=place, name="found", spoken=view.tally)
        if view.findings
        else None
    )
    return frame.card(
        [
            frame.line(frame.small(view.verb), frame.mono(view.about, size=13) if view.about else None, page),
            *(frame.mono(one, color=palette.MUTED) for one in view.also),
            folded,
            *frame.wholes(view, place),
        ],
        gap=4,
    )


def image(view: ImageView, place: Place) -> ft.Control:
    """An image that was looked at or made."""
    return frame.card(
        [
            frame.line(
                frame.small(view.verb),
                frame.mono(view.path) if view.path else None,
                frame.small(view.size) if view.size else None,
            ),
            frame.words(view.prompt, size=14, color=palette.MUTED) if view.prompt else None,
            picture(view.picture, view.alt) if view.picture else None,
            frame.words(view.error, size=14, color=palette.RED) if view.error else None,
            *frame.wholes(view, place),
        ]
    )


def line(view: LineView, place: Place) -> ft.Control:
    """One line, and what is said below it."""
    parts = [
        frame.small(view.what) if view.what else None,
        frame.mono(view.subject) if view.subject else None,
        frame.small(view.text) if view.text else None,
        _chip(view.state),
        frame.small(view.took) if view.took else None,
    ]
    said = frame.words(view.words, size=14) if view.words else None
    return ft.Container(
        frame.stack([frame.line(*parts), said, *frame.wholes(view, place)], gap=4), padding=ft.Padding(4, 2, 4, 2)
    )


def other(view: OtherView, place: Place) -> ft.Control:
    """An item of a kind that nobody foresaw, folded under its name."""
    title = frame.small(view.title)
    title.expand = True
    return frame.card(
        [
            frame.fold(
                [title],
                lambda: [*_part("", view.content, view, place), *frame.wholes(view, place)],
                place=place,
                name="other",
                spoken=view.title,
            )
        ],
        is_folded=True,
    )


def _part(title: str, shown: Output | None, view: View, place: Place) -> Controls:
    if shown is None:
        return []
    named = [frame.small(title)] if title else []
    return [*named, terminal.boxed(terminal.output(shown, view, place, title.lower() or "content"))]


def _end(label: Label) -> ft.Control:
    return frame.mono(label.text, color=palette.CODE_TONES[label.tone])


def _chip(state: Label | None) -> ft.Control | None:
    return frame.chip(state) if state else None

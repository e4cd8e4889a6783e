"""What every item of a timeline is drawn with: where it stands, folds, links, chips, and who did it when.

Words and cuts are those of `client.presenters.timeline`; nothing here decides on more than looks. A fold builds what is
in it only when it is opened, and remembers that it is, for as long as its screen lives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any, Protocol

import flet as ft

from autopilot.client.presenters import times
from autopilot.client.presenters.cuts import PHONE, Caps
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.timeline import View
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import is_mounted

Controls = list[ft.Control]
SMALL = 13
TINY = 12
NOBODY = Names()


class Ways(Protocol):
    """Where a touch in a timeline leads. Each returns at once: Flet awaits nothing that a lambda hands back."""

    def open_link(self, address: str) -> Any:
        """A link of somebody's: to be confirmed."""
        ...

    def show_whole(self, seq: int) -> Any:
        """An item whole, by the event that changed it last."""
        ...

    def show_artifact(self, artifact_id: str) -> Any:
        """What was too large for its event."""
        ...

    def answer(self, approval_id: str) -> Any:
        """A question that waits."""
        ...

    def trace(self, request_id: str) -> Any:
        """Every hop of a request."""
        ...

    def copy(self, text: str) -> Any:
        """Onto the clipboard."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """For one screen."""

    ways: Ways
    names: Names = NOBODY
    caps: Caps = PHONE
    zone: tzinfo | None = None
    """Where its reader is; None: in UTC."""
    is_whole: bool = False
    """Whether everything is shown already: nothing leads to more of it."""
    may_answer: bool = True
    """Whether its reader may answer what Codex asks."""
    folds: dict[str, bool] = field(default_factory=dict)
    """What a person opened or closed."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item is drawn."""

    look: Look
    key: str
    """Of what is touched in it: no other item has it."""


def moment(at: str, place: Place) -> ft.Text:
    """The time of day."""
    return blocks.words(times.clock(at, place.look.zone), size=TINY, color=palette.MUTED)


def chip(label: Label) -> ft.Control:
    """A state in a word or two."""
    return blocks.pill(label)


def mono(text: str, *, size: float = TINY, color: ft.ColorValue = palette.TEXT, lines: int | None = None) -> ft.Text:
    """A name of a program's, a path, an id."""
    return ft.Text(
        text,
        style=palette.mono(size, color),
        max_lines=lines,
        overflow=ft.TextOverflow.ELLIPSIS if lines else ft.TextOverflow.CLIP,
    )


def words(text: str, *, color: ft.ColorValue = palette.TEXT, size: float = 15) -> ft.Text:
    """Some words of somebody's, in whichever direction they are written."""
    return blocks.words(text, size=size, color=color)


def small(text: str, *, color: ft.ColorValue = palette.MUTED) -> ft.Text:
    """What matters less."""
    return blocks.words(text, size=SMALL, color=color)


def link(text: str, *, key: str, on_click: blocks.Click, color: ft.ColorValue = palette.TINT) -> ft.Control:
    """Words that lead somewhere."""
    return ft.CupertinoButton(
        ft.Text(text, size=SMALL, color=color),
        key=key,
        on_click=on_click,
        padding=ft.Padding(0, 6, 12, 6),
        min_size=ft.Size(blocks.TOUCH, blocks.TOUCH),
        alignment=ft.Alignment.CENTER_LEFT,
    )


def line(*parts: ft.Control | None) -> ft.Row:
    """Beside each other; what does not fit goes on below."""
    return ft.Row(
        [part for part in parts if part is not None],
        spacing=8,
        run_spacing=2,
        wrap=True,
        vertical_alignment=ft.CrossAxisAlignment.CENTER,
    )


def head(title: ft.Control, *right: ft.Control | None) -> ft.Row:
    """A title, and what stands at the other end."""
    title.expand = True
    return ft.Row(
        [title, *(one for one in right if one is not None)],
        spacing=8,
        vertical_alignment=ft.CrossAxisAlignment.CENTER,
    )


def stack(parts: Iterable[ft.Control | None], *, gap: float = 6) -> ft.Column:
    """Below each other."""
    return blocks.column([part for part in parts if part is not None], gap=gap)


def card(
    parts: Iterable[ft.Control | None], *, edge: ft.ColorValue | None = None, gap: float = 8, is_folded: bool = False
) -> ft.Container:
    """What has a body of its own; `edge`: the colour around it, where a person should look.

    `is_folded`: it is one fold, which has room around it already.
    """
    above = 0 if is_folded else 10
    return ft.Container(
        stack(parts, gap=gap),
        padding=ft.Padding(14, above, 14, above),
        border_radius=blocks.RADIUS,
        bgcolor=palette.CARD,
        border=ft.Border.all(1.5, edge) if edge else None,
    )


def left_out(said: str, view: View, place: Place, name: str, *, color: ft.ColorValue = palette.MUTED) -> Controls:
    """What is not shown, and where all of it is."""
    if not said:
        return []
    tint = palette.TINT if color == palette.MUTED else palette.CODE_LINK
    to = link(
        "Show all",
        key=f"{place.key}-all-{name}",
        on_click=lambda: place.look.ways.show_whole(view.last_seq),
        color=tint,
    )
    return [line(small(said, color=color), None if place.look.is_whole else to)]


def _shows(ways: Ways, artifact_id: str) -> Callable[[], object]:
    return lambda: ways.show_artifact(artifact_id)


def wholes(view: View, place: Place) -> Controls:
    """Where the whole of what is shown in part can be read."""
    if not view.frame.wholes:
        return []
    ways = place.look.ways
    links = [
        link(one.words, key=f"{place.key}-whole-{number}", on_click=_shows(ways, one.artifact_id))
        for number, one in enumerate(view.frame.wholes)
    ]
    return [line(*links, small(view.frame.wholes_more) if view.frame.wholes_more else None)]


def fold(
    title: Sequence[ft.Control],
    inside: Callable[[], Controls],
    *,
    place: Place,
    name: str,
    spoken: str,
    is_open: bool = False,
    color: ft.ColorValue = palette.MUTED,
    padding: ft.PaddingValue = 0,
) -> ft.Control:
    """A title that opens and closes what is below it."""
    folds, key = place.look.folds, f"{place.key}-{name}"
    shown = folds.get(key, is_open)
    arrow = ft.Icon(_arrow(is_open=shown), size=13, color=color)
    body = ft.Column(
        inside() if shown else [],
        visible=shown,
        spacing=6,
        tight=True,
        horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
    )
    row = ft.Row([arrow, *title], spacing=8, vertical_alignment=ft.CrossAxisAlignment.CENTER)

    def turn(event: ft.Event[ft.Container]) -> None:
        """Finds what it turns: were it to hold that, none of it would go without a look for garbage."""
        row, button = event.control.content, event.control.parent
        assert isinstance(row, ft.Row)
        assert isinstance(button, ft.Semantics)
        whole, arrow = button.parent, row.controls[0]
        assert isinstance(whole, ft.Column)
        assert isinstance(arrow, ft.Icon)
        body = whole.controls[1]
        assert isinstance(body, ft.Column)
        folds[key] = body.visible = button.expanded = not body.visible
        arrow.icon = _arrow(is_open=body.visible)
        if body.visible and not body.controls:
            body.controls = inside()
        if is_mounted(whole):
            whole.update()

    touched = ft.Container(row, key=key, padding=ft.Padding(0, 10, 0, 10), on_click=turn)
    button = ft.Semantics(content=touched, button=True, expanded=shown, label=spoken)
    whole = ft.Column([button, body], spacing=0, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
    return ft.Container(whole, padding=padding) if padding else whole


def _arrow(*, is_open: bool) -> ft.IconData:
    return ft.CupertinoIcons.CHEVRON_DOWN if is_open else ft.CupertinoIcons.CHEVRON_FORWARD

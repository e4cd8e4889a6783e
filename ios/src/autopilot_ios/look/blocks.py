"""Blocks that screens are put together from: cards, rows, pills, notices, and the four ways of having nothing to show.

Empty, loading, failed and offline are four different things, each with its own words and way out. Every control that
a finger or a test touches has a key and a spoken name. Whatever is written in them may be anybody's: what turns text
around is made visible, and what no message can carry (half a character) is replaced, for it would end the whole app.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flet as ft

from autopilot.client.presenters import errors, visible
from autopilot.client.presenters.labels import Label
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import palette

RADIUS = 14
GAP = 12
TOUCH = 44
"""Points: what a finger hits."""
Click = Callable[[], Any]
"""What a touch does; a coroutine function, where it takes time."""


def words(
    text: str, *, size: float = 15, color: ft.ColorValue = palette.TEXT, strong: bool = False, lines: int | None = None
) -> ft.Text:
    """Plain text, in whichever direction it is written; `lines`: cut after so many."""
    return ft.Text(
        visible.prose(text),
        size=size,
        color=color,
        weight=ft.FontWeight.W_600 if strong else None,
        max_lines=lines,
        overflow=ft.TextOverflow.ELLIPSIS if lines else ft.TextOverflow.CLIP,
    )


def footnote(text: str, *, color: ft.ColorValue = palette.MUTED, lines: int | None = None) -> ft.Text:
    """What matters less."""
    return words(text, size=13, color=color, lines=lines)


def pill(label: Label) -> ft.Container:
    """A state in a word or two."""
    color = palette.TONES[label.tone]
    return ft.Container(
        ft.Text(visible.prose(label.text), size=12, weight=ft.FontWeight.W_600, color=color),
        padding=ft.Padding(left=8, top=3, right=8, bottom=3),
        border_radius=20,
        bgcolor=palette.tinted(color),
    )


def count(number: int, what: str) -> ft.Control:
    """How many wait, in a red dot."""
    words_said = f"1 {what} pending" if number == 1 else f"{number} {what}s pending"
    dot = ft.Container(
        ft.Text(str(number), size=12, weight=ft.FontWeight.W_700, color=ft.Colors.ON_ERROR),
        bgcolor=palette.RED,
        border_radius=10,
        padding=ft.Padding(7, 2, 7, 2),
    )
    return ft.Semantics(content=dot, label=words_said, exclude_semantics=True)


def card(content: ft.Control, *, key: str | None = None, padding: ft.PaddingValue = 14) -> ft.Container:
    """Something that belongs together."""
    return ft.Container(content, padding=padding, border_radius=RADIUS, bgcolor=palette.CARD, key=key)


def padded(content: ft.Control) -> ft.Container:
    """In a section, something that is no row, with the room around it that a row has."""
    return ft.Container(content, padding=ft.Padding(16, 12, 16, 12))


def column(controls: Sequence[ft.Control], *, gap: float = GAP) -> ft.Column:
    """Below each other, as wide as there is room."""
    return ft.Column(list(controls), spacing=gap, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)


def section(title: str, rows: Sequence[ft.Control], *, note: str | None = None) -> ft.Column:
    """Rows in a card, below a small title, as the system's settings have them."""
    lined: list[ft.Control] = []
    for row in rows:
        if lined:
            lined.append(divider())
        lined.append(row)
    head = [ft.Container(footnote(title), padding=ft.Padding(16, 6, 16, 0))] if title else []
    foot = [ft.Container(footnote(note), padding=ft.Padding(16, 0, 16, 6))] if note else []
    body = ft.Container(
        column(lined, gap=0), border_radius=RADIUS, bgcolor=palette.CARD, clip_behavior=ft.ClipBehavior.ANTI_ALIAS
    )
    return column([*head, body, *foot], gap=6)


def divider() -> ft.Control:
    """What stands between two rows of a card."""
    return ft.Container(height=0.5, bgcolor=palette.LINE, margin=ft.Margin(16, 0, 0, 0))


def row(
    title: str | ft.Control,
    *,
    key: str,
    subtitle: str | None = None,
    icon: ft.IconData | None = None,
    icon_color: ft.Colors = palette.TINT,
    trailing: ft.Control | None = None,
    on_click: Click | None = None,
    name: str | None = None,
    leads: bool = True,
) -> ft.Control:
    """A row of a section. `name`: what is spoken in place of its words; `leads`: whether a touch goes somewhere."""
    shown = words(title, size=16) if isinstance(title, str) else title
    text = [shown, footnote(subtitle, lines=2)] if subtitle else [shown]
    inside = ft.Row(
        [
            *([ft.Icon(icon, size=22, color=icon_color)] if icon else []),
            ft.Column(text, spacing=2, tight=True, expand=True),
            *([trailing] if trailing else []),
            *([ft.Icon(ft.CupertinoIcons.CHEVRON_FORWARD, size=15, color=palette.MUTED)] if on_click and leads else []),
        ],
        spacing=12,
    )
    return tappable(inside, key=key, on_click=on_click, name=name)


def mark(*, is_chosen: bool, is_closed: bool = False) -> ft.Icon:
    """Whether one of several is chosen; `is_closed`: it can't be."""
    icon, color = chosen(is_chosen=is_chosen) if not is_closed else (ft.CupertinoIcons.SLASH_CIRCLE, palette.MUTED)
    return ft.Icon(icon, size=22, color=color)


def chosen(*, is_chosen: bool) -> tuple[ft.IconData, ft.Colors]:
    """The icon and colour of `mark`."""
    if is_chosen:
        return ft.CupertinoIcons.CHECK_MARK_CIRCLED_SOLID, palette.TINT
    return ft.CupertinoIcons.CIRCLE, palette.LINE


def tappable(content: ft.Control, *, key: str, on_click: Click | None, name: str | None = None) -> ft.Control:
    """A place that a finger hits, of a finger's height; without `on_click` only a place."""
    held = ft.Container(
        content,
        key=key,
        padding=ft.Padding(16, 10, 14, 10),
        on_click=on_click,
        ink=on_click is not None,
    )
    if on_click is None:
        return held
    return (
        ft.Semantics(content=held, button=True, label=visible.prose(name))
        if name
        else ft.Semantics(content=held, button=True)
    )


def button(
    text: str,
    *,
    key: str,
    on_click: Click,
    kind: str = "plain",
    icon: ft.IconData | None = None,
    disabled: bool = False,
    expand: bool | None = None,
) -> ft.Control:
    """A button; `kind`: `primary`, `plain`, `danger`, `alarm` or `quiet`."""
    fills = {
        "primary": (palette.TINT, palette.ON_TINT),
        "danger": (palette.tinted(palette.RED), palette.RED),
        "alarm": (palette.RED, ft.Colors.ON_ERROR),
        "plain": (palette.tinted(palette.TINT), palette.TINT),
        "quiet": (None, palette.TINT),
    }
    fill, color = fills[kind]
    color = palette.MUTED if disabled else color
    inside: list[ft.Control] = [ft.Icon(icon, size=18, color=color)] if icon else []
    inside.append(ft.Text(visible.prose(text), size=16, weight=ft.FontWeight.W_600, color=color))
    return ft.CupertinoButton(
        ft.Row(inside, spacing=8, tight=True, alignment=ft.MainAxisAlignment.CENTER),
        key=key,
        bgcolor=fill,
        disabled_bgcolor=palette.tinted(palette.MUTED, 0.1),
        on_click=on_click,
        disabled=disabled,
        padding=ft.Padding(16, 10, 16, 10),
        border_radius=12,
        expand=expand,
    )


def icon_button(
    icon: ft.IconData, name: str, *, key: str, on_click: Click, color: ft.ColorValue = palette.TINT
) -> ft.Control:
    """A button that is an icon, with a spoken name."""
    return ft.CupertinoButton(
        ft.Icon(icon, size=22, color=color, semantics_label=name),
        key=key,
        tooltip=name,
        on_click=on_click,
        padding=8,
        min_size=ft.Size(TOUCH, TOUCH),
    )


def field(
    placeholder: str,
    *,
    key: str,
    value: str = "",
    lines: int = 1,
    most_lines: int | None = None,
    on_change: Click | None = None,
    on_submit: Click | None = None,
    keyboard: ft.KeyboardType = ft.KeyboardType.TEXT,
    code: bool = False,
    autofocus: bool = False,
    secret: bool = False,
    leading: ft.IconData | None = None,
) -> ft.CupertinoTextField:
    """A place to type; what is typed stays until it was taken."""
    return ft.CupertinoTextField(
        value=value,
        key=key,
        placeholder_text=placeholder,
        placeholder_style=ft.TextStyle(color=palette.MUTED),
        multiline=lines > 1 or most_lines is not None,
        min_lines=lines,
        max_lines=most_lines or lines,
        on_change=on_change,
        on_submit=on_submit,
        keyboard_type=keyboard,
        text_style=palette.mono(13, palette.TEXT) if code else ft.TextStyle(color=palette.TEXT, size=16),
        autocorrect=not code,
        enable_suggestions=not code,
        autofocus=autofocus,
        password=secret,
        prefix=ft.Container(ft.Icon(leading, size=18, color=palette.MUTED), padding=ft.Padding(10, 0, 0, 0))
        if leading
        else None,
        padding=ft.Padding(12, 11, 12, 11),
        border=ft.OutlineInputBorder(border_radius=12, side=ft.BorderSide(0.5, palette.LINE)),
        bgcolor=palette.CARD,
        cursor_color=palette.TINT,
    )


def labelled(control: ft.Control, name: str) -> ft.Control:
    """A control with a spoken name that stays when its placeholder is gone."""
    return ft.Semantics(content=control, label=visible.prose(name))


class Fields:
    """Fields, one below another, with what changes around them. To be made once, as each block that it is put into.

    To Flutter a field in another place is another field, without focus and what is being typed: also where
    only a block around it is made anew. In a column what is the same stays, whatever comes and goes beside it; in a
    list also its number has to stay.
    """

    def __init__(self, *fields: tuple[ft.Control, str]) -> None:
        """Each with its spoken name."""
        self._fields = [labelled(field, name) for field, name in fields]
        self.control = column(self._fields, gap=10)

    def draw(self, *below: ft.Control, above: Sequence[ft.Control] = ()) -> None:
        """Put these around the fields, in place of what was there."""
        self.control.controls = [*above, *self._fields, *below]


def notice(label: Label, *, key: str | None = None, detail: str | None = None) -> ft.Control:
    """A sentence that a person should read, in the colour of what it means."""
    color = palette.TONES[label.tone]
    text: list[ft.Control] = [words(label.text, color=color if label.tone != "quiet" else palette.TEXT)]
    if detail:
        text.append(footnote(detail))
    return ft.Semantics(
        content=ft.Container(
            column(text, gap=4), key=key, padding=12, border_radius=RADIUS, bgcolor=palette.tinted(color, 0.1)
        ),
        live_region=True,
    )


def loading(what: str) -> ft.Control:
    """Nothing is known yet, and it is being asked for."""
    return _middle([ft.CupertinoActivityIndicator(radius=12), footnote(what)], key="loading")


def empty(icon: ft.IconData, title: str, detail: str, *actions: ft.Control) -> ft.Control:
    """It is known that there is nothing."""
    said = [words(title, size=18, strong=True), _centred(detail)]
    return _middle([ft.Icon(icon, size=40, color=palette.MUTED), *said, *actions], key="empty")


def failed(message: str, again: Click | None, *, detail: str = "") -> ft.Control:
    """It could not be had, why, and another try."""
    way = [button("Try again", key="try-again", on_click=again)] if again else []
    icon = ft.Icon(ft.CupertinoIcons.EXCLAMATIONMARK_TRIANGLE, size=40, color=palette.ORANGE)
    return _middle([icon, _centred(message, strong=True), *([_centred(detail)] if detail else []), *way], key="failed")


def missing(error: AutopilotError, again: Click | None) -> ft.Control:
    """What could not be had of the server: why, the way out, and the call's request id."""
    told = errors.trouble(error)
    reference = [f"Request {told.reference}"] if told.reference else []
    return failed(told.sentence, again, detail="\n".join([told.hint, *reference]))


def offline(what: str, since: str) -> ft.Control:
    """There is no connection, and nothing was kept."""
    icon = ft.Icon(ft.CupertinoIcons.WIFI_SLASH, size=40, color=palette.MUTED)
    return _middle([icon, _centred(what, strong=True), *([_centred(since)] if since else [])], key="offline")


def _centred(text: str, *, strong: bool = False) -> ft.Text:
    return ft.Text(
        visible.prose(text),
        size=15,
        color=palette.TEXT if strong else palette.MUTED,
        weight=ft.FontWeight.W_600 if strong else None,
        text_align=ft.TextAlign.CENTER,
    )


def _middle(controls: Sequence[ft.Control], *, key: str) -> ft.Control:
    inside = ft.Column(
        list(controls),
        spacing=GAP,
        alignment=ft.MainAxisAlignment.CENTER,
        horizontal_alignment=ft.CrossAxisAlignment.CENTER,
        tight=True,
    )
    return ft.Container(inside, key=key, padding=32, alignment=ft.Alignment.CENTER, expand=True)

"""A form that is filled in with fingers: one control for each field, which keeps what was typed and chosen.

Which fields there are, and what becomes of what was given, is the client core's (`form_content`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flet as ft

from autopilot.client.form_content import Choice, Field, other_name
from autopilot.client.presenters import visible
from autopilot_ios.look import blocks, palette

MANY_LINES = 8
KEYBOARDS = {
    "email": ft.KeyboardType.EMAIL,
    "url": ft.KeyboardType.URL,
    "date": ft.KeyboardType.DATETIME,
    "datetime-local": ft.KeyboardType.DATETIME,
}
EXAMPLES = {"date": "2026-01-31", "datetime-local": "2026-01-31T08:00:00Z", "json": "JSON"}


class Form:
    """The fields of one question or form."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._typed: dict[str, ft.CupertinoTextField] = {}
        self._chosen: dict[str, list[str]] = {}
        self.controls: list[ft.Control] = [self._shown(field) for field in fields]

    def given(self) -> dict[str, list[str]]:
        """What was typed and chosen, by the name of the field."""
        typed = {name: [control.value] for name, control in self._typed.items()}
        return typed | {name: list(values) for name, values in self._chosen.items()}

    def _shown(self, field: Field) -> ft.Control:
        match field.kind:
            case "boolean":
                return self._switch(field)
            case "choice" | "choices":
                return self._choices(field)
            case _:
                return blocks.column([*_head(field), self._text(field, field.name, field.default)], gap=6)

    def _text(self, field: Field, name: str, value: str = "") -> ft.Control:
        number = field.kind in ("number", "integer")
        keyboard = ft.KeyboardType.NUMBER if number else KEYBOARDS.get(field.input_type, ft.KeyboardType.TEXT)
        example = EXAMPLES.get("json" if field.kind == "json" else field.input_type, "")
        control = blocks.field(
            example or ("Your own words" if name != field.name else "Your answer"),
            key=f"field-{visible.code(name)}",
            value=visible.prose(value),
            lines=1,
            most_lines=MANY_LINES if field.is_long else None,
            keyboard=keyboard,
            code=field.kind == "json",
            secret=field.kind == "secret",
        )
        self._typed[name] = control
        return control

    def _switch(self, field: Field) -> ft.Control:
        self._chosen[field.name] = ["true"] if field.default == "true" else []

        def turned() -> None:
            self._chosen[field.name] = ["true"] if control.value else []

        control = ft.CupertinoSwitch(
            value=field.default == "true",
            key=f"field-{visible.code(field.name)}",
            active_track_color=palette.GREEN,
            on_change=turned,
        )
        label = blocks.words(field.label)
        label.expand = True
        switch = blocks.labelled(control, field.label)
        line = ft.Container(ft.Row([label, switch], spacing=12), padding=ft.Padding(16, 8, 12, 8))
        return blocks.section("", [line], note=field.about or None)

    def _choices(self, field: Field) -> ft.Control:
        self._chosen[field.name] = [choice.value for choice in field.choices if choice.value == field.default]
        marks: dict[str, ft.Icon] = {}
        held: dict[str, ft.Semantics] = {}

        def chooses(choice: Choice) -> Callable[[], None]:
            def touched() -> None:
                chosen = self._chosen[field.name]
                if field.kind == "choice":
                    chosen[:] = [] if chosen == [choice.value] and not field.is_required else [choice.value]
                elif choice.value in chosen:
                    chosen.remove(choice.value)
                else:
                    chosen.append(choice.value)
                for value, mark in marks.items():
                    mark.icon, mark.color = blocks.chosen(is_chosen=value in chosen)
                    held[value].checked = value in chosen
                body.update()

            return touched

        rows: list[ft.Control] = []
        for choice in field.choices:
            is_chosen = choice.value in self._chosen[field.name]
            marks[choice.value] = mark = blocks.mark(is_chosen=is_chosen)
            words: list[ft.Control] = [blocks.words(choice.label, size=16)]
            if choice.about:
                words.append(blocks.footnote(choice.about))
            inside = ft.Row([ft.Column(words, spacing=2, tight=True, expand=True), mark], spacing=12)
            place = ft.Container(
                inside,
                key=visible.code(f"choice-{field.name}-{choice.value}"),
                padding=ft.Padding(16, 12, 14, 12),
                on_click=chooses(choice),
                ink=True,
            )
            held[choice.value] = ft.Semantics(content=place, checked=is_chosen, container=True)
            rows.append(held[choice.value])
        body = blocks.section("", rows)
        parts = [*_head(field), body]
        if field.other:
            parts.append(self._text(field, other_name(field.name)))
        return blocks.column(parts, gap=6)


def _head(field: Field) -> list[ft.Control]:
    label = blocks.words(field.label if field.is_required else f"{field.label} (optional)", strong=True)
    return [label, *([blocks.footnote(field.about)] if field.about else [])]

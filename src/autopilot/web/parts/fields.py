"""The fields of an answer: what a question or a form asks for, as controls with a name each."""

from __future__ import annotations

import htpy as h

from autopilot.client.form_content import Choice, Field, other_name

PREFIX = "c."
"""Before the names of fields in what is posted: a form of others can't name a field of ours."""


def field_element(field: Field, owner: str) -> h.Element:
    """One field; `owner` makes its id unique on the page."""
    element_id = f"{owner}-{field.name}"
    match field.kind:
        case "boolean":
            return _boolean(field, element_id)
        case "choice" | "choices":
            return _choices(field, element_id)
        case _:
            return h.div(".field")[
                h.label(for_=element_id)[_label(field)], _about(field, element_id), _input(field, element_id)
            ]


def _label(field: Field) -> h.Node:
    return [h.span(dir="auto")[field.label], None if field.is_required else h.small[" (optional)"]]


def _about(field: Field, element_id: str) -> h.Node:
    return h.p(".about", id=f"{element_id}-about", dir="auto")[field.about] if field.about else None


def _input(field: Field, element_id: str) -> h.Node:
    common = {
        "id": element_id,
        "name": PREFIX + field.name,
        "required": field.is_required,
        "aria-describedby": f"{element_id}-about" if field.about else None,
        "autocomplete": "off",
        "dir": "auto",
    }
    if field.kind in {"number", "integer"}:
        step = "1" if field.kind == "integer" else "any"
        return h.input(
            common, type="number", step=step, min=_bound(field.low), max=_bound(field.high), value=field.default
        )
    if field.kind == "secret":
        return h.input({**common, "autocomplete": "new-password"}, type="password")
    lengths = {"minlength": _bound(field.low), "maxlength": _bound(field.high)}
    if field.is_long:
        return h.textarea(common, lengths, rows="3")[field.default]
    return h.input(common, lengths, type=field.input_type, value=field.default)


def _bound(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def _boolean(field: Field, element_id: str) -> h.Element:
    return h.div(".field")[
        h.label(".check", for_=element_id)[
            h.input(
                id=element_id, type="checkbox", name=PREFIX + field.name, value="true", checked=field.default == "true"
            ),
            h.span(dir="auto")[field.label],
        ],
        _about(field, element_id),
    ]


def _choices(field: Field, element_id: str) -> h.Element:
    kind = "radio" if field.kind == "choice" else "checkbox"
    is_required = field.is_required and kind == "radio" and not field.other
    return h.fieldset(".field")[
        h.legend[_label(field)],
        _about(field, element_id),
        (
            _choice(field, choice, kind, f"{element_id}-{number}", is_required=is_required)
            for number, choice in enumerate(field.choices)
        ),
        _other(field, element_id) if field.other else None,
    ]


def _choice(field: Field, choice: Choice, kind: str, element_id: str, *, is_required: bool) -> h.Element:
    return h.label(".check", for_=element_id)[
        h.input(
            id=element_id,
            type=kind,
            name=PREFIX + field.name,
            value=choice.value,
            required=is_required,
            checked=field.default == choice.value,
        ),
        h.span(dir="auto")[choice.label, h.small(dir="auto")[choice.about] if choice.about else None],
    ]


def _other(field: Field, element_id: str) -> h.Node:
    return [
        h.label(for_=f"{element_id}-other")["Or in your own words"],
        h.input(
            id=f"{element_id}-other",
            type=field.input_type,
            name=PREFIX + other_name(field.name),
            autocomplete="off",
            dir="auto",
        ),
    ]

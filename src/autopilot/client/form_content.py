"""Forms without pixels: which fields a form or a list of questions has, and what was typed as the content of an answer.

A form's schema comes from a tool server that nobody vouches for: what has another shape than a flat form may have is
asked for as JSON. Whether the content fits is the server's to say (contract/form_answers.py). Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autopilot.client import typed_json
from autopilot.contract import Approval

Kind = Literal["text", "secret", "number", "integer", "boolean", "choice", "choices", "json"]
LONG = 200
"""A text that may be longer gets more than a line."""
_INPUT_TYPES = {"email": "email", "uri": "url", "date": "date", "date-time": "datetime-local"}
Given = Mapping[str, Sequence[str]]
"""What was typed or chosen, by the name of the field."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    value: str
    """As it goes out."""
    label: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is asked for."""

    name: str
    kind: Kind
    label: str
    about: str = ""
    is_required: bool = False
    choices: tuple[Choice, ...] = ()
    other: bool = False
    """Whether words of one's own may be given beside the choices."""
    default: str = ""
    is_long: bool = False
    input_type: str = "text"
    """Of a text, as HTML names it: `email`, `url`, …"""
    low: float | None = None
    high: float | None = None


def other_name(name: str) -> str:
    """The field of one's own words beside the choices of another."""
    return f"{name}#other"


def fields_of(approval: Approval) -> tuple[Field, ...]:
    """What an answer to it is made of, in the order to ask for it; nothing where a tap is the whole answer."""
    questions = approval.evidence.questions if approval.evidence else ()
    if questions:
        return tuple(
            Field(
                name=question.question_id,
                kind="choice" if question.options else "secret" if question.secret else "text",
                label=question.text or question.header or question.question_id,
                about=question.header or "" if question.text else "",
                is_required=True,
                choices=tuple(
                    Choice(option.option_id, option.label, option.description or "") for option in question.options
                ),
                other=bool(question.options) and question.other is True,
                is_long=not question.options and not question.secret,
                input_type="password" if question.secret else "text",
            )
            for question in questions
        )
    return tuple(_form_fields(approval.form)) if approval.form else ()


def content_of(approval: Approval, given: Given) -> dict[str, Any]:
    """The content of an answer; what does not fit stays as it was typed, for the server to say so."""
    if approval.evidence and approval.evidence.questions:
        return {field.name: _words(field, given) for field in fields_of(approval)}
    return dict(_form_content(approval.form or {}, given))


def _words(field: Field, given: Given) -> list[str]:
    said = [*given.get(field.name, ()), *(given.get(other_name(field.name), ()) if field.other else ())]
    return [words for words in said if words.strip()]


def _form_fields(form: Mapping[str, Any]) -> Iterator[Field]:
    required = form.get("required")
    names = required if isinstance(required, list) else []
    for name, schema in _properties(form):
        yield _field(name, schema, is_required=name in names)


def _properties(form: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    properties = form.get("properties")
    for name, schema in (properties if isinstance(properties, dict) else {}).items():
        yield name, schema if isinstance(schema, dict) else {}


def _field(name: str, schema: Mapping[str, Any], *, is_required: bool) -> Field:
    kind, choices = _kind(schema), _choices(schema)
    low, high = ("minLength", "maxLength") if kind == "text" else ("minimum", "maximum")
    longest = _number(schema.get(high))
    default = schema.get("default")
    return Field(
        name=name,
        kind=kind,
        label=_text(schema.get("title")) or name,
        about=_text(schema.get("description")),
        is_required=is_required,
        choices=choices,
        default="" if default is None else default if isinstance(default, str) else json.dumps(default),
        is_long=kind == "json" or (kind == "text" and longest is not None and longest > LONG),
        input_type=_INPUT_TYPES.get(_text(schema.get("format")), "text"),
        low=_number(schema.get(low)),
        high=longest,
    )


def _kind(schema: Mapping[str, Any]) -> Kind:
    if _choices(schema):
        return "choices" if schema.get("type") == "array" else "choice"
    match schema.get("type"):
        case "string":
            return "text"
        case "integer":
            return "integer"
        case "number":
            return "number"
        case "boolean":
            return "boolean"
        case _:
            return "json"


def _choices(schema: Mapping[str, Any]) -> tuple[Choice, ...]:
    items = schema.get("items")
    if schema.get("type") == "array" and isinstance(items, dict):
        return _choices({**items, "type": None})
    names = schema.get("enumNames")
    for key in ("enum", "oneOf", "anyOf"):
        values = schema.get(key)
        if isinstance(values, list) and key == "enum":
            titles = names if isinstance(names, list) and len(names) == len(values) else values
            return tuple(Choice(_written(one), _text(title) or _written(one)) for one, title in zip(values, titles))  # noqa: B905 - of one length, as just made sure
        if isinstance(values, list):
            told = [one for one in values if isinstance(one, dict) and "const" in one]
            return tuple(
                Choice(_written(one["const"]), _text(one.get("title")) or _written(one["const"])) for one in told
            )
    return ()


def _form_content(form: Mapping[str, Any], given: Given) -> Iterator[tuple[str, Any]]:
    for name, schema in _properties(form):
        said = [words for words in given.get(name, ()) if words != ""]
        match _kind(schema):
            case "boolean":
                yield name, bool(said)
            case "choices":
                items = schema.get("items")
                yield name, [_meant(items if isinstance(items, dict) else {}, words) for words in said]
            case _ if said:
                yield name, _meant(schema, said[-1])


def _meant(schema: Mapping[str, Any], words: str) -> Any:
    """What was typed, as the type that the schema wants."""
    kind = schema.get("type")
    if kind == "string" or (kind is None and any(words == one.value for one in _choices(schema))):
        return words
    try:
        return typed_json.read(words)
    except (ValueError, RecursionError):
        return words


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None

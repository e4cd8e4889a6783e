"""Forms without pixels: the fields of a schema that nobody vouches for, and what was typed as content."""

from __future__ import annotations

from typing import Any

import pytest

from autopilot.client.form_content import Choice, content_of, fields_of, other_name
from autopilot.contract import Approval, decode


def asking(**changes: Any) -> Approval:
    told = {
        **{"approval_id": "ap", "worker_id": "w", "incarnation": "i", "codex_request_id": 1},  # noqa: PIE800 - one line
        "kind": "mcp_form",
        "state": "pending",
        "requested_at": "2026-11-23T08:00:00Z",
    }
    return decode(Approval, told | changes)


def form(**properties: Any) -> Approval:
    return asking(form={"type": "object", "properties": properties, "required": ["name"]})


@pytest.mark.parametrize(
    ("schema", "kind", "typed", "content"),
    [
        ({"type": "string"}, "text", ["12"], "12"),
        ({"type": "integer"}, "integer", ["12"], 12),
        ({"type": "number"}, "number", ["1.5"], 1.5),
        ({"type": "integer"}, "integer", ["many"], "many"),
        ({"type": "number"}, "number", ["NaN"], "NaN"),
        ({"type": "number"}, "number", ["-Infinity"], "-Infinity"),
        ({"type": "number"}, "number", ["1e999"], "1e999"),
        ({"type": "object"}, "json", ['{"x": NaN}'], '{"x": NaN}'),
        ({"type": "boolean"}, "boolean", ["yes"], True),
        ({"type": "boolean"}, "boolean", [], False),
        ({"enum": ["a", "b"]}, "choice", ["b"], "b"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "choices", ["a", "b"], ["a", "b"]),
        ({"type": "object"}, "json", ['{"x": 1}'], {"x": 1}),
        ({"type": "array", "items": ["no schema"], "enum": ["a", "b"]}, "choices", ["a"], ["a"]),
        ("no schema at all", "json", ["[1]"], [1]),
    ],
)
def test_what_was_typed_becomes_what_the_schema_wants(schema: Any, kind: str, typed: list[str], content: Any) -> None:
    asked = form(name=schema)
    [field] = fields_of(asked)

    assert (field.kind, field.label, field.is_required) == (kind, "name", True)
    assert content_of(asked, {"name": typed}) == {"name": content}


def test_what_was_left_empty_is_not_in_the_content() -> None:
    assert content_of(form(name={"type": "string"}), {"name": [""]}) == {}


def test_choices_have_their_titles() -> None:
    [one] = fields_of(form(name={"oneOf": [{"const": 1, "title": "One"}, {"const": "two"}, "nonsense"]}))
    assert one.choices == (Choice("1", "One"), Choice("two", "two"))
    [two] = fields_of(form(name={"enum": ["a", "b"], "enumNames": ["A", "B"]}))
    assert [choice.label for choice in two.choices] == ["A", "B"]


def test_a_field_tells_its_bounds_its_default_and_how_it_is_typed() -> None:
    [field] = fields_of(
        form(mail={"type": "string", "format": "email", "title": "Mail", "maxLength": 900, "default": "a@example.org"})
    )
    assert (field.label, field.input_type, field.high, field.is_long) == ("Mail", "email", 900, True)
    assert (field.default, field.is_required) == ("a@example.org", False)


def test_questions_take_choices_words_and_secrets() -> None:
    questions = [
        {
            "question_id": "q",
            "text": "Which?",
            "header": "Remote",
            "options": [{"option_id": "o", "label": "origin"}],
            "other": True,
        },
        {"question_id": "s", "text": "Password?", "secret": True},
        {"question_id": "t", "text": "Why?"},
    ]
    asked = asking(evidence={"questions": questions})
    which, secret, why = fields_of(asked)

    assert (which.kind, which.label, which.about, which.other) == ("choice", "Which?", "Remote", True)
    assert (secret.kind, secret.input_type, why.kind, why.is_long) == ("secret", "password", "text", True)
    given = {"q": ["o"], other_name("q"): ["mine"], "s": [" "], other_name("s"): ["not asked"], "t": ["because"]}
    assert content_of(asked, given) == {"q": ["o", "mine"], "s": [], "t": ["because"]}


def test_a_tap_is_a_whole_answer_where_nothing_is_asked() -> None:
    assert fields_of(asking()) == ()
    assert content_of(asking(), {"x": ["1"]}) == {}

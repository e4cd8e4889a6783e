"""Whether an answer fits its question: the option, what is filled in, the words beside it; and how it is shown. Pure.

The content is checked so that a person learns of a slip at once, and not from a tool minutes later. A form's schema
comes from a tool server that nobody vouches for: only what forms of the Model Context Protocol may use is looked at
(a flat object of texts, numbers, yes-or-no and choices); no patterns are run, no references followed.
Source: docs/protocol.md, "Approvals".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autopilot.contract import ApprovalEvidence, ApprovalOption, ApprovalQuestion, ApprovalRequest, DecideApproval
from autopilot.contract.errors import Details, Unprocessable
from autopilot.contract.redaction import REDACTED, redact, redact_text

TOOL_RESULT: dict[str, Any] = {
    "type": "object",
    "properties": {"success": {"type": "boolean"}, "text": {"type": "string"}},
    "required": ["success", "text"],
    "additionalProperties": False,
}
"""What a client's own tool answers."""

_TYPES: dict[object, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision as it was sent."""

    said: DecideApproval
    content_text: str
    """JSON text of the content as it was sent, on one line; `null` where there is none."""


def check(asked: ApprovalRequest, answer: DecideApproval) -> None:
    """Refuse an answer that does not fit.

    Raises:
        Unprocessable: one detail for each field.
    """
    option = next((option for option in asked.options if option.option_id == answer.option_id), None)
    faults = list(_faults(asked, option, answer))
    if faults:
        raise Unprocessable(f"{faults[0]['field']} {faults[0]['message']}", details=faults)


def shown(asked: ApprovalRequest, answer: DecideApproval) -> dict[str, Any]:
    """What everybody may see of an answer: no credentials, and nothing of what was asked for as a secret."""
    content = answer.content
    if content is not None:
        secrets = {question.question_id for question in _questions(asked) if question.secret}
        content = {name: [REDACTED] if name in secrets else value for name, value in redact(content).items()}
    message = None if answer.message is None else redact_text(answer.message)
    return {"option_id": answer.option_id, "content": content, "message": message}


def _faults(asked: ApprovalRequest, option: ApprovalOption | None, answer: DecideApproval) -> Iterator[dict[str, Any]]:
    if option is None:
        known = ", ".join(option.option_id for option in asked.options)
        yield _fault("option_id", f"must be one of {known}")
        return
    if answer.message is not None and not option.takes_message:
        yield _fault("message", "does not go with this option")
    if option.takes_content and answer.content is None:
        yield _fault("content", "must come with this option")
    elif answer.content is not None and not option.takes_content:
        yield _fault("content", "does not go with this option")
    elif answer.content is not None:
        yield from _content_faults(asked, answer.content)


def _content_faults(asked: ApprovalRequest, content: dict[str, Any]) -> Details:
    questions = _questions(asked)
    if questions:
        return list(_answer_faults(questions, content))
    form = TOOL_RESULT if asked.kind == "dynamic_tool" and asked.form is None else asked.form
    return [] if form is None else list(_form_faults(form, content))


def _answer_faults(questions: tuple[ApprovalQuestion, ...], content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    known = {question.question_id: question for question in questions}
    for name, texts in content.items():
        question = known.pop(name, None)
        if question is None:
            yield _fault(f"content.{name}", "is no question of this approval")
        elif not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            yield _fault(f"content.{name}", "must be a list of texts")
        elif question.options and not question.other:
            choices = {choice for option in question.options for choice in (option.option_id, option.label)}
            if not choices.issuperset(texts):
                yield _fault(f"content.{name}", "must be among the options of the question")
    for name in known:
        yield _fault(f"content.{name}", "is missing: every question takes an answer, if only []")


def _form_faults(form: dict[str, Any], content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    properties = form.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = form.get("required")
    for name in required if isinstance(required, list) else []:
        if isinstance(name, str) and name not in content:
            yield _fault(f"content.{name}", "is missing")
    for name, value in content.items():
        schema = properties.get(name)
        if isinstance(schema, dict):
            message = _value_fault(schema, value)
            if message is not None:
                yield _fault(f"content.{name}", message)
        elif form.get("additionalProperties") is False:
            yield _fault(f"content.{name}", "is no field of the form")


def _value_fault(schema: dict[str, Any], value: Any) -> str | None:
    """What is wrong with the value of one field; None where nothing is."""
    kind = schema.get("type")
    types = _TYPES.get(kind) if isinstance(kind, str) else None
    if types is not None and (not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean")):
        return f"must be of type {kind}"
    choices = _choices(schema)
    if choices is not None and value not in choices:
        return "must be one of the choices"
    if isinstance(value, list):
        return _list_fault(schema, value)
    size = len(value) if isinstance(value, str) else value
    low, high = ("minLength", "maxLength") if isinstance(value, str) else ("minimum", "maximum")
    return None if isinstance(value, bool) else _range_fault(schema, size, low, high)


def _list_fault(schema: dict[str, Any], values: list[Any]) -> str | None:
    items = schema.get("items")
    if isinstance(items, dict) and any(_value_fault(items, value) is not None for value in values):
        return "holds something that is not among the choices"
    return _range_fault(schema, len(values), "minItems", "maxItems")


def _range_fault(schema: dict[str, Any], size: object, low: str, high: str) -> str | None:
    for name, says in ((low, "at least"), (high, "at most")):
        bound = schema.get(name)
        if not isinstance(size, (int, float)) or not isinstance(bound, (int, float)):
            continue
        if size < bound if name == low else size > bound:
            return f"must be {says} {bound}" + (" long" if name.endswith("Length") else "")
    return None


def _choices(schema: dict[str, Any]) -> list[Any] | None:
    """`enum`, or the titled choices of `oneOf` and `anyOf`; None where anything goes."""
    for name in ("enum", "oneOf", "anyOf"):
        values = schema.get(name)
        if isinstance(values, list):
            return values if name == "enum" else [one.get("const") for one in values if isinstance(one, dict)]
    return None


def _questions(asked: ApprovalRequest) -> tuple[ApprovalQuestion, ...]:
    return (asked.evidence or ApprovalEvidence()).questions


def _fault(field: str, message: str) -> dict[str, Any]:
    return {"reason_code": "invalid_value", "field": field, "message": message}

"""Whether an answer fits its question: the option, what is filled in, the words beside it; and how it is shown. Pure.

The content is checked so that a person learns of a slip at once, and not from a tool minutes later; forms by
contract/form_answers.py, as executors do. Source: docs/protocol.md, "Approvals".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autopilot.contract import ApprovalEvidence, ApprovalOption, ApprovalQuestion, ApprovalRequest, DecideApproval
from autopilot.contract.errors import Details, Unprocessable
from autopilot.contract.form_answers import faults
from autopilot.contract.redaction import REDACTED, redact, redact_text

TOOL_RESULT: dict[str, Any] = {
    "type": "object",
    "properties": {"success": {"type": "boolean"}, "text": {"type": "string"}},
    "required": ["success", "text"],
    "additionalProperties": False,
}
"""What a client's own tool answers."""


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
    return [] if form is None else [_fault(f"content.{name}", what) for name, what in faults(form, content)]


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


def _questions(asked: ApprovalRequest) -> tuple[ApprovalQuestion, ...]:
    return (asked.evidence or ApprovalEvidence()).questions


def _fault(field: str, message: str) -> dict[str, Any]:
    return {"reason_code": "invalid_value", "field": field, "message": message}

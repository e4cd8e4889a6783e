"""Answering a question of Codex: whether it takes a second tap, what goes out, and who was faster.

Owns no state. Relies on the server for whether an answer fits and who was first; nothing is shown as answered that it
has not taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autopilot.client.client import RuntimeCodexClient
from autopilot.client.form_content import Given, content_of
from autopilot.client.presenters import approvals, errors
from autopilot.client.presenters.approvals import Confirmation
from autopilot.client.presenters.people import Names
from autopilot.contract import Approval, ApprovalOption
from autopilot.contract.errors import AutopilotError, Conflict, Unprocessable

DOES_NOT_FIT = "This does not fit what is asked:"
NOT_OFFERED = "This answer is no longer offered."
_FASTER = frozenset({"answered_differently", "approval_ended"})
_ELSEWHERE = "answer_at_the_computer"


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody would answer."""

    option: ApprovalOption
    given: Given = field(default_factory=dict)
    """What was typed or chosen, by field."""
    words: str = ""
    """For the model."""

    @property
    def loses_words(self) -> bool:
        """Whether words were typed that do not go with this answer."""
        return bool(self.words.strip()) and not self.option.takes_message


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an answer."""

    approval: Approval
    """The question, as it is now."""
    is_taken: bool = False
    said: str = ""
    """What came in between: somebody was faster, or it can't be answered here."""
    faults: tuple[str, ...] = ()
    """What does not fit, by field."""
    error: AutopilotError | None = None
    """Why it was not taken, where that is not said by `said` or `faults`; the same again is the same answer."""


def first_ask(approval: Approval, answer: Answer) -> Confirmation | None:
    """What to ask before it goes out; None: one tap is enough."""
    if approval.state != "pending":
        return None
    if answer.loses_words or approvals.needs_second_tap(approval, answer.option):
        return approvals.confirmation(approval, answer.option, loses_words=answer.loses_words)
    return None


async def send(client: RuntimeCodexClient, approval: Approval, answer: Answer, names: Names) -> Answered:
    """Answer it."""
    option, words = answer.option, answer.words.strip()
    content = content_of(approval, answer.given) if option.takes_content else None
    message = words if words and option.takes_message else None
    try:
        decided = await client.decide(approval.approval_id, option.option_id, content=content, message=message)
    except AutopilotError as error:
        return await _not_taken(client, approval, error, names)
    return Answered(decided, is_taken=True)


async def _not_taken(client: RuntimeCodexClient, approval: Approval, error: AutopilotError, names: Names) -> Answered:
    if isinstance(error, Conflict) and error.reason_code in _FASTER | {_ELSEWHERE}:
        try:
            now = await client.approval(approval.approval_id)
        except AutopilotError:  # what was refused is known, only by whom is not
            now = approval
        said = approvals.faster(approvals.course(now), names) if error.reason_code != _ELSEWHERE else None
        return Answered(now, said=said or errors.trouble(error).sentence)
    if isinstance(error, Unprocessable):
        faults = tuple(_fault(detail) for detail in error.details if detail.get("field"))
        if faults:
            return Answered(approval, faults=faults)
    return Answered(approval, error=error)


def _fault(detail: Mapping[str, object]) -> str:
    name = str(detail.get("field", "")).removeprefix("content.")
    return f"{name}: {detail.get('message') or 'does not fit'}"

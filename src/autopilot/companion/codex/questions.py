"""What Codex asks of its client: of a person, or of the machine; how each is shown and answered. Pure.

Every kind of question to a person has a form (forms_actions.py, forms_inputs.py) and a wire answer made of its raw
params; questions to the machine get their answer at once; of an unknown kind nothing can be shown but its words.
Nothing is ever answered with an empty object.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autopilot.companion.codex import forms, forms_actions, forms_inputs
from autopilot.companion.codex.forms import Choice, Form, Kind, Params, Unfit
from autopilot.contract import ApprovalEffect, ApprovalEvidence, ApprovalKind, ApprovalOption

METHOD_NOT_FOUND = -32601
REFUSED = -32000

KINDS: dict[str, Kind] = {
    "item/commandExecution/requestApproval": forms_actions.COMMAND,
    "item/fileChange/requestApproval": forms_actions.FILE_CHANGE,
    "item/permissions/requestApproval": forms_actions.PERMISSIONS,
    "item/tool/requestUserInput": forms_inputs.USER_INPUT,
    "mcpServer/elicitation/request": forms_inputs.ELICITATION,
    "item/tool/call": forms_inputs.DYNAMIC_TOOL,
    "execCommandApproval": forms_actions.LEGACY_COMMAND,
    "applyPatchApproval": forms_actions.LEGACY_PATCH,
}
"""Questions to a person."""

CURRENT_TIME = "currentTime/read"
SECRETS = frozenset({"account/chatgptAuthTokens/refresh", "attestation/generate"})
"""Questions to the machine about things that we neither have nor would store."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to Codex: a result, or a JSON-RPC error."""

    result: dict[str, Any] | None = None
    error: tuple[int, str] | None = None


def is_to_machine(method: str) -> bool:
    """Whether no person is asked, and nothing of it is stored."""
    return method == CURRENT_TIME or method in SECRETS


def answer_of_machine(method: str, now: datetime) -> Answer:
    """The answer to a question to the machine."""
    if method == CURRENT_TIME:
        return Answer(result={"currentTimeAt": int(now.timestamp())})
    return Answer(error=(REFUSED, f"{method} is not offered by this client"))


def unsupported(method: str) -> Answer:
    """What an unknown question gets from us, where it is ours to answer."""
    return Answer(error=(METHOD_NOT_FOUND, f"{method} is not known to this client"))


def nobody_to_ask(method: str) -> Answer:
    """What a question of a thread gets that can't be told to anybody; Codex goes on without."""
    return Answer(error=(REFUSED, f"nobody can be asked {method} now: its thread is not known to this client"))


def unfit(method: str) -> Answer:
    """What Codex gets where an answer was taken for it that does not fit; it goes on without."""
    return Answer(error=(REFUSED, f"the answer to {method} does not fit"))


def form(method: str, params: Params, item: Params | None = None) -> Form:
    """What to show of a question; of the kind `unsupported`, and without options, where it is unknown to us."""
    kind = KINDS.get(method)
    if kind is not None:
        try:
            return kind.form(params, item)
        except Unfit:
            pass  # a known method with an unknown sense is an unknown question
    evidence = ApprovalEvidence()
    facts = forms.facts(("method", "Codex's name for it", method), ("params", "In Codex's words", params))
    return Form(ApprovalKind.UNSUPPORTED, "A question this version does not know", [], evidence, facts)


def wire(method: str, params: Params, choice: Choice) -> dict[str, Any]:
    """The result for a choice.

    Raises:
        Unfit: the choice does not fit the question.
    """
    chosen = chosen_option(method, params, choice.option_id)
    if chosen.takes_content and choice.content is None:
        raise Unfit(f"{choice.option_id} needs content")
    return KINDS[method].wire(params, choice)


def chosen_option(method: str, params: Params, option_id: str) -> ApprovalOption:
    """The option of this id.

    Raises:
        Unfit: there is none.
    """
    found = [one for one in form(method, params).options if one.option_id == option_id]
    if not found:
        raise Unfit(f"there is no option {option_id}")
    return found[0]


def declining(method: str, params: Params) -> str | None:
    """The option that refuses: what the clock chooses; None where the question is unknown."""
    refusals = [one.option_id for one in form(method, params).options if one.effect == ApprovalEffect.DECLINE]
    return next((one for one in ("decline", "denied") if one in refusals), None)


def says_words_itself(method: str) -> bool:
    """Whether a refusal's words reach the model inside the answer, so that nothing need be said besides."""
    return method in {"item/tool/requestUserInput", "item/tool/call", "execCommandApproval", "applyPatchApproval"}

"""What is the answer? Questions of the model, of tool servers, and calls of a client's own tools. Pure."""

from __future__ import annotations

from typing import Any

from autopilot.companion.codex import forms
from autopilot.companion.codex.forms import Choice, Form, Kind, Params, Unfit
from autopilot.contract import (
    ApprovalEffect,
    ApprovalEvidence,
    ApprovalKind,
    ApprovalOption,
    ApprovalQuestion,
    ApprovalRisk,
    JsonObject,
)
from autopilot.contract.form_answers import faults

TOOL_CALL = "mcp_tool_call"
FORM_MODES = frozenset({"form", "openai/form", "openaiForm"})
TOOL_ANSWER: JsonObject = {
    "type": "object",
    "properties": {
        "success": {"type": "boolean", "title": "It worked", "default": True},
        "text": {"type": "string", "title": "What the tool says"},
    },
    "required": ["text"],
}
"""The form for a client's own tool that a person plays."""


def input_form(params: Params, _item: Params | None) -> Form:
    """`item/tool/requestUserInput`."""
    questions = [_question(one) for one in _questions(params)]
    heads = [one.header or one.text for one in questions]
    return Form(
        kind=ApprovalKind.USER_INPUT,
        title=forms.line(questions[0].text) if len(questions) == 1 else f"Codex asks: {', '.join(heads)}",
        options=[
            forms.option("answer", "Answer", ApprovalEffect.ANSWER, content=True),
            forms.decline("I won't answer"),
        ],
        evidence=ApprovalEvidence(questions=tuple(questions)),
        risk=ApprovalRisk.LOW,
    )


def input_answer(params: Params, choice: Choice) -> dict[str, Any]:
    """`{answers: {<question id>: {answers: [text]}}}`: every question has an answer, also in a refusal."""
    if choice.option_id == "decline":
        said = choice.message or "The person did not want to answer."
        return {"answers": {one["id"]: {"answers": [said]} for one in _questions(params)}}
    return {"answers": {one["id"]: {"answers": _texts(one, choice.content or {})} for one in _questions(params)}}


def elicitation_form(params: Params, item: Params | None) -> Form:
    """`mcpServer/elicitation/request`: a form, a page to open, or whether a tool may be called.

    Raises:
        Unfit: it is of a mode that this version does not know.
    """
    if _is_tool_call(params):
        return _tool_call_form(params, item)
    server = forms.word(params, "serverName") or "A tool server"
    message = forms.word(params, "message")
    evidence = ApprovalEvidence(reason=message)
    facts = forms.facts(("server", "Tool server", server), ("message", "It says", message))
    if params.get("mode") == "url":
        url = forms.word(params, "url")
        title = f"{server} asks you to open a page"
        options = _elicitation_options("I have opened it", content=False)
        return Form(ApprovalKind.MCP_URL, title, options, evidence, facts, url=url)
    if forms.word(params, "mode") not in FORM_MODES:
        raise Unfit(f"an elicitation of the mode {params.get('mode')}")
    title = forms.line(message) if message else f"{server} asks"
    schema = _schema(params)
    options = _elicitation_options("Answer", content=True)
    return Form(ApprovalKind.MCP_FORM, title, options, evidence, facts, form=schema)


def elicitation_answer(params: Params, choice: Choice) -> dict[str, Any]:
    """`{action, content, _meta}`."""
    if choice.option_id in {"decline", "cancel"}:
        return {"action": choice.option_id, "content": None, "_meta": None}
    lasting = choice.option_id.removeprefix("accept").lstrip("_")
    content: JsonObject | None = None if params.get("mode") == "url" else {}
    if content is not None and not _is_tool_call(params):
        content = choice.content or {}
        fits(_schema(params), content)
    return {"action": "accept", "content": content, "_meta": {"persist": lasting} if lasting else None}


def tool_form(params: Params, _item: Params | None) -> Form:
    """`item/tool/call`: a tool that another client brought along, and that a person may play here."""
    tool = forms.word(params, "tool") or "?"
    facts = forms.facts(
        ("tool", "Tool", tool),
        ("namespace", "Of", params.get("namespace")),
        ("arguments", "Called with", params.get("arguments")),
    )
    options = [forms.option("answer", "Answer for the tool", ApprovalEffect.ANSWER, content=True), forms.decline()]
    evidence = ApprovalEvidence()
    title = f"Codex calls the tool “{forms.line(tool)}”"
    return Form(ApprovalKind.DYNAMIC_TOOL, title, options, evidence, facts, form=TOOL_ANSWER)


def tool_answer(_params: Params, choice: Choice) -> dict[str, Any]:
    """`{contentItems, success}`."""
    if choice.option_id == "decline":
        said, success = choice.message or forms.NOT_ALLOWED, False
    else:
        content = choice.content or {}
        fits(TOOL_ANSWER, content)
        said, success = content["text"], content.get("success", True)
    return {"contentItems": [{"type": "inputText", "text": said}], "success": success}


def fits(schema: JsonObject, content: JsonObject) -> None:
    """Whether content fits a form.

    Raises:
        Unfit: it does not.
    """
    for name, what in faults(schema, content):
        raise Unfit(f"{name} {what}")


USER_INPUT = Kind(input_form, input_answer)
ELICITATION = Kind(elicitation_form, elicitation_answer)
DYNAMIC_TOOL = Kind(tool_form, tool_answer)


def _questions(params: Params) -> list[dict[str, Any]]:
    return [one for one in forms.rows(params.get("questions")) if isinstance(one.get("id"), str)]


def _question(told: dict[str, Any]) -> ApprovalQuestion:
    options = [
        ApprovalOption(option_id=label, label=label, description=forms.word(one, "description"))
        for one in forms.rows(told.get("options"))
        if (label := forms.word(one, "label")) is not None
    ]
    return ApprovalQuestion(
        question_id=told["id"],
        header=forms.word(told, "header"),
        text=forms.word(told, "question") or told["id"],
        options=tuple(options),
        secret=told.get("isSecret") is True,
        other=told.get("isOther") is True,
    )


def _texts(question: dict[str, Any], content: JsonObject) -> list[str]:
    given = content.get(question["id"])
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise Unfit(f"the question {question['id']} has no answer")
    labels = {forms.word(one, "label") for one in forms.rows(question.get("options"))}
    if labels and question.get("isOther") is not True and not set(given) <= labels:
        raise Unfit(f"the question {question['id']} has no such answer")
    return given


def _is_tool_call(params: Params) -> bool:
    meta = params.get("_meta")
    return isinstance(meta, dict) and meta.get("codex_approval_kind") == TOOL_CALL


def _tool_call_form(params: Params, item: Params | None) -> Form:
    meta = params["_meta"]
    tool = forms.word(meta, "tool_name") or forms.word(item or {}, "tool")
    server = forms.word(params, "serverName") or "a tool server"
    message = forms.word(params, "message")
    hints = meta.get("tool_annotations") if isinstance(meta.get("tool_annotations"), dict) else {}
    facts = forms.facts(
        ("server", "Tool server", server),
        ("tool", "Tool", tool),
        ("description", "What it does", meta.get("tool_description")),
        ("arguments", "Called with", meta.get("tool_params") or (item or {}).get("arguments")),
        ("hints", "The server says of it", hints),
    )
    kept = meta.get("persist")
    lasting = forms.words([kept] if isinstance(kept, str) else kept)
    words = {"session": "Yes, and again in this session", "always": "Yes, and always from now on"}
    options = [forms.option("accept", "Yes, this once", ApprovalEffect.ACCEPT)]
    options += [
        forms.option(f"accept_{one}", words[one], ApprovalEffect.ACCEPT_LASTING) for one in lasting if one in words
    ]
    options += [forms.decline(), forms.option("cancel", "No, and stop the turn", ApprovalEffect.CANCEL)]
    return Form(
        kind=ApprovalKind.MCP_TOOL_CALL,
        title=f"Let {server} run “{forms.line(tool)}”?" if tool else forms.line(message or f"Let {server} run a tool?"),
        options=options,
        evidence=ApprovalEvidence(reason=message),
        facts=facts,
        risk=_tool_risk(hints, item or {}),
    )


def _tool_risk(hints: Any, item: Params) -> ApprovalRisk:
    if hints.get("readOnlyHint", item.get("readOnlyHint")) is True:
        return ApprovalRisk.LOW
    if hints.get("destructiveHint") is False and hints.get("openWorldHint") is False:
        return ApprovalRisk.MEDIUM
    return ApprovalRisk.HIGH


def _elicitation_options(yes: str, *, content: bool) -> list[ApprovalOption]:
    return [
        forms.option("accept", yes, ApprovalEffect.ANSWER if content else ApprovalEffect.ACCEPT, content=content),
        forms.decline(),
        forms.option("cancel", "Cancel", ApprovalEffect.CANCEL),
    ]


def _schema(params: Params) -> JsonObject:
    schema = params.get("requestedSchema")
    return schema if isinstance(schema, dict) else {"type": "object", "properties": {}}

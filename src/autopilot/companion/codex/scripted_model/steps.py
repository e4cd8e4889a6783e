"""What one step of a script becomes: the output items of one model response.

Pure. A step is an object; several of its keys may stand together. It is played in the order of this list:

    {"reason": "text"}                            a reasoning item with a summary
    {"say": "text", "chunk": 8, "delay": 0.01}    an assistant message, streamed in pieces of `chunk` characters
    {"gate": "name"}                              with `say`: stop half-way until the gate is opened
    {"plan": ["a", "b"]} or [["a", "completed"]]  an update_plan call
    {"shell": "cmd", "escalate": true, "why": ""} a shell call, with whichever shell tool is offered
    {"shells": ["a", "b"]}                        parallel shell calls
    {"patch": "*** Begin Patch…"}                 an apply_patch call
    {"call": {"name", "arguments", "namespace"}}  any function call
    {"custom": {"name", "input"}}                 any free-form tool call
    {"drop": true}                                cut the connection before the end
    {"http": 429, "body": {}, "headers": {}}      refuse with an HTTP error
    {"fail": {"code", "message"}}                 end with response.failed
    {"usage": {"input", "output", "cached", "reasoning"}}
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from autopilot.companion.codex.scripted_model.conversation import Item, Step, call_id

Tools = dict[str, dict[str, Any]]


def tool_calls(number: int, step: Step, tools: Tools) -> list[Item]:
    """The tool calls of a step, as finished output items."""
    calls: list[Item] = []
    if "plan" in step:
        calls.append(_function("update_plan", {"plan": _plan(step["plan"])}, call_id(number, len(calls))))
    for command in [*([step["shell"]] if "shell" in step else []), *step.get("shells", [])]:
        calls.append(_shell(command, step, call_id(number, len(calls)), tools))
    if "patch" in step:
        calls.append(_patch(step["patch"], call_id(number, len(calls)), tools))
    if "call" in step:
        named = step["call"]
        made = _function(named["name"], named.get("arguments", {}), call_id(number, len(calls)))
        calls.append(made | ({"namespace": named["namespace"]} if named.get("namespace") else {}))
    if "custom" in step:
        calls.append(_custom(step["custom"]["name"], step["custom"]["input"], call_id(number, len(calls))))
    return calls


def usage(step: Step) -> dict[str, Any]:
    """The token counts of a response."""
    told = step.get("usage") or {}
    given, made = told.get("input", 1200), told.get("output", 34)
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": told.get("cached", 1000)},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": told.get("reasoning", 7)},
        "total_tokens": given + made,
    }


def _plan(rows: list[Any]) -> list[dict[str, str]]:
    """Rows are texts (the first is under way), or pairs of text and status."""
    if all(isinstance(row, str) for row in rows):
        return [{"step": row, "status": "pending" if place else "in_progress"} for place, row in enumerate(rows)]
    return [{"step": text, "status": status} for text, status in rows]


def _function(name: str, arguments: dict[str, Any], identity: str) -> Item:
    return {
        "type": "function_call",
        "id": f"fc_{uuid.uuid4().hex[:12]}",
        "call_id": identity,
        "name": name,
        "arguments": json.dumps(arguments),
        "status": "completed",
    }


def _custom(name: str, text: str, identity: str) -> Item:
    return {
        "type": "custom_tool_call",
        "id": f"ctc_{uuid.uuid4().hex[:12]}",
        "call_id": identity,
        "name": name,
        "input": text,
        "status": "completed",
    }


def _shell(command: str, step: Step, identity: str, tools: Tools) -> Item:
    extra: dict[str, Any] = dict(step.get("args") or {})
    if step.get("escalate"):
        why = step.get("why", "it needs to run outside the sandbox")
        extra |= {"sandbox_permissions": "require_escalated", "justification": why}
    if "exec_command" in tools:
        return _function("exec_command", {"cmd": command, **extra}, identity)
    if "shell_command" in tools:
        return _function("shell_command", {"command": command, **extra}, identity)
    return _function("shell", {"command": ["bash", "-lc", command], **extra}, identity)


def _patch(patch: str, identity: str, tools: Tools) -> Item:
    offered = tools.get("apply_patch")
    if offered and offered.get("type") == "custom":
        return _custom("apply_patch", patch, identity)
    if offered:
        return _function("apply_patch", {"input": patch}, identity)
    return _shell(f"apply_patch <<'EOF'\n{patch}\nEOF", {}, identity, tools)

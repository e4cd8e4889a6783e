"""From an item of Codex, as its notifications carry it, to an item of a timeline. Pure; every field may be missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from autopilot.client.timeline_items import (
    AgentMessage,
    Attachment,
    Change,
    CommandExecution,
    Compaction,
    FileChange,
    Finding,
    Hook,
    Image,
    Item,
    OtherItem,
    Pause,
    Plan,
    Reasoning,
    Review,
    SubAgent,
    Tokens,
    ToolCall,
    UserMessage,
    WebSearch,
    Whole,
    clip,
    joined,
    json_text,
)

Raw = Mapping[str, Any]
Read = Callable[[Raw, int], dict[str, Any]]

_STATUSES = {"inProgress": "open", "in_progress": "open"}
MOST_WHOLES = 100
"""Kept of one item."""
MOST_PARTS = 20
"""Of one message, search or question."""
SHORT = 2000
"""Characters of a name, an address or a line."""
MOST_INLINE = 100_000
"""Characters of an image that are kept with its item; a larger one is only told of."""
_NOT_SHOWN = frozenset({"id", "type", "status", "startedAtMs", "completedAtMs"})


def wholes_of(payload: dict[str, Any]) -> tuple[Whole, ...]:
    """What this event has only parts of, as far as it says it rightly."""
    return tuple(
        Whole(artifact_id=ref["artifact_id"], path=ref["path"], bytes=ref["bytes"])
        for ref in list_of(payload, "artifacts")[:MOST_WHOLES]
        if isinstance(ref, dict)
        and isinstance(ref.get("artifact_id"), str)
        and isinstance(ref.get("path"), str)
        and isinstance(ref.get("bytes"), int)
    )


def kind_of(raw: Raw) -> type[Item]:
    """The kind of timeline item for an item of Codex."""
    return _KINDS.get(text_of(raw, "type"), (OtherItem, _other))[0]


def content_of(raw: Raw, limit: int) -> dict[str, Any]:
    """The fields of that kind, their texts within about `limit` characters each."""
    return _KINDS.get(text_of(raw, "type"), (OtherItem, _other))[1](raw, limit)


def status_of(raw: Raw, *, completed: bool) -> str:
    """Its status: what Codex says, else what the notification means."""
    said = text_of(raw, "status")
    return _STATUSES.get(said, said) or ("completed" if completed else "open")


def tokens_of(raw: Any) -> Tokens:
    """Token counts; those that are missing are 0."""
    raw = raw if isinstance(raw, dict) else {}
    return Tokens(
        total=number_of(raw, "totalTokens") or 0,
        input=number_of(raw, "inputTokens") or 0,
        cached_input=number_of(raw, "cachedInputTokens") or 0,
        output=number_of(raw, "outputTokens") or 0,
        reasoning_output=number_of(raw, "reasoningOutputTokens") or 0,
    )


def text_of(raw: Raw, name: str) -> str:
    """A string field; empty where it is missing or none."""
    value = raw.get(name)
    return value if isinstance(value, str) else ""


def number_of(raw: Raw, name: str) -> int | None:
    """A whole number, or None."""
    value = raw.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def object_of(raw: Raw, name: str) -> dict[str, Any]:
    """An object field; empty where it is missing or none."""
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def list_of(raw: Raw, name: str) -> list[Any]:
    """A list field; empty where it is missing or none."""
    value = raw.get(name)
    return value if isinstance(value, list) else []


def changes_of(raw: Raw, limit: int) -> tuple[Change, ...]:
    """The changes of a file-change item or patch."""
    return tuple(_change(change, limit) for change in list_of(raw, "changes") if isinstance(change, dict))


def _change(raw: Raw, limit: int) -> Change:
    kind = raw.get("kind")
    kind = kind if isinstance(kind, dict) else {"type": kind}
    return Change(
        path=text_of(raw, "path"),
        action=text_of(kind, "type"),
        diff=clip(text_of(raw, "diff"), limit),
        moved_to=text_of(kind, "move_path") or None,
    )


def _user_message(raw: Raw, limit: int) -> dict[str, Any]:
    parts = [part for part in list_of(raw, "content") if isinstance(part, dict)]
    words = [text_of(part, "text") for part in parts if part.get("type") == "text"]
    others = [part for part in parts if part.get("type") != "text"]
    return {
        "text": clip(joined(words), limit),
        "attachments": len(others),
        "parts": tuple(_attachment(part, limit) for part in others[:MOST_PARTS]),
        "client_id": text_of(raw, "clientId") or None,
    }


def _attachment(raw: Raw, limit: int) -> Attachment:
    url = text_of(raw, "url")
    if not url.startswith("data:"):
        name = url or text_of(raw, "name") or text_of(raw, "path") or text_of(raw, "fileId")
        return Attachment(type=clip(text_of(raw, "type"), SHORT), name=clip(name, SHORT))
    return Attachment(
        type=clip(text_of(raw, "type"), SHORT),
        name=clip(url[len("data:") : SHORT].partition(";")[0].partition(",")[0], SHORT),
        data=_inline(url, limit),
        characters=len(url),
    )


def _inline(content: str, limit: int) -> str:
    return content if len(content) <= min(limit, MOST_INLINE) else ""


def _agent_message(raw: Raw, limit: int) -> dict[str, Any]:
    return {"text": clip(text_of(raw, "text"), limit), "phase": text_of(raw, "phase") or None}


def _reasoning(raw: Raw, limit: int) -> dict[str, Any]:
    return {
        "summary": clip(joined(list_of(raw, "summary")), limit),
        "text": clip(joined(list_of(raw, "content")), limit),
    }


def _plan(raw: Raw, limit: int) -> dict[str, Any]:
    return {"text": clip(text_of(raw, "text"), limit)}


def _command(raw: Raw, limit: int) -> dict[str, Any]:
    return {
        "command": clip(text_of(raw, "command"), limit),
        "cwd": text_of(raw, "cwd") or None,
        "output": clip(text_of(raw, "aggregatedOutput"), limit),
        "exit_code": number_of(raw, "exitCode"),
        "duration_ms": number_of(raw, "durationMs"),
        "process_id": text_of(raw, "processId") or None,
        "source": text_of(raw, "source") or None,
    }


def _file_change(raw: Raw, limit: int) -> dict[str, Any]:
    return {"changes": changes_of(raw, limit)}


def _tool_call(raw: Raw, limit: int) -> dict[str, Any]:
    error = raw.get("error")
    result = raw.get("result") if raw.get("result") is not None else raw.get("contentItems")
    return {
        "type": text_of(raw, "type"),
        "server": text_of(raw, "server") or text_of(raw, "namespace") or None,
        "tool": text_of(raw, "tool"),
        "arguments": clip(json_text(raw.get("arguments")), limit),
        "result": clip(json_text(result), limit),
        "error": clip(text_of(error, "message") or json_text(error), limit) if isinstance(error, dict) else None,
        "duration_ms": number_of(raw, "durationMs"),
    }


def _agents_call(raw: Raw, limit: int) -> dict[str, Any]:
    """A call among agents has its words, and the agents' states, in fields of their own."""
    asked = {name: raw.get(name) for name in ("prompt", "receiverThreadIds", "model") if raw.get(name)}
    return _tool_call(raw, limit) | {
        "arguments": clip(json_text(asked or None), limit),
        "result": clip(json_text(raw.get("agentsStates") or None), limit),
    }


def _tool_output(raw: Raw, limit: int) -> dict[str, Any]:
    output = raw.get("output")
    return {
        "type": text_of(raw, "type"),
        "server": text_of(raw, "namespace") or None,
        "tool": text_of(raw, "name"),
        "result": clip(output if isinstance(output, str) else json_text(output), limit),
    }


def _web_search(raw: Raw, _limit: int) -> dict[str, Any]:
    action = object_of(raw, "action")
    results = list_of(raw, "results")
    queries = [clip(query, SHORT) for query in list_of(action, "queries") if isinstance(query, str)]
    return {
        "query": clip(text_of(raw, "query") or text_of(action, "query"), SHORT),
        "action": text_of(action, "type") or None,
        "queries": tuple(queries[:MOST_PARTS]),
        "url": clip(text_of(action, "url"), SHORT) or None,
        "pattern": clip(text_of(action, "pattern"), SHORT) or None,
        "findings": tuple(
            Finding(title=clip(text_of(one, "title"), SHORT), url=clip(text_of(one, "url"), SHORT))
            for one in results[:MOST_PARTS]
            if isinstance(one, dict)
        ),
        "found": len(results),
    }


def _image_view(raw: Raw, _limit: int) -> dict[str, Any]:
    return {"path": clip(text_of(raw, "path"), SHORT) or None}


def _image_made(raw: Raw, limit: int) -> dict[str, Any]:
    content = text_of(raw, "result")
    return {
        "made": True,
        "path": clip(text_of(raw, "savedPath"), SHORT) or None,
        "prompt": clip(text_of(raw, "revisedPrompt"), limit) or None,
        "data": _inline(content, limit),
        "characters": len(content),
        "error": clip(text_of(object_of(raw, "failure"), "type"), SHORT) or None,
    }


def _entered(raw: Raw, limit: int) -> dict[str, Any]:
    return {"entered": True, "text": clip(text_of(raw, "review"), limit)}


def _exited(raw: Raw, limit: int) -> dict[str, Any]:
    return {"entered": False, "text": clip(text_of(raw, "review"), limit)}


def _sub_agent(raw: Raw, _limit: int) -> dict[str, Any]:
    return {
        "activity": clip(text_of(raw, "kind"), SHORT),
        "path": clip(text_of(raw, "agentPath"), SHORT),
        "thread_id": clip(text_of(raw, "agentThreadId"), SHORT),
        "model": clip(text_of(raw, "model"), SHORT) or None,
    }


def _hook_prompt(raw: Raw, limit: int) -> dict[str, Any]:
    fragments = [text_of(part, "text") for part in list_of(raw, "fragments") if isinstance(part, dict)]
    return {"text": clip(joined(fragments), limit)}


def _pause(raw: Raw, _limit: int) -> dict[str, Any]:
    return {"duration_ms": number_of(raw, "durationMs")}


def _nothing(_raw: Raw, _limit: int) -> dict[str, Any]:
    return {}


def _other(raw: Raw, limit: int) -> dict[str, Any]:
    shown = {name: value for name, value in raw.items() if name not in _NOT_SHOWN and value is not None}
    return {"type": text_of(raw, "type"), "text": clip(json_text(shown), limit)}


_KINDS: dict[str, tuple[type[Item], Read]] = {
    "userMessage": (UserMessage, _user_message),
    "agentMessage": (AgentMessage, _agent_message),
    "reasoning": (Reasoning, _reasoning),
    "plan": (Plan, _plan),
    "commandExecution": (CommandExecution, _command),
    "fileChange": (FileChange, _file_change),
    "mcpToolCall": (ToolCall, _tool_call),
    "dynamicToolCall": (ToolCall, _tool_call),
    "collabAgentToolCall": (ToolCall, _agents_call),
    "functionCallOutput": (ToolCall, _tool_output),
    "webSearch": (WebSearch, _web_search),
    "imageView": (Image, _image_view),
    "imageGeneration": (Image, _image_made),
    "contextCompaction": (Compaction, _nothing),
    "enteredReviewMode": (Review, _entered),
    "exitedReviewMode": (Review, _exited),
    "subAgentActivity": (SubAgent, _sub_agent),
    "hookPrompt": (Hook, _hook_prompt),
    "sleep": (Pause, _pause),
}

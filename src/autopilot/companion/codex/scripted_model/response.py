"""One model response as the sequence of its server-sent events.

Pure but for the pauses it asks for: it yields events and `Pause`s, the server does the waiting and writing.
The set of events is one that Codex accepts (docs/guide/companion.md).
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autopilot.companion.codex.scripted_model.conversation import Item, Step
from autopilot.companion.codex.scripted_model.steps import Tools, tool_calls, usage

CHUNK_CHARACTERS = 8
CHUNK_SECONDS = 0.005

Emit = Callable[..., bytes]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait before going on: for a time, or until a gate opens."""

    seconds: float = 0.0
    gate: str | None = None


class Cut(Exception):  # control flow, not a failure: the script asks for it
    """The script says: cut the connection here."""


def response(number: int, step: Step, tools: Tools) -> Iterator[bytes | Pause]:
    """The events of step `number`, each as the bytes of one SSE frame.

    Raises:
        Cut: the step says `drop`.
    """
    emit = _emitter()
    identity = f"resp_{uuid.uuid4().hex[:16]}"
    yield emit("response.created", response={"id": identity, "status": "in_progress", "output": []})
    output: list[Item] = []
    if "reason" in step:
        item = _reasoning_item(step)
        yield from _reasoning(emit, len(output), item)
        output.append(item)
    if "say" in step:
        item = _message_item(step)
        yield from _message(emit, len(output), item, step)
        output.append(item)
    if step.get("drop"):
        raise Cut
    for item in tool_calls(number, step, tools):
        yield from _tool(emit, len(output), item)
        output.append(item)
    ended: dict[str, Any] = {"id": identity}
    if "fail" in step:
        yield emit("response.failed", response=ended | {"status": "failed", "error": step["fail"]})
    else:
        done = ended | {"status": "completed", "output": output, "usage": usage(step)}
        yield emit("response.completed", response=done)


def _emitter() -> Emit:
    numbers = itertools.count()

    def emit(kind: str, **fields: Any) -> bytes:
        data = json.dumps({"type": kind, "sequence_number": next(numbers), **fields})
        return f"event: {kind}\ndata: {data}\n\n".encode()

    return emit


def _pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _message_item(step: Step) -> Item:
    content: list[dict[str, Any]] = [{"type": "output_text", "text": step["say"], "annotations": []}]
    item = {"type": "message", "id": f"msg_{uuid.uuid4().hex[:12]}", "role": "assistant", "status": "completed"}
    return item | {"content": content} | ({"phase": step["phase"]} if "phase" in step else {})


def _message(emit: Emit, index: int, item: Item, step: Step) -> Iterator[bytes | Pause]:
    text: str = step["say"]
    place: dict[str, Any] = {"item_id": item["id"], "output_index": index, "content_index": 0}
    opened = item | {"status": "in_progress", "content": []}
    yield emit("response.output_item.added", output_index=index, item=opened)
    yield emit("response.content_part.added", **place, part={"type": "output_text", "text": ""})
    pieces = _pieces(text, int(step.get("chunk", CHUNK_CHARACTERS)))
    for count, piece in enumerate(pieces):
        if step.get("gate") and count == len(pieces) // 2:
            yield Pause(gate=step["gate"])
        yield emit("response.output_text.delta", **place, delta=piece)
        yield Pause(seconds=float(step.get("delay", CHUNK_SECONDS)))
    yield emit("response.output_text.done", **place, text=text)
    yield emit("response.output_item.done", output_index=index, item=item)


def _reasoning_item(step: Step) -> Item:
    summary = [{"type": "summary_text", "text": step["reason"]}]
    return {"type": "reasoning", "id": f"rs_{uuid.uuid4().hex[:12]}", "summary": summary, "encrypted_content": None}


def _reasoning(emit: Emit, index: int, item: Item) -> Iterator[bytes | Pause]:
    text: str = item["summary"][0]["text"]
    place: dict[str, Any] = {"item_id": item["id"], "output_index": index, "summary_index": 0}
    yield emit("response.output_item.added", output_index=index, item=item | {"summary": []})
    yield emit("response.reasoning_summary_part.added", **place, part={"type": "summary_text", "text": ""})
    for piece in _pieces(text, 2 * CHUNK_CHARACTERS):
        yield emit("response.reasoning_summary_text.delta", **place, delta=piece)
        yield Pause(seconds=CHUNK_SECONDS)
    yield emit("response.reasoning_summary_text.done", **place, text=text)
    yield emit("response.output_item.done", output_index=index, item=item)


def _tool(emit: Emit, index: int, item: Item) -> Iterator[bytes | Pause]:
    function = item["type"] == "function_call"
    key = "arguments" if function else "input"
    kind = "response.function_call_arguments" if function else "response.custom_tool_call_input"
    place: dict[str, Any] = {"item_id": item["id"], "output_index": index}
    yield emit("response.output_item.added", output_index=index, item=item | {key: "", "status": "in_progress"})
    for piece in _pieces(item[key], 1024):
        yield emit(f"{kind}.delta", **place, call_id=item["call_id"], delta=piece)
    yield emit(f"{kind}.done", **place, **{key: item[key]})
    yield emit("response.output_item.done", output_index=index, item=item)

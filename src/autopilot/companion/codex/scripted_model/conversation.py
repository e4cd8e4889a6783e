"""Read what Codex sends with each model request: who said what, which step comes next, which tools are offered.

Pure. Codex repeats the whole conversation in every request, and the step's number travels in the `call_id` of each
tool call; "which step is next" is therefore read from the request alone.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

MARK = "AUTOPILOT_SCRIPT="
"""What follows in a user message is a JSON array of steps."""

INJECTED = ("<environment_context>", "<turn_aborted>", "<user_instructions>", "# AGENTS.md", "<user_shell_command>")
"""Messages with the role `user` that Codex itself writes."""

Step = dict[str, Any]
Item = dict[str, Any]


def script(*steps: Step, words: str = "please") -> str:
    """The text of a user message that makes the model play `steps` (steps.py lists them)."""
    return f"{words} {MARK}{json.dumps(list(steps))}"


def call_id(step: int, position: int = 0) -> str:
    """A fresh id for a tool call, which says the step it belongs to."""
    return f"call_s{step}_{position}_{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True, slots=True)
class Conversation:
    """One model request, understood."""

    prompt: str
    """The last message of the user's own."""
    earlier_prompts: int
    """How many the user wrote before it."""
    step: int
    """The number of tool rounds already played since the prompt."""
    outputs: tuple[str, ...]
    """What the tools said since the prompt, in order."""
    tools: dict[str, dict[str, Any]]
    """Offered tools by name, namespaces flattened."""

    @property
    def scripted(self) -> list[Step] | None:
        """The script the prompt carries, or None."""
        if MARK not in self.prompt:
            return None
        steps, _ = json.JSONDecoder().raw_decode(self.prompt.split(MARK, 1)[1].lstrip())
        return steps


def read(request: dict[str, Any]) -> Conversation:
    """Understand the body of one `POST /responses`."""
    items = _items(request.get("input"))
    prompts = [index for index, item in enumerate(items) if _is_prompt(item)]
    start = prompts[-1] if prompts else -1
    since = items[start + 1 :]
    return Conversation(
        prompt=_text(items[start].get("content")).strip() if prompts else "",
        earlier_prompts=max(0, len(prompts) - 1),
        step=max((_step_of(item) + 1 for item in since if _is_output(item)), default=0),
        outputs=tuple(_text(item.get("output")) for item in since if _is_output(item)),
        tools=_offered(request.get("tools") or []),
    )


def _items(value: object) -> list[Item]:
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def _is_prompt(item: Item) -> bool:
    return item.get("role") == "user" and not _text(item.get("content")).lstrip().startswith(INJECTED)


def _is_output(item: Item) -> bool:
    return str(item.get("type", "")).endswith("_output") and str(item.get("call_id", "")).startswith("call_s")


def _step_of(item: Item) -> int:
    return int(str(item["call_id"])[len("call_s") :].split("_", 1)[0])


def _offered(tools: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for tool in tools:
        if tool.get("type") == "namespace":
            inner = tool.get("tools", [])
            found |= {str(sub.get("name", "")): {**sub, "namespace": tool.get("name")} for sub in inner}
        else:
            found[str(tool.get("name") or tool.get("type", ""))] = tool
    return found

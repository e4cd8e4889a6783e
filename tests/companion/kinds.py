"""Every kind of question that a real Codex can be made to ask, with what a person and another client may answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.companion.asking import UNTRUSTED

PATCH = "*** Begin Patch\n*** Add File: patched.txt\n+patched\n*** End Patch\n"
WEATHER = {"type": "function", "name": "weather", "description": "Weather", "inputSchema": {"type": "object"}}
MINI = {"mcp_servers": {"mini": {"command": sys.executable, "args": ["-m", "autopilot.testing.mcp_server"]}}}
ASKING = {"features": {"request_permissions_tool": True, "default_mode_request_user_input": True}}
DB = {"id": "db", "header": "Database", "question": "Which?", "options": [{"label": "A", "description": "a"}]}

Step = dict[str, Any]
Yes = tuple[str, dict[str, Any] | None]


def call(name: str, namespace: str | None = None, **arguments: Any) -> Step:
    named = {"name": name, "arguments": arguments}
    return {"call": named | ({"namespace": namespace} if namespace else {})}


@dataclass(frozen=True)
class Kind:
    """One kind."""

    name: str
    step: Callable[[Path], Step]
    """What the model does, so that Codex asks."""
    yes: Yes
    """The option, and what comes with it."""
    allows: dict[str, Any]
    """The result with which another client says yes."""
    thread: dict[str, Any] = field(default_factory=dict)
    no: str = "decline"
    shown: bool = False
    """Whether the item tells how it was answered elsewhere."""


def elicitation(tool: str, content: dict[str, Any] | None) -> dict[str, Any]:
    yes = ("accept", content if tool == "ask" else None)
    return {
        "step": lambda _folder: call(tool, "mcp__mini"),
        "yes": yes,
        "allows": {"action": "accept", "content": content, "_meta": None},
        "thread": {"config": MINI, "approvalPolicy": "on-request", "sandbox": "read-only"},
    }


KINDS = (
    Kind(
        "command",
        lambda _folder: {"shell": "echo ran > ran.txt"},
        ("accept", None),
        {"decision": "accept"},
        UNTRUSTED,
        shown=True,
    ),
    Kind(
        "file_change",
        lambda _folder: {"patch": PATCH},
        ("accept", None),
        {"decision": "accept"},
        {"approvalPolicy": "untrusted", "sandbox": "read-only"},
        shown=True,
    ),
    Kind(
        "permissions",
        lambda folder: call("request_permissions", reason="r", permissions={"file_system": {"write": [str(folder)]}}),
        ("grant_turn", None),
        {"permissions": {"network": None, "fileSystem": None}, "scope": "turn"},
        {"config": ASKING, "approvalPolicy": "on-request", "sandbox": "read-only"},
    ),
    Kind(
        "user_input",
        lambda _folder: call("request_user_input", questions=[DB]),
        ("answer", {"db": ["A"]}),
        {"answers": {"db": {"answers": ["A"]}}},
        {"config": ASKING, "approvalPolicy": "on-request", "sandbox": "read-only"},
    ),
    Kind("mcp_form", **elicitation("ask", {"colour": "blue"})),
    Kind("mcp_url", **elicitation("visit", None)),
    Kind("mcp_tool_call", **elicitation("wipe", {})),
    Kind(
        "dynamic_tool",
        lambda _folder: call("weather", city="Oslo"),
        ("answer", {"text": "sun", "success": True}),
        {"contentItems": [{"type": "inputText", "text": "rain"}], "success": True},
        {"dynamicTools": [WEATHER], "approvalPolicy": "on-request", "sandbox": "read-only"},
        shown=True,
    ),
)

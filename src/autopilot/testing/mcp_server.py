"""A tool server for tests, on stdio: `python -m autopilot.testing.mcp_server`. Real Codex starts it and asks about it.

Tools: `ask` wants a form filled in, `visit` a page opened, `wipe` calls itself destructive, `add` only reads. Each says
what it was answered. Speaks the Model Context Protocol, as much of it as Codex needs.
"""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

PROTOCOL = "2025-06-18"
COLOURS = {
    "type": "object",
    "properties": {"colour": {"type": "string", "title": "Colour", "enum": ["red", "blue"]}},
    "required": ["colour"],
}
ASKS: dict[str, dict[str, Any]] = {
    "ask": {"message": "Which colour?", "requestedSchema": COLOURS},
    "visit": {
        "mode": "url",
        "message": "Please sign in",
        "url": "http://127.0.0.1/sign-in",
        "elicitationId": "visit-1",
    },
}
HINTS = {
    "ask": {"readOnlyHint": True},
    "visit": {"readOnlyHint": True},
    "wipe": {"readOnlyHint": False, "destructiveHint": True},
    "add": {"readOnlyHint": True},
}


class Server:
    """One conversation, line by line."""

    def __init__(self) -> None:
        self._ids = itertools.count(1000)

    def run(self) -> None:
        """Serve until the other side closes."""
        for line in sys.stdin:
            message = json.loads(line)
            if "method" in message and "id" in message:
                self._say({"id": message["id"], **self._answer(message["method"], message.get("params") or {})})

    def _answer(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "initialize":
            info = {"name": "mini", "version": "1"}
            version = params.get("protocolVersion", PROTOCOL)
            return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}}
        if method == "tools/list":
            return {"result": {"tools": [_tool(name) for name in HINTS]}}
        if method == "tools/call":
            said = self._call(str(params.get("name")), params.get("arguments") or {})
            return {"result": {"content": [{"type": "text", "text": said}]}}
        if method == "ping":
            return {"result": {}}
        return {"error": {"code": -32601, "message": f"{method} is not known"}}

    def _call(self, name: str, arguments: dict[str, Any]) -> str:
        if name in ASKS:
            return f"answered {json.dumps(self._ask(ASKS[name]))}"
        return f"did {name} with {json.dumps(arguments)}"

    def _ask(self, asked: dict[str, Any]) -> Any:
        """Ask the client, and read until it answers; what else it says meanwhile is answered in passing."""
        identity = next(self._ids)
        self._say({"id": identity, "method": "elicitation/create", "params": asked})
        for line in sys.stdin:
            message = json.loads(line)
            if message.get("id") == identity and "method" not in message:
                return message.get("result") or message.get("error")
            if "method" in message and "id" in message:
                self._say({"id": message["id"], **self._answer(message["method"], message.get("params") or {})})
        return None

    def _say(self, message: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def _tool(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    return {"name": name, "description": f"Does {name}.", "inputSchema": schema, "annotations": HINTS[name]}


if __name__ == "__main__":
    Server().run()

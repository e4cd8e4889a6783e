"""How commands speak: results on standard output, remarks on standard error; colours only where a person looks.

Owns both consoles and the `--json` switch. With `--json` a result is one JSON document on one line (streams: one line
an event), and nothing else is printed on standard output.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape

from autopilot.contract.errors import AutopilotError, Problem


class Terminal:
    """Where a command's words go."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = Console(highlight=False, soft_wrap=True)
        self.err = Console(highlight=False, soft_wrap=True, stderr=True)

    def result(self, value: Any) -> None:
        """Print a result as JSON: one line."""
        sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def say(self, text: str = "", *, markup: bool = True) -> None:
        """A line of a result for a person; not with `--json`."""
        if not self.as_json:
            self.out.print(text, markup=markup)

    def remark(self, text: str) -> None:
        """A line beside the result."""
        self.err.print(text)

    def problem(self, error: AutopilotError) -> None:
        """Say what went wrong, in a sentence; with `--json` in the contract's error form."""
        if self.as_json:
            body = error.body() if isinstance(error, Problem) else _body_of(error)
            if error.request_id:
                body["error"]["request_id"] = error.request_id
            sys.stderr.write(json.dumps(body) + "\n")
            return
        traces = f" [dim](x-request-id {escape(error.request_id)})[/dim]" if error.request_id else ""
        self.err.print(f"[red]autopilot:[/red] {escape(error.message)}{traces}")

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Show that something takes a while; only to a person who looks."""
        if self.as_json or not self.err.is_terminal:
            yield
            return
        with self.err.status(escape(doing)):
            yield


def _body_of(error: AutopilotError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "details": error.details}}


def plain(value: Any) -> Any:
    """`value` as JSON values: messages of the contract become objects with the wire's names."""
    match value:
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case _:
            return value

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
from rich.text import Text
from typing_extensions import override

from autopilot.cli.printable import printable, printable_markup
from autopilot.contract.errors import AutopilotError, Problem

NARROW_INDENT = 4
"""Where a lead would take more than half of a narrow terminal, what it leads stands below it, so far in."""


class UnbrokenConsole(Console):
    """Rich's own ends the program with code 1 where the reader left, which is no failure of ours."""

    @override
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Terminal:
    """Where a command's words go."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out = UnbrokenConsole(highlight=False, soft_wrap=True)
        self.err = UnbrokenConsole(highlight=False, soft_wrap=True, stderr=True)

    def result(self, value: Any) -> None:
        """Print a result as JSON: one line."""
        sys.stdout.write(json.dumps(plain(value), ensure_ascii=False) + "\n")
        sys.stdout.flush()

    def say(self, text: str = "", *, markup: bool = True) -> None:
        """A line of a result for a person, who is steered by nothing in it; not with `--json`."""
        if not self.as_json:
            safe = printable_markup if markup else printable
            self.out.print(safe(text) if self.out.is_terminal else text, markup=markup)

    def prose(self, text: str, *, lead: str = "  ") -> None:
        """A paragraph of a result, in markup: wrapped at its words where a person looks, and hanging below `lead`."""
        if not self.as_json:
            _paragraph(self.out, text, lead)

    def remark(self, text: str) -> None:
        """A line beside the result, in markup."""
        _paragraph(self.err, text)

    def problem(self, error: AutopilotError, word: str) -> None:
        """Say what went wrong, in a sentence; with `--json` in the contract's error form.

        `word`: the `code` of what no server refused. Its reason is then the kind of error, where it names none.
        """
        request_id = _request_id(error)
        if self.as_json:
            code, reason = (error.code, error.code) if isinstance(error, Problem) else (word, error.code)
            details = error.details or [{"reason_code": reason}]
            details = [{"reason_code": reason, **details[0]}, *details[1:]]
            body = {"code": code, "message": error.message, "details": details, "request_id": request_id}
            sys.stderr.write(json.dumps({"error": body}) + "\n")
            return
        traces = f" [dim](x-request-id {escape(request_id)})[/dim]" if request_id else ""
        _paragraph(self.err, f"[red]autopilot:[/red] {escape(error.message)}{traces}")

    @contextmanager
    def busy(self, doing: str) -> Iterator[None]:
        """Show that something takes a while; only to a person who looks."""
        if self.as_json or not self.err.is_terminal:
            yield
            return
        with self.err.status(escape(doing)):
            yield


def _paragraph(console: Console, text: str, lead: str = "") -> None:
    head, body, width = Text.from_markup(lead), Text.from_markup(printable_markup(text)), console.width
    if not console.is_terminal:
        console.print(head + body)
        return
    hanging = head.cell_len if head.cell_len <= width // 2 else NARROW_INDENT
    if hanging != head.cell_len:
        console.print(head)
        head = Text(" " * hanging)
    for line in body.wrap(console, max(width - hanging, 1)):
        console.print(head + line)
        head = Text(" " * hanging)


def _request_id(error: BaseException | None) -> str | None:
    """The `x-request-id` of an error, or of the one that it came from."""
    while error is not None:
        if isinstance(error, AutopilotError) and error.request_id:
            return error.request_id
        error = error.__cause__
    return None


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

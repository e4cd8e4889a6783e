"""Documents that commands send to the server: read from a file or standard input; their faults told as compilers do."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.printable import printable
from autopilot.cli.terminal import Terminal
from autopilot.contract import SetPolicy, SetPrices
from autopilot.contract.errors import Conflict, Unprocessable

Document = TypeVar("Document", SetPolicy, SetPrices)
InForce = TypeVar("InForce")

STANDARD_INPUT = "-"


def text_of(file: str) -> str:
    """What is in it.

    Raises:
        CommandFailed: it is not UTF-8.
        OSError: it can't be read.
    """
    raw = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise CommandFailed(f"{file} is not UTF-8 text.", Exit.USAGE) from None


def format_of(file: str) -> str:
    """`json` by its name, else `toml`."""
    return "json" if file.endswith(".json") else "toml"


async def put_in_force(
    setting: Callable[[Document], Awaitable[InForce]], document: Document, *, whichever: bool
) -> InForce:
    """Set it; `whichever`: in the place of any version, which a token with `admin` alone may not look up.

    Raises:
        Conflict: another version than the expected one is in force.
    """
    try:
        return await setting(document)
    except Conflict as error:
        latest = error.details[0].get("latest_version") if error.details else None
        if not whichever or not isinstance(latest, int):
            raise
    return await setting(replace(document, expected_version=latest))


def told(terminal: Terminal, file: str, error: Unprocessable, reason_code: str) -> Exception:
    """What ends the command: the same refusal to a program, after a line for each fault to a person."""
    faults = [fault for fault in error.details if fault.get("reason_code") == reason_code]
    if terminal.as_json or not faults:
        return error
    name = "standard input" if file == STANDARD_INPUT else file
    for fault in faults:
        place = name if fault.get("line") is None else f"{name}:{fault['line']}"
        terminal.err.print(
            printable(f"{place}: {fault.get('path') or 'the document'} {fault.get('message', '')}"), markup=False
        )
    count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
    return CommandFailed(f"{name} has {count}, and is not in force.", Exit.REFUSED, reason_code=reason_code)

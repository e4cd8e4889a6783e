"""Documents that people write, as TOML or JSON text: read, and refused with all their faults at once.

Owns the form of a fault: its path in the document, its line where that can be seen, and what is allowed there. What a
document may say is the business of those who read one (policy_sections.py, price_table.py). Pure.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from autopilot.contract.errors import Unprocessable
from autopilot.runtime import policy_lines

FORMATS = ("toml", "json")
MAX_TEXT_BYTES = 64 * 1024
MAX_FAULTS = 50
MAX_ENTRIES = 200

_TOML_PLACE = re.compile(r" \(at line (?P<line>\d+), column \d+\)$")

Contents = TypeVar("Contents")

Fault = tuple[str, str, tuple[str, ...] | None]
"""Path in the document, what is wrong, and what is allowed there where a list says it."""


class Faults:
    """What is wrong with a document, in its order."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, path: str, message: str, allowed: tuple[str, ...] | None = None) -> None:
        """Note one."""
        self.found.append((path, message, allowed))


def read(
    text: str, text_format: str, reason_code: str, contents_of: Callable[[dict[str, Any], Faults], Contents]
) -> Contents:
    """What `contents_of` makes of a text. `text_format`: `toml` or `json`; broken numbers are `Decimal`, exact.

    Raises:
        Unprocessable: `reason_code`; a detail for each fault: `path`, `line` (null where unknown), `message`,
            `allowed` (null where no list says it).
    """
    try:
        value = _value(text, text_format)
    except _NotRead as error:
        raise _refused([_fault(reason_code, "", error.line, error.message)]) from None
    faults = Faults()
    contents = contents_of(value, faults)
    if faults.found:
        lines = policy_lines.of_toml(text) if text_format == "toml" else {}
        raise _refused(
            [
                _fault(reason_code, path, policy_lines.line_of(lines, path), message, allowed)
                for path, message, allowed in faults.found[:MAX_FAULTS]
            ]
        )
    return contents


def only(table: dict[str, Any], prefix: str, keys: tuple[str, ...], faults: Faults) -> None:
    """Fault every key that is not known: one that is misspelt and ignored is worse than none."""
    for name in table:
        if name not in keys:
            faults.add(f"{prefix}{name[:60]}", f"is not known here; known are {', '.join(keys)}", keys)


def tables(
    value: dict[str, Any], key: str, path: str, keys: tuple[str, ...], faults: Faults
) -> list[tuple[int, dict[str, Any]]]:
    """The tables of `[[key]]` with their places, each with no other keys than these."""
    found = value.get(key, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        faults.add(path, f"must be a list of tables: [[{path}]]")
        return []
    if len(found) > MAX_ENTRIES:
        faults.add(path, f"must be at most {MAX_ENTRIES}")
        return []
    for index, table in enumerate(found):
        only(table, f"{path}[{index}].", keys, faults)
    return list(enumerate(found))


class _NotRead(Exception):
    """A text that is no document at all."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


def _value(text: str, text_format: str) -> dict[str, Any]:
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise _NotRead(None, f"is over {MAX_TEXT_BYTES} bytes")
    return _toml(text) if text_format == "toml" else _json(text)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text, parse_float=_exact)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = _TOML_PLACE.search(said)
        line = int(place["line"]) if place else len(text.splitlines()) or 1
        what = said[: place.start()] if place else said.removesuffix(" (at end of document)")
        raise _NotRead(line, f"is not TOML: {what[:200]}") from None
    except RecursionError:
        raise _NotRead(None, "is nested too deeply") from None
    except ValueError:  # Python reads no number of thousands of digits
        raise _NotRead(None, "is not TOML: a number in it is too long") from None


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_float=_exact)
    except json.JSONDecodeError as error:
        raise _NotRead(error.lineno, f"is not JSON: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise _NotRead(None, f"is not JSON: {said[:200]}") from None
    if not isinstance(value, dict):
        raise _NotRead(None, "must be an object")
    return value


def _exact(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number in it is out of all bounds") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise ValueError(f"the key {name[:60]} comes twice")
        seen[name] = value
    return seen


def _refused(details: list[dict[str, Any]]) -> Unprocessable:
    first = details[0]
    where = f" (line {first['line']})" if first["line"] is not None else ""
    more = f"; and {len(details) - 1} more" if len(details) > 1 else ""
    return Unprocessable(f"{first['path'] or 'the document'} {first['message']}{where}{more}", details=details)


def _fault(
    reason_code: str, path: str, line: int | None, message: str, allowed: tuple[str, ...] | None = None
) -> dict[str, Any]:
    return {
        "reason_code": reason_code,
        "field": path,
        "path": path,
        "line": line,
        "message": message,
        "allowed": None if allowed is None else list(allowed),
    }

"""Policy documents, from TOML or JSON text: read, checked, and made into values.

Owns what a document may say, and the faults that are told of one that says something else: all of them at once, each
with its path in the document, its line where it can be seen, and what is allowed there. Pure; never changes the text.
Source: docs/guide/policy.md.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

from autopilot.contract.errors import Unprocessable
from autopilot.runtime import policy_lines
from autopilot.runtime.policy_document import Contents
from autopilot.runtime.policy_sections import Faults, contents_of

FORMATS = ("toml", "json")
MAX_TEXT_BYTES = 64 * 1024
MAX_FAULTS = 50

_TOML_PLACE = re.compile(r" \(at line (?P<line>\d+), column \d+\)$")


def read(text: str, text_format: str) -> Contents:
    """What `text` says. `text_format`: `toml` or `json`.

    Raises:
        Unprocessable: `policy_invalid`; a detail for each fault: `path`, `line` (null where unknown), `message`,
            `allowed` (null where no list says it).
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise refused([_fault("", None, f"is over {MAX_TEXT_BYTES} bytes")])
    value = _toml(text) if text_format == "toml" else _json(text)
    faults = Faults()
    contents = contents_of(value, faults)
    if faults.found:
        lines = policy_lines.of_toml(text) if text_format == "toml" else {}
        raise refused(
            [
                _fault(path, policy_lines.line_of(lines, path), message, allowed)
                for path, message, allowed in faults.found[:MAX_FAULTS]
            ]
        )
    return contents


def refused(details: list[dict[str, Any]]) -> Unprocessable:
    """The answer to a document with these faults."""
    first = details[0]
    where = f" (line {first['line']})" if first["line"] is not None else ""
    more = f"; and {len(details) - 1} more" if len(details) > 1 else ""
    return Unprocessable(f"{first['path'] or 'the document'} {first['message']}{where}{more}", details=details)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        place = _TOML_PLACE.search(said)
        line = int(place["line"]) if place else len(text.splitlines()) or 1
        what = said[: place.start()] if place else said.removesuffix(" (at end of document)")
        raise refused([_fault("", line, f"is not TOML: {what[:200]}")]) from None
    except RecursionError:
        raise refused([_fault("", None, "is nested too deeply")]) from None
    except ValueError:  # Python reads no number of thousands of digits
        raise refused([_fault("", None, "is not TOML: a number in it is too long")]) from None


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise refused([_fault("", error.lineno, f"is not JSON: {error.msg}")]) from None
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise refused([_fault("", None, f"is not JSON: {said[:200]}")]) from None
    if not isinstance(value, dict):
        raise refused([_fault("", None, "must be an object")])
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise ValueError(f"the key {name[:60]} comes twice")
        seen[name] = value
    return seen


def _fault(path: str, line: int | None, message: str, allowed: tuple[str, ...] | None = None) -> dict[str, Any]:
    return {
        "reason_code": "policy_invalid",
        "field": path,
        "path": path,
        "line": line,
        "message": message,
        "allowed": None if allowed is None else list(allowed),
    }

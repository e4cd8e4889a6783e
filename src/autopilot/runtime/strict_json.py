"""JSON as the contract reads it: one object, UTF-8, no duplicate keys, not nested without end.

Owns the reading of bodies; relies on msgspec for speed and on the standard library where msgspec can't prove that no
key came twice. Never changes what it read: callers keep the raw text.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from autopilot.contract.errors import InvalidRequest, PayloadTooLarge, UnsupportedMediaType
from autopilot.contract.port import RuntimeRequest

DEFAULT_DEPTH = 128


def body_of(request: RuntimeRequest, *, max_bytes: int, max_depth: int = DEFAULT_DEPTH) -> dict[str, Any]:
    """The request's body as an object; an empty body is an empty object.

    Raises:
        UnsupportedMediaType: the body is not JSON by its own account.
        PayloadTooLarge: over `max_bytes`.
        InvalidRequest: malformed, not an object, duplicate keys, or nested too deeply.
    """
    check_media(request, max_bytes=max_bytes)
    if not request.body.strip():
        return {}
    value = parse(request.body)
    check_depth(request.body.decode(), value, max_depth)
    return value


def check_media(request: RuntimeRequest, *, max_bytes: int) -> None:
    """Refuse a body that is too large, or that says it is something else than JSON.

    Raises:
        UnsupportedMediaType, PayloadTooLarge: as their names say.
    """
    media = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if request.body and media != "application/json":
        raise UnsupportedMediaType("the body must be application/json", reason_code="media_type")
    if len(request.body) > max_bytes:
        raise PayloadTooLarge(f"the body is over {max_bytes} bytes", reason_code="body_too_large", limit=max_bytes)


def parse(raw: bytes) -> dict[str, Any]:
    """The object that `raw` is.

    Raises:
        InvalidRequest: malformed, not an object, duplicate keys, or nested beyond what can be read.
    """
    try:
        value = msgspec.json.decode(raw)
        if not isinstance(value, dict):
            raise InvalidRequest("the body must be a JSON object", reason_code="not_an_object")
        if msgspec.json.encode(value) != raw:
            json.loads(raw, object_pairs_hook=_unique)
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply", reason_code="too_deep") from None
    except ValueError as error:  # msgspec.DecodeError, UnicodeDecodeError, json.JSONDecodeError
        raise InvalidRequest(f"the body is not JSON: {_cause(error)}", reason_code="malformed_json") from None
    return value


def check_depth(text: str, value: object, limit: int) -> None:
    """Refuse a value nested deeper than `limit`. Its text spares most values the walk: by its length, or its brackets.

    Raises:
        InvalidRequest: too deep.
    """
    if len(text) <= flat_characters(limit)["[" in text] or text.count("{") + text.count("[") <= limit:
        return
    level = [value]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise InvalidRequest(f"nested deeper than {limit}", reason_code="too_deep", limit=limit)


def flat_characters(limit: int) -> tuple[int, int]:
    """A text of no more characters can't be nested deeper than `limit`: one without lists, and any."""
    return limit * len('{"":}'), limit * len("[]")  # what a level takes at the least


def one_line(raw: bytes) -> str:
    """JSON text on one line: line ends can only stand between its tokens, where a space means the same."""
    if b"\n" in raw or b"\r" in raw:
        raw = raw.replace(b"\n", b" ").replace(b"\r", b" ")
    return raw.decode()


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return [child for child in node.values() if isinstance(child, (dict, list))]
    if isinstance(node, list):
        return [child for child in node if isinstance(child, (dict, list))]
    return []


def _unique(pairs: list[tuple[str, Any]]) -> None:
    """Refuse an object with a key twice; its value is of no interest."""
    if len({key for key, _ in pairs}) != len(pairs):
        raise InvalidRequest("an object has the same key twice", reason_code="duplicate_keys")


def _cause(error: ValueError) -> str:
    """What is wrong, without a piece of the body."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    return str(error)[:200]

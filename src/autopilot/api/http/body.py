"""Reading a request's body within its limits.

The size is enforced while reading, so that a body without a length can't grow; time is enforced between the pieces and
in all. Never decodes worker bodies: their JSON is the runtime's business.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from autopilot.contract.errors import InvalidRequest, PayloadTooLarge, RequestTimeout, UnsupportedMediaType

JSON = b"application/json"
DRAIN_BYTES = 64 * 1024 * 1024
"""What is read and thrown away of a body that is too large, so that a client which only listens afterwards gets to
read its 413."""
DRAIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much, how slowly."""

    size_bytes: int
    idle_seconds: float
    total_seconds: float


async def read_body(
    headers: dict[bytes, bytes], receive: Receive, limits: BodyLimits, *, is_there: bool = False
) -> bytes:
    """The whole body. `is_there`: the next message has all of it, and waits for nothing (ops.serve.Wire).

    Raises:
        UnsupportedMediaType: by its own account not JSON in UTF-8, or compressed.
        PayloadTooLarge: over the limit.
        RequestTimeout: it came too slowly.
        ClientDisconnect: the client went away.
    """
    if _declared_bytes(headers) > limits.size_bytes:
        await _drain(receive)
        raise _too_large(limits)
    _check_media_type(headers)
    if not is_there:
        return await _gather(receive, limits)
    body, _ = _piece(await receive())
    if len(body) > limits.size_bytes:
        raise _too_large(limits)
    return body


async def _gather(receive: Receive, limits: BodyLimits) -> bytes:
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(limits.total_seconds):
            while True:
                piece, more = await _next(receive, limits.idle_seconds)
                size += len(piece)
                if size > limits.size_bytes:
                    pieces.clear()
                    await _drain(receive)
                    raise _too_large(limits)
                pieces.append(piece)
                if not more:
                    return b"".join(pieces)
    except TimeoutError:
        raise RequestTimeout("the body did not arrive in time", reason_code="slow_body") from None


async def _next(receive: Receive, idle_seconds: float) -> tuple[bytes, bool]:
    async with asyncio.timeout(idle_seconds):
        return _piece(await receive())


def _piece(message: Message) -> tuple[bytes, bool]:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), message.get("more_body", False)


async def _drain(receive: Receive) -> None:
    left_bytes = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            more = True
            while more and left_bytes > 0:
                piece, more = await _next(receive, DRAIN_SECONDS)
                left_bytes -= len(piece)
    except (TimeoutError, ClientDisconnect):
        return


def _declared_bytes(headers: dict[bytes, bytes]) -> int:
    declared = headers.get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0


def _too_large(limits: BodyLimits) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"a body has at most {limits.size_bytes} bytes", reason_code="body_too_large", limit_bytes=limits.size_bytes
    )


def _check_media_type(headers: dict[bytes, bytes]) -> None:
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMediaType("compressed bodies are not read", reason_code="content_encoding")
    declared = headers.get(b"content-type")
    if declared is None or declared == JSON:
        return  # a body that says nothing of itself is read as JSON
    media_type, _, parameters = declared.decode("latin-1").partition(";")
    media_type = media_type.strip().lower()
    if media_type != "application/json" and not (
        media_type.startswith("application/") and media_type.endswith("+json")
    ):
        raise UnsupportedMediaType("send application/json", reason_code="content_type")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType("send UTF-8", reason_code="charset")


def json_object(raw: bytes) -> dict[str, Any]:
    """A small body of ours, decoded; empty means `{}`.

    Raises:
        InvalidRequest: not UTF-8, not JSON, not an object, or a key twice.
    """
    if not raw.strip():
        return {}
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except _DuplicateKey as error:
        raise InvalidRequest("a key is there twice", reason_code="duplicate_keys", field=str(error)) from None
    except (ValueError, RecursionError):
        raise InvalidRequest("the body is not JSON", reason_code="malformed_json") from None
    if not isinstance(found, dict):
        raise InvalidRequest("the body is not an object", reason_code="not_an_object")
    return found


class _DuplicateKey(Exception):
    """The key that is there twice."""


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKey(key)
            seen.add(key)
    return made


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")

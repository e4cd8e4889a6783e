"""What a browser posts: a form, or JSON of a script of ours. Bounded, decoded strictly."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from autopilot.contract.errors import InvalidRequest, PayloadTooLarge, RequestTimeout

BODY_BYTES = 1024 * 1024
BODY_SECONDS = 30.0
FIELDS = 500
FORM = "application/x-www-form-urlencoded"


async def read(request: Request) -> bytes:
    """The body; asked for again, the same.

    Raises:
        PayloadTooLarge: over a mebibyte.
        RequestTimeout: it takes longer than half a minute.
    """
    state = request.scope["state"]
    if "posted" not in state:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                state["posted"] = await _whole(request)
        except TimeoutError:
            raise RequestTimeout("the form did not arrive in time", reason_code="body_too_slow") from None
    return state["posted"]


async def _whole(request: Request) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > BODY_BYTES:
            raise PayloadTooLarge("this is too long", reason_code="body_too_large", limit_bytes=BODY_BYTES)
        pieces.append(piece)
    return b"".join(pieces)


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form; of several with one name the last.

    Raises:
        PayloadTooLarge, RequestTimeout: as `read`.
        InvalidRequest: it is none.
    """
    return dict(await pairs_of(request))


async def pairs_of(request: Request) -> list[tuple[str, str]]:
    """The fields of a form, in their order; one with several values comes as often.

    Raises:
        PayloadTooLarge, RequestTimeout: as `read`.
        InvalidRequest: it is none.
    """
    try:
        text = (await read(request)).decode()
        fields = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=FIELDS, errors="strict"
        )
    except ValueError:
        raise InvalidRequest("this form can't be read", reason_code="malformed_form") from None
    return [(name, value.replace("\r\n", "\n")) for name, value in fields]


async def json_of(request: Request) -> dict[str, Any]:
    """A JSON object.

    Raises:
        PayloadTooLarge, RequestTimeout: as `read`.
        InvalidRequest: it is none.
    """
    try:
        value = json.loads(await read(request))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidRequest("this is no JSON object", reason_code="malformed_json")
    return value

"""How an answer is written: JSON, and errors in the contract's form. Never decides which."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Send

from autopilot.contract.errors import MethodNotAllowed, Problem, Unauthorized

encoder = msgspec.json.Encoder()


def json_answer(content: Any, *, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(encoder.encode(content), status, media_type="application/json")


def problem_headers(problem: Problem) -> list[tuple[bytes, bytes]]:
    """The headers an error brings along."""
    headers = []
    if problem.retry_after_seconds is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(problem.retry_after_seconds))).encode()))
    if isinstance(problem, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(problem, MethodNotAllowed):
        headers.append((b"allow", ", ".join(problem.fact("allowed") or []).encode()))
    return headers


async def send_problem(send: Send, problem: Problem, *, close: bool = False) -> None:
    """Answer with an error; `close`: the rest of the request is not read, so the connection ends with it."""
    body = _encoded(problem)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *problem_headers(problem),
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _encoded(problem: Problem) -> bytes:
    """Its body; what it repeats of a call's words may be half a character, which JSON can only say by an escape."""
    try:
        return encoder.encode(problem.body())
    except UnicodeEncodeError:
        return json.dumps(problem.body(), separators=(",", ":")).encode("ascii")

"""How much of an answer is read, and for how long: whoever answers may be broken, or mean harm.

Owns the bounds of a call's answer, and the reading of its body within them. An event stream has none of them: its
parser bounds an event, its follower watches over silence. Never looks into a body.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import httpx2

from autopilot.contract.errors import NetworkError, UnknownError

ERROR_BODY_LIMIT_BYTES = 64 * 1024
"""Of what stands in a stream's place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerBounds:
    """What one call takes of a server."""

    most_bytes: int = 32 * 1024 * 1024
    """Of a body, after whatever compressed it. The largest that a server of ours gives is under half of it."""
    whole_seconds: float = 120.0
    """From the request to the answer's end, beyond the time that the server was asked to wait. A body that pauses for
    half a minute is given up before."""
    retry_seconds: float = 30.0
    """For so long is it tried again what may work a little later; a call that would have to wait beyond says why."""


DEFAULT_BOUNDS = AnswerBounds()


class AnswerTooLarge(UnknownError):
    """The body of an answer went on beyond the bound; what the call asked for may have been done."""


@contextlib.asynccontextmanager
async def whole_within(seconds: float, request: httpx2.Request) -> AsyncIterator[None]:
    """What is done with this request, unless it takes longer: by the loop's time, as the timeouts of connections.

    Raises:
        NetworkError: `timeout`, and nobody knows what was done.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise NetworkError(
            f"the answer of {request.url.scheme}://{request.url.netloc.decode()} had not ended after {seconds:.0f} s",
            request_id=request.headers["x-request-id"],
            cause=type(error).__name__,
            reason_code="timeout",
            outcome="unknown",
        ) from error


async def bounded(pieces: AsyncGenerator[bytes], most_bytes: int) -> tuple[bytes, bool]:
    """The beginning of a body, and whether it is all of it; beyond the bound no more than a piece is held."""
    body = bytearray()
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            if len(body) + len(piece) > most_bytes:
                body += piece[: most_bytes - len(body)]
                return bytes(body), False
            body += piece
    return bytes(body), True

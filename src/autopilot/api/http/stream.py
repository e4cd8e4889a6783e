"""Passing a stream of the runtime on to a client, chunk by chunk, until either side ends it.

Relies on chunks that hold whole frames (RuntimePort). A chunk goes out as it came, nothing is gathered; a client that
reads slowly slows its own iterator down (uvicorn's flow control). The stream ends when the runtime ends it, when the
client goes away, and when `OpenStream.end` is called.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.types import Message, Receive, Send

from autopilot.api.recovery_watch import RecoveryNews
from autopilot.api.watch import OpenStream
from autopilot.contract.errors import AutopilotError
from autopilot.ops.log import get_logger

BYE_SECONDS = 1.0
"""A client that doesn't read its bye in this time isn't told."""
CLOSE_SECONDS = 1.0

RETRY_MS = {"revoked": 0, "roles": 0, "shutdown": 1000, "unavailable": 2000}
"""When a client should come back; after `revoked` and `roles` at once, after the former with a refreshed token."""

log = get_logger("autopilot.api")


async def relay(
    receive: Receive,
    send: Send,
    body: AsyncIterator[bytes],
    stream: OpenStream,
    *,
    wants_control: bool,
    is_frames: bool = True,
    news: RecoveryNews | None = None,
) -> None:
    """Send everything that `body` yields; then, where the client asked for control frames, say why it ended early.

    What is no frames (an artifact) and ends early leaves its response unfinished. `news`: frames of the API's own; they
    go between those of the runtime, after the first where that is `open`.
    """
    sending = _InTurn(send)
    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(_departure(receive, stream))]
        if news is not None:
            beside.append(tasks.create_task(_tell(sending, news)))
            if not wants_control:
                await _begin(sending, news)
        is_complete = await _pass_on(sending, body, stream, news)
        for task in beside:
            task.cancel()
    if stream.reason == "disconnected" or (not is_complete and not is_frames):
        return  # of what has a length the rest is missing: the connection ends, and says it
    try:
        async with asyncio.timeout(BYE_SECONDS):
            bye = b"" if is_complete or not wants_control else _bye(stream.reason)
            await send({"type": "http.response.body", "body": bye, "more_body": False})
    except TimeoutError:
        log.info("stream_cut", reason=stream.reason)


async def _pass_on(
    send: Send, body: AsyncIterator[bytes], stream: OpenStream, news: RecoveryNews | None = None
) -> bool:
    """Whether the runtime ended the stream itself; if so it has said what there was to say."""
    try:
        async with asyncio.timeout(None) as timeout:
            stream.ends_with(timeout)
            try:
                async for chunk in body:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                    if news is not None and not news.has_begun:
                        await _begin(send, news)
            finally:
                stream.ended()
    except TimeoutError:
        if stream.reason is None:
            raise
    except AutopilotError as error:
        log.warning("stream_lost", error=error.message, code=error.code)
        stream.end("unavailable")
    else:
        return True
    return False


class _InTurn:
    """Sends for several tasks, one whole message after the other."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._turn = asyncio.Lock()

    async def __call__(self, message: Message) -> None:
        async with self._turn:
            await self._send(message)


async def _begin(send: Send, news: RecoveryNews) -> None:
    if first := news.begin():
        await send({"type": "http.response.body", "body": first, "more_body": True})


async def _tell(send: Send, news: RecoveryNews) -> None:
    while True:
        if frames := await news.next():
            await send({"type": "http.response.body", "body": frames, "more_body": True})


async def _departure(receive: Receive, stream: OpenStream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # the rest of a body nobody asked for
    stream.end("disconnected")


async def close_stream(body: AsyncIterator[bytes]) -> None:
    """Let go of what a stream holds; bounded."""
    close = getattr(body, "aclose", None)
    if close is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await close()


def _bye(reason: str | None) -> bytes:
    if reason is None:
        return b""
    return b'event: codex.stream.bye\ndata: {"reason":"%s","retry_ms":%d}\n\n' % (reason.encode(), RETRY_MS[reason])

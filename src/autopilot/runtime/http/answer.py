"""How the runtime's responses go out over ASGI: whole, or chunk by chunk for as long as both sides stay.

Owns the end of a stream: the runtime ends it, the caller goes away, or the server stops. Never buffers a stream.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from starlette.types import Message, Receive, Send

from autopilot.contract.port import RuntimeResponse

CLOSE_SECONDS = 1.0
"""How long a stream's source may take to let go."""


class Answer:
    """One response; knows whether it has begun."""

    __slots__ = ("_send", "began")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = False

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.began = True
        await self._send(message)

    async def whole(self, response: RuntimeResponse) -> None:
        """Send a response whose body is there; nothing where another one has begun."""
        if self.began:
            return
        assert isinstance(response.body, bytes)
        headers = [*_headers(response), (b"content-length", str(len(response.body)).encode())]
        await self.send({"type": "http.response.start", "status": response.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": response.body, "more_body": False})

    async def stream(
        self, response: RuntimeResponse, receive: Receive, stopping: asyncio.Event, stop: Callable[[], None]
    ) -> None:
        """Send a stream to its end; when `stopping` is set, `stop` makes its source end it."""
        body = response.body
        assert not isinstance(body, bytes)
        try:
            await self.send({"type": "http.response.start", "status": response.status, "headers": _headers(response)})
            async with asyncio.TaskGroup() as tasks:
                pump = tasks.create_task(self._pump(body))
                gone = tasks.create_task(_departure(receive))
                ending = tasks.create_task(_ending(stopping, stop))
                await asyncio.wait([pump, gone], return_when=asyncio.FIRST_COMPLETED)
                for task in (pump, gone, ending):
                    task.cancel()
        finally:
            await _close(body)

    async def _pump(self, body: AsyncIterator[bytes]) -> None:
        async for chunk in body:
            await self.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})


def _headers(response: RuntimeResponse) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers.items()]


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass  # nothing else comes after the body


async def _ending(stopping: asyncio.Event, stop: Callable[[], None]) -> None:
    await stopping.wait()
    stop()


async def _close(body: AsyncIterator[bytes]) -> None:
    close = getattr(body, "aclose", None)
    if close is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await close()

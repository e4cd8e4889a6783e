"""What the tests of a reader far behind share: a way to the server that counts what comes over it."""

from __future__ import annotations

from typing import Any

import httpx2

from autopilot.contract import AppendEvent


class Counting(httpx2.AsyncHTTPTransport):
    """Counts the events that streams and pages bring, and the bytes of all answers."""

    def __init__(self) -> None:
        super().__init__()
        self.events = 0
        self.bytes = 0
        self.asked: list[str] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        response = await super().handle_async_request(request)
        self.asked.append(request.url.path.rsplit("/", 1)[-1])
        response.stream = _Counted(self, response.stream)
        return response


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, counting: Counting, stream: Any) -> None:
        self._counting = counting
        self._stream = stream

    async def __aiter__(self):
        async for piece in self._stream:
            self._counting.bytes += len(piece)
            self._counting.events += piece.count(b'"eventType":')  # once in each event, of a stream or of a page
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def message(number: int) -> dict[str, Any]:
    """Codex, finished with a message."""
    item = {"type": "agentMessage", "id": f"m{number}", "text": f"words {number} " * 20}
    return {"method": "item/completed", "params": {"threadId": "t", "turnId": "turn", "item": item}}


def drafts(first: int, last: int) -> list[AppendEvent]:
    """Messages as a companion appends them."""
    return [
        AppendEvent(
            event_type="worker.event",
            payload={"source": "autopilot-desktop", **message(number)},
            event_id=f"m{number}",
            producer_seq=number,
        )
        for number in range(first, last + 1)
    ]

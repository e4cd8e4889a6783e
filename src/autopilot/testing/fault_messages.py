"""Loses and repeats whole messages: a call before it is heard, its answer, the end of a stream; calls that come twice.

`Faults` draws what happens to each message from one source of chance, so that a seed says it all. `FaultyTransport` is
for clients of the API, `FaultyPort` for the API as a client of the runtime. What is lost looks to the sender as it does
on a network: it can't tell a lost call from a lost answer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Literal

import httpx2
from typing_extensions import override

from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimePort, RuntimeRequest, RuntimeResponse

Fate = Literal["passes", "lost", "unanswered", "twice"]
FATES: tuple[Fate, ...] = ("lost", "unanswered", "twice")
STREAM = "text/event-stream"
MOST_CHUNKS = 12


class Faults:
    """Decides what happens to each message while `on`; counts what did."""

    def __init__(self, rng: random.Random, share: float) -> None:
        """`share` of the messages, 0 to 1, have something happen to them."""
        self.on = True
        self.drawn: Counter[str] = Counter()
        self._rng = rng
        self._share = share

    def fate(self) -> Fate:
        """Of the next message."""
        fate: Fate = self._rng.choice(FATES) if self.on and self._rng.random() < self._share else "passes"
        self.drawn[fate] += 1
        return fate

    def chunks(self) -> int:
        """How many pieces of a stream pass before it is cut."""
        return self._rng.randint(0, MOST_CHUNKS)


class FaultyTransport(httpx2.AsyncBaseTransport):
    """The network of one client."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._network = httpx2.AsyncHTTPTransport()

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it, or not, or twice.

        Raises:
            httpx2.ReadError: the call or its answer was lost.
        """
        fate = self._faults.fate()
        if fate == "lost":
            raise httpx2.ReadError("lost on the way", request=request)
        response = await self._network.handle_async_request(request)
        if fate == "passes":
            return response
        if response.headers.get("content-type", "").startswith(STREAM):
            return _cut(response, self._faults.chunks())
        await response.aread()
        await response.aclose()
        if fate == "unanswered":
            raise httpx2.ReadError("the answer was lost", request=request)
        return await self._network.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        """Close every connection."""
        await self._network.aclose()


class FaultyPort:
    """A runtime behind such a network; implements `RuntimePort`."""

    def __init__(self, runtime: RuntimePort, faults: Faults) -> None:
        self._runtime = runtime
        self._faults = faults

    async def call(self, request: RuntimeRequest) -> RuntimeResponse:
        """See RuntimePort.

        Raises:
            Unavailable: the call or its answer was lost.
        """
        fate = self._faults.fate()
        if fate == "lost":
            raise _unreachable("not_recorded")
        response = await self._runtime.call(request)
        if fate == "passes" or not isinstance(response.body, bytes):
            return response
        if fate == "unanswered":
            raise _unreachable("unknown")
        return await self._runtime.call(request)

    async def aclose(self) -> None:
        """See RuntimePort."""
        await self._runtime.aclose()


class _Cut(httpx2.AsyncByteStream):
    """A stream that ends in the middle."""

    def __init__(self, response: httpx2.Response, chunks: int) -> None:
        self._response = response
        self._chunks = chunks

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._chunks
        async for chunk in self._response.aiter_raw():
            if not left:
                raise httpx2.ReadError("the stream was cut")
            left -= 1
            yield chunk

    @override
    async def aclose(self) -> None:
        await self._response.aclose()


def _cut(response: httpx2.Response, chunks: int) -> httpx2.Response:
    return httpx2.Response(response.status_code, headers=response.headers, stream=_Cut(response, chunks))


def _unreachable(outcome: str) -> Unavailable:
    return Unavailable(
        "the runtime can't be reached", reason_code="runtime_unreachable", outcome=outcome, retry_after_seconds=1
    )

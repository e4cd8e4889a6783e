"""The signed port against a peer that cuts, stalls and splits as networks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from autopilot.api.forward import SignedHttpPort
from autopilot.contract.claims import CLAIMS_HEADER, from_headers
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.ops.clock import SystemClock
from autopilot.ops.signature import HEADER, SigningKey, verify

KEY = SigningKey("k1", b"secret")
CLAIMS = Claims(user_id=7, machine_id="m", scopes=frozenset({"execute"}), surface="companion")
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(script: Script) -> AsyncIterator[SignedHttpPort]:
    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the port hung up: what some of these tests are about
        finally:
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    port = SignedHttpPort(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", KEY, SystemClock())
    async with server, asyncio.timeout(30):
        try:
            yield port
        finally:
            await port.aclose()


async def test_a_call_is_signed_over_exactly_what_goes_over_the_wire():
    seen: dict[str, str] = {}
    line = b""
    body = b""

    async def script(reader, writer):
        nonlocal line, body
        head = await reader.readuntil(b"\r\n\r\n")
        line, *rest = head.split(b"\r\n")
        seen.update(
            {name.decode().lower(): value.decode().strip() for name, _, value in (one.partition(b":") for one in rest)}
        )
        body = await reader.readexactly(int(seen["content-length"]))
        writer.write(b"HTTP/1.1 202 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}")

    async with peer(script) as port:
        request = RuntimeRequest(
            CLAIMS, "POST", "/workers/a%2Fb~:%3A/events", "x=%C3%A9&y=a+b", {"x-request-id": "r-1"}, b'{"event":1}'
        )
        response = await port.call(request)

    assert (response.status, response.body) == (202, b"{}")
    method, target, _ = line.decode().split(" ")
    assert target == "/internal/v1/codex/workers/a%2Fb~:%3A/events?x=%C3%A9&y=a+b"
    claims = seen[CLAIMS_HEADER]
    verify(
        seen[HEADER],
        {"k1": b"secret"},
        method=method,
        target=target,
        body=body,
        claims=claims,
        now=SystemClock().now(),
    )
    assert from_headers(seen) == CLAIMS
    assert seen["x-oa-user-id"] == "7"
    assert seen["x-request-id"] == "r-1"


async def test_a_runtime_that_is_not_there_recorded_nothing():
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    server.close()
    await server.wait_closed()
    port = SignedHttpPort(f"http://127.0.0.1:{address[1]}", KEY, SystemClock())

    with pytest.raises(Unavailable) as caught:
        await port.call(RuntimeRequest(CLAIMS, "POST", "/workers"))
    assert caught.value.fact("outcome") == "not_recorded"
    assert caught.value.retry_after_seconds == 1.0
    await port.aclose()


@pytest.mark.parametrize(("method", "outcome"), [("POST", "unknown"), ("GET", "not_recorded")])
async def test_when_the_answer_is_lost_the_outcome_of_a_write_is_unknown(method: str, outcome: str):
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")

    async with peer(script) as port:
        with pytest.raises(Unavailable) as caught:
            await port.call(RuntimeRequest(CLAIMS, method, "/workers"))
    assert caught.value.fact("outcome") == outcome


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_whatever_pieces_arrive_whole_frames_come_out():
    stream = b"".join(b"id: %d\ndata: {}\n\n" % number for number in range(50)) + b": beat\n\n"

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        for start in range(0, len(stream), 7):
            writer.write(chunked(stream[start : start + 7]))
            await writer.drain()
        writer.write(b"0\r\n\r\n")

    async with peer(script) as port:
        response = await port.call(RuntimeRequest(CLAIMS, "GET", "/workers/w/stream"))
        chunks = [chunk async for chunk in response.body]
    assert b"".join(chunks) == stream
    assert all(chunk.endswith(b"\n\n") for chunk in chunks)


async def test_a_stream_that_breaks_off_gives_its_whole_frames_and_then_says_so():
    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunked(b"id: 1\ndata: {}\n\nid: 2\nda"))
        await writer.drain()

    async with peer(script) as port:
        response = await port.call(RuntimeRequest(CLAIMS, "GET", "/workers/w/stream"))
        stream = aiter(response.body)
        assert await anext(stream) == b"id: 1\ndata: {}\n\n"
        with pytest.raises(Unavailable):
            await anext(stream)


async def test_closing_a_stream_that_was_never_read_lets_go_of_its_connection():
    left = asyncio.Event()

    async def script(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunked(b": beat\n\n"))
        await writer.drain()
        assert await reader.read() == b""
        left.set()

    async with peer(script) as port:
        response = await port.call(RuntimeRequest(CLAIMS, "GET", "/workers/w/stream"))
        await response.body.aclose()
        await left.wait()

"""The proxy does what its faults say: else the tests that rely on it prove nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from autopilot.testing.fault_frames import Frames, doubled, swapped
from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy

MESSAGE = b"x" * 1000


@asynccontextmanager
async def through(fault: Fault):
    """A client's end of a connection to a server that sends a message and ends."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(MESSAGE)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, FaultProxy(*server.sockets[0].getsockname()[:2], plan=lambda _number: fault) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                yield proxy, reader
            finally:
                writer.transport.abort()


async def received(reader: asyncio.StreamReader) -> bytes:
    """Everything, until the connection ends in whatever way."""
    pieces = b""
    with suppress(OSError):
        while piece := await reader.read(4096):
            pieces += piece
    return pieces


@pytest.mark.parametrize("fault", [HEALTHY, Fault("dribble"), Fault("buffer")])
async def test_harmless_faults_bring_every_byte(fault):
    async with through(fault) as (_, reader):
        assert await received(reader) == MESSAGE


@pytest.mark.parametrize(
    ("fault", "most"), [(Fault("refuse"), 0), (Fault("cut", 100), 100), (Fault("close", 100), 100)]
)
async def test_after_a_cut_nothing_more_comes(fault, most):
    async with through(fault) as (_, reader):
        assert len(await received(reader)) <= most


@pytest.mark.parametrize("kind", ["stall", "half_open"])
async def test_a_silent_connection_stays_open(kind):
    async with through(Fault(kind, 100)) as (proxy, reader):
        assert await reader.readexactly(100) == MESSAGE[:100]
        await proxy.silenced.wait()

        assert proxy.connections == 1
        assert not reader.at_eof()


EVENTS = [b"id: %d\nevent: e\ndata: {}\n\n" % number for number in range(1, 6)]
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunked(*texts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(text), text) for text in texts)


def unchunked(body: bytes) -> bytes:
    text = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        text, body = text + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return text


@pytest.mark.parametrize("piece_bytes", [1, 7, 10_000])
@pytest.mark.parametrize(("rewrite", "order"), [(doubled, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]), (swapped, [2, 1, 4, 3, 5])])
def test_the_frames_of_a_stream_are_doubled_or_swapped_however_they_arrive(rewrite, order, piece_bytes):
    control = b"event: open\ndata: {}\n\n"
    text = STREAM + chunked(control[:9], control[9:], b"".join(EVENTS)) + b"0\r\n\r\n"
    frames = Frames(rewrite)
    made = b"".join(frames.feed(text[start : start + piece_bytes]) for start in range(0, len(text), piece_bytes))
    body = unchunked(made.removeprefix(STREAM).removesuffix(b"0\r\n\r\n"))

    assert made.startswith(STREAM)
    assert body == control + b"".join(EVENTS[number - 1] for number in order)


def test_what_is_no_event_stream_passes_as_it_is():
    plain = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    frames = Frames(doubled)
    assert frames.feed(plain) + frames.feed(STREAM + b"0\r\n\r\n") + frames.feed(plain) == (
        plain + STREAM + b"0\r\n\r\n" + plain
    )


async def test_a_gateway_that_finds_nobody_says_so():
    async with FaultProxy("127.0.0.1", 9, plan=lambda _number: Fault("error")) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await received(reader)).startswith(b"HTTP/1.1 502 ")
            writer.transport.abort()


async def test_a_slow_network_brings_every_byte():
    async with through(Fault("slow")) as (_, reader):
        assert await received(reader) == MESSAGE

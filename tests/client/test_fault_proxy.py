"""The proxy does what its faults say: else the tests that rely on it prove nothing."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

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
        async with asyncio.timeout(20):
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

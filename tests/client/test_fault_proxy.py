"""The proxy does what its faults say: else the tests that rely on it prove nothing."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.testing.fault_proxy import HEALTHY, Fault, FaultProxy

MESSAGE = b"x" * 1000


async def through(fault: Fault) -> tuple[bytes, str]:
    """What a client gets of a server that sends a message and ends, and how it ends."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(MESSAGE)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, FaultProxy(*server.sockets[0].getsockname()[:2], plan=lambda _number: fault) as proxy:
        host, port = proxy.url.removeprefix("http://").split(":")
        received = b""
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                while piece := await asyncio.wait_for(reader.read(4096), 0.2):
                    received += piece
            except TimeoutError:
                return received, "silent"
            except OSError:
                return received, "reset"
            finally:
                writer.transport.abort()
    return received, "ended"


@pytest.mark.parametrize("fault", [HEALTHY, Fault("dribble"), Fault("buffer")])
async def test_harmless_faults_bring_every_byte(fault):
    received, _ = await through(fault)

    assert received == MESSAGE


async def test_a_cut_resets_after_its_byte():
    received, _ = await through(Fault("cut", 100))

    assert len(received) <= 100


@pytest.mark.parametrize("kind", ["stall", "half_open"])
async def test_a_silent_connection_stays_open(kind):
    assert await through(Fault(kind, 100)) == (MESSAGE[:100], "silent")


async def test_a_refused_connection_brings_nothing():
    received, _ = await through(Fault("refuse"))

    assert received == b""

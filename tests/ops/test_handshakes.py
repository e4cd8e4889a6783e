"""Connections of the TLS port are counted from their acceptance, and a handshake that doesn't come ends them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.api.proxied import Certificate, certificate_in
from tests.waiting import until

from autopilot.ops import handshakes
from autopilot.ops.connections import Connections
from autopilot.ops.serve import Server
from autopilot.ops.tls import Tls

pytestmark = pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"use_uvloop": uvloop}) for uvloop in (False, True)], ids=["asyncio", "uvloop"]
)


async def body(request: Request) -> Response:
    return PlainTextResponse(await request.body())


@pytest.fixture
async def certificate(tmp_path: Path) -> Certificate:
    return await certificate_in(tmp_path)


@contextlib.asynccontextmanager
async def serving(certificate: Certificate, among: Connections) -> AsyncIterator[Server]:
    app = Starlette(routes=[Route("/", body, methods=["POST"])])
    tls = Tls.of(certificate.chain, certificate.key)
    async with asyncio.timeout(60), Server(app, tls=tls, connections=among).running() as server:
        yield server


async def opened(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", server.port)


async def rest(reader: asyncio.StreamReader) -> bytes:
    """What still comes until the server closes, however it does."""
    with contextlib.suppress(ConnectionResetError):
        return await reader.read()
    return b""


async def answered(server: Server, certificate: Certificate) -> bytes:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", server.port, ssl=certificate.context(), server_hostname="localhost"
    )
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n" + b"a" * 100_000)
    said = await reader.read()
    writer.close()
    return said


async def test_who_says_nothing_counts_and_makes_room_for_who_does(certificate: Certificate) -> None:
    among = Connections(most=3)
    async with serving(certificate, among) as server:
        silent = [await opened(server) for _ in range(3)]
        await until(lambda: len(among) == 3)
        assert (await answered(server, certificate)).endswith(b"a" * 100_000)
        assert not await rest(silent[0][0])
        for _, writer in silent:
            writer.close()
        await until(lambda: len(among) == 0)


async def test_an_address_over_its_limit_is_refused_before_its_handshake(certificate: Certificate) -> None:
    among = Connections(most_of_address=1)
    async with serving(certificate, among) as server:
        _, first = await opened(server)
        await until(lambda: len(among) == 1)
        with pytest.raises(ConnectionError):
            await answered(server, certificate)
        first.close()
        await until(lambda: len(among) == 0)
        assert (await answered(server, certificate)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_handshake_that_does_not_come_ends_in_time(
    certificate: Certificate, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_SECONDS", 0.05)
    among = Connections()
    async with serving(certificate, among) as server:
        reader, writer = await opened(server)
        writer.write(said)
        await rest(reader)
        writer.close()
        await until(lambda: len(among) == 0)


async def test_the_end_of_the_server_does_not_wait_for_handshakes(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "HANDSHAKE_SECONDS", 3600.0)
    among = Connections()
    async with serving(certificate, among) as server:
        silent = [await opened(server) for _ in range(5)]
        await until(lambda: len(among) == 5)
    assert len(among) == 0
    for _, writer in silent:
        writer.close()

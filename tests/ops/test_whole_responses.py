"""A whole response in one message: the same bytes as by ASGI's two, whatever was asked and however it is served."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from autopilot.ops.access import Access
from autopilot.ops.metrics import Metrics
from autopilot.ops.serve import WHOLE, Server
from autopilot.testing.clock import FakeClock

BODY = b'{"data":1}'
DATE = re.compile(rb"(?m)^date: .*\r\n")


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """`/whole` in one message, anything else in two; `/broken`: a header that would begin another."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]
    if scope["path"] == "/broken":
        headers.append((b"x-broken", b"a\r\nset-cookie: b"))
    if scope["path"] in {"/whole", "/broken"}:
        await send({"type": WHOLE, "status": 202, "headers": headers, "body": BODY})
        return
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    serving = Server(Access(answer, metrics=Metrics(), clock=FakeClock()), lifespan="on")
    async with serving.running():
        yield serving


async def said(server: Server, asked: bytes) -> bytes:
    """All that comes back until the server closes."""
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(asked)
        answered = await reader.read()
        writer.close()
        return DATE.sub(b"", answered)


def request(path: str, *, method: str = "POST", version: str = "1.1", more: str = "") -> bytes:
    head = f"{method} {path} HTTP/{version}\r\nHost: h\r\nx-request-id: r-1\r\n{more}"
    return f"{head}Content-Length: 2\r\n\r\n{{}}".encode() if method == "POST" else f"{head}\r\n".encode()


CLOSE = "Connection: close\r\n"


@pytest.mark.parametrize(
    "ask",
    [
        lambda path: request(path, more=CLOSE),
        lambda path: request(path, version="1.0"),
        lambda path: request(path, method="HEAD", more=CLOSE),
        lambda path: request(path) + request(path, more=CLOSE),
        lambda path: request(path) + request("/other") + request(path) + request("/other", more=CLOSE),
    ],
    ids=["closing", "http/1.0", "head", "pipelined", "in turns"],
)
async def test_a_client_sees_no_difference(server: Server, ask) -> None:
    whole = await said(server, ask("/whole"))

    assert whole == await said(server, ask("/parts"))
    assert whole.startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert b"x-request-id: r-1\r\n" in whole


async def test_a_connection_is_kept_and_answers_again_and_again(server: Server) -> None:
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(3):
            writer.write(request("/whole"))
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(BODY)) == BODY
        writer.close()


async def test_a_header_that_would_begin_another_is_never_sent(server: Server) -> None:
    assert b"set-cookie" not in await said(server, request("/broken", more=CLOSE))
    assert b"set-cookie" not in await said(server, request("/broken") + request("/broken", more=CLOSE))


async def test_where_another_server_serves_it_it_goes_out_as_two_messages() -> None:
    metrics = Metrics()
    transport = httpx2.ASGITransport(Access(answer, metrics=metrics, clock=FakeClock()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test.invalid") as client:
        response = await client.post("/whole", content=b"{}")

    assert (response.status_code, response.content) == (202, BODY)
    assert 'status="202"' in metrics.render()[0].decode()

"""The server ends in time, whatever is open, and takes no head that is too large or too slow."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from autopilot.ops import serve
from autopilot.ops.connections import Connections
from autopilot.ops.metrics import Metrics
from autopilot.ops.serve import MAX_HEAD_BYTES, MAX_HEADERS, Server, Wire, wire_of

PROGRAM = """
import asyncio, sys
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route
from autopilot.ops import serve
from autopilot.ops.lifecycle import stop_on_signals
from autopilot.ops.serve import Server

manner, serve.GRACE_SECONDS = sys.argv[1], float(sys.argv[2])

async def main():
    stopping = asyncio.Event()
    async def frames():
        yield b": open\\n\\n"
        try:
            await (asyncio.Event() if manner == "deaf" else stopping).wait()
        except asyncio.CancelledError:
            print("cancelled", flush=True)
            raise
        yield b"event: bye\\n\\n"
    async def stream(request):
        return StreamingResponse(frames(), media_type="text/event-stream")
    server = Server(Starlette(routes=[Route("/", stream)]), stopping=stopping)
    async with stop_on_signals() as stop, server.running():
        print(server.port, flush=True)
        await stop.wait()
asyncio.run(main())
"""


async def hello(request: Request) -> Response:
    return PlainTextResponse((await request.body()).decode() or "hello")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with Server(Starlette(routes=[Route("/", hello, methods=["GET", "POST"])])).running() as running:
        yield running


async def say(server: Server, *parts: bytes) -> bytes:
    """All that is answered until the server closes."""
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            for part in parts:
                writer.write(part)
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
            return await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def problem(answer: bytes) -> tuple[int, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]["details"][0]["reason_code"]


@pytest.mark.parametrize(
    ("manner", "grace_seconds", "cancelled"),
    [
        ("polite", 3600, 0),  # an hour that nobody waits for: they end by themselves, and the server with the last
        ("deaf", 0.01, 50),  # the grace is all that is waited for those who don't: then they are ended
    ],
)
async def test_fifty_open_streams_do_not_delay_the_end(manner: str, grace_seconds: float, cancelled: int) -> None:
    """How long that takes in all, on real processes: tests/e2e/test_up.py (2 s)."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(PROGRAM), manner, str(grace_seconds), stdout=pipe
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        port = int(await process.stdout.readline())
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        for reader, writer in connections:
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b": open\n\n")
        process.send_signal(signal.SIGTERM)
        code = await process.wait()
        words = await process.stdout.read()
        said = [await reader.read() for reader, _ in connections]
    for _, writer in connections:
        writer.close()

    assert code == 0
    assert words.count(b"cancelled") == cancelled
    assert sum(b"event: bye" in answer for answer in said) == 50 - cancelled


def test_who_does_not_end_by_itself_is_given_one_second() -> None:
    assert Server(Starlette()).config.timeout_graceful_shutdown == 1


async def test_a_stream_hears_that_the_end_has_begun() -> None:
    stopping = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        yield b"open"
        await stopping.wait()
        yield b"bye"

    async def stream(_request: Request) -> Response:
        return StreamingResponse(frames())

    async with asyncio.timeout(30):
        async with Server(Starlette(routes=[Route("/", stream)]), stopping=stopping).running() as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"open")
        assert b"bye" in await reader.read()
        writer.close()


async def test_a_request_is_answered_and_the_connection_kept(server: Server) -> None:
    ask = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n%s\r\nabc"

    answer = await say(server, ask % b"", ask % b"Connection: close\r\n")

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert b"server:" not in answer.lower()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nX: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 4 * MAX_HEAD_BYTES,  # and it never ends
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\n" + b"X: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\nabc",
    ],
)
async def test_a_head_that_is_too_large_is_431_also_before_it_ends(server: Server, head: bytes) -> None:
    assert problem(await say(server, *(head[at : at + 8192] for at in range(0, len(head), 8192)))) == (431, "too_large")


async def test_too_many_headers_are_431(server: Server) -> None:
    head = b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (MAX_HEADERS + 1) + b"\r\n"

    assert problem(await say(server, head)) == (431, "too_many")


async def test_a_head_within_the_limits_is_taken(server: Server) -> None:
    head = b"GET / HTTP/1.1\r\nConnection: close\r\nX: " + b"a" * (MAX_HEAD_BYTES - 200) + b"\r\n\r\n"

    assert b"200 OK" in await say(server, head)


async def test_what_is_not_http_gets_the_contracts_error(server: Server) -> None:
    assert problem(await say(server, b"\x16\x03\x01\x02\x00 hello\r\n\r\n")) == (400, "malformed_http")


async def test_what_the_server_itself_refuses_carries_the_security_headers(server: Server) -> None:
    head = (await say(server, b"nonsense\r\n\r\n")).lower()

    for header in (b"x-content-type-options: nosniff", b"frame-ancestors 'none'", b"referrer-policy: no-referrer"):
        assert header in head


async def test_a_head_that_does_not_come_is_408_and_silence_is_only_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "HEAD_SECONDS", 0.05)
    async with Server(Starlette(routes=[Route("/", hello)])).running() as running:
        assert problem(await say(running, b"GET / HTTP/1.1\r\nX: ")) == (408, "head_timeout")
        assert await say(running) == b""


async def test_line_ends_do_not_keep_an_idle_connection_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """They stop uvicorn's timer, and are no request that would start ours."""
    monkeypatch.setattr(serve, "HEAD_SECONDS", 0.3)
    async with Server(Starlette(routes=[Route("/", hello)])).running() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        async with asyncio.timeout(30):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.readuntil(b"hello")
            writer.write(b"\r\n")
            assert await reader.read() == b""
        writer.close()


async def test_who_does_not_read_what_is_ready_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "STALL_SECONDS", 0.05)
    gone = asyncio.Event()

    async def frames() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0)
        finally:
            gone.set()

    async def stream(_request: Request) -> Response:
        return StreamingResponse(frames())

    async with asyncio.timeout(30), Server(Starlette(routes=[Route("/", stream)])).running() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n")
        await gone.wait()
        writer.close()


class Talking:
    """An app whose response goes on until it hears that nobody listens."""

    def __init__(self) -> None:
        self.wire: Wire | None = None
        self.began, self.left = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        self.wire = self.wire or wire_of(scope)
        self.began.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()


ASKING = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    "more", [b"\x00 what is no HTTP\r\n\r\n", b"GET http://other.example/ HTTP/1.1\r\nHost: h\r\n\r\n"]
)
async def test_who_breaks_http_while_a_response_goes_on_is_written_to_no_more(more: bytes) -> None:
    app = Talking()
    async with asyncio.timeout(30), Server(app).running() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(ASKING)
        await app.began.wait()
        assert app.wire is not None
        assert app.wire.write(b"second")
        await reader.readuntil(b"second\r\n")

        writer.write(more)
        rest = await reader.read()

        assert b" 400 " in rest
        assert not app.wire.write(b"third")
        await app.left.wait()
        writer.close()


async def test_a_response_hears_that_its_client_left_though_another_request_waited_behind_it() -> None:
    app = Talking()
    async with asyncio.timeout(30), Server(app).running() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(ASKING + ASKING)
        await app.began.wait()
        assert app.wire is not None
        await reader.readuntil(b"first\r\n")
        writer.transport.abort()

        while not app.left.is_set():  # reading is paused: that the client left shows in a write
            app.wire.write(b"more")
            await asyncio.sleep(0)

        assert not app.wire.write(b"too late")


async def test_those_who_only_hold_on_make_room_for_those_who_ask() -> None:
    among = Connections(most=5)
    async with (
        asyncio.timeout(30),
        Server(Starlette(routes=[Route("/", hello)]), connections=among).running() as running,
    ):
        slow = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(5)]
        for _, writer in slow:
            writer.write(b"GET / HTTP/1.1\r\nX: ")
        ask = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert (await say(running, ask)).endswith(b"hello")
        with contextlib.suppress(ConnectionResetError):
            assert await slow[0][0].read() == b""
        for _, writer in slow:
            writer.close()


async def test_an_address_has_so_many_connections_and_others_are_not_its_business() -> None:
    metrics = Metrics()
    among = Connections(most_of_address=2, metrics=metrics)
    async with (
        asyncio.timeout(30),
        Server(Starlette(routes=[Route("/", hello)]), connections=among).running() as running,
    ):
        held = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(2)]
        while len(among) < len(held):  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0)
        with contextlib.suppress(ConnectionResetError):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            assert await reader.read() == b""
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port, local_addr=("127.0.0.2", 0))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")
        for _, one in (*held, (reader, writer)):
            one.close()

    assert metrics.registry.get_sample_value("autopilot_connections_refused_total", {"limit": "address"}) == 1.0


async def test_an_address_that_is_taken_is_an_error_not_an_exit(server: Server) -> None:
    with pytest.raises(OSError, match="in use"):
        async with Server(Starlette(), port=server.port).running():
            pytest.fail("it must not start")


class BodyFailed(Exception):
    pass


async def fails() -> None:
    raise BodyFailed


async def is_cancelled() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    try:
        await asyncio.Event().wait()
    finally:
        task.uncancel()


@pytest.mark.parametrize("body", [fails, is_cancelled])
async def test_a_server_whose_body_does_not_end_well_listens_no_more(body: Callable[[], Awaitable[None]]) -> None:
    server = Server(Starlette(routes=[Route("/", hello)]))
    sockets = []
    with pytest.raises((asyncio.CancelledError, ExceptionGroup)):  # noqa: PT012  what is tested is how the server's body ends
        async with server.running():
            sockets += [sock for one in server.servers for sock in one.sockets]
            await body()

    assert sockets
    assert {sock.fileno() for sock in sockets} == {-1}


async def test_it_serves_on_a_unix_socket(tmp_path: Path) -> None:
    async with Server(Starlette(routes=[Route("/", hello)]), uds=tmp_path / "s").running():
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"hello")
        writer.close()

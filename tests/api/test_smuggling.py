"""Requests that two parsers may read in two ways: refused with the connection, before anything behind them is read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from tests.api.served import EchoRuntime, ServedApi, serving

from autopilot.api.settings import ApiSettings
from autopilot.testing.postgres import TestCluster

EVENTS = b"/api/runtime/codex/workers/w/events"
HIDDEN = b"GET /api/runtime/codex/workers/hidden HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"

TWO_WAYS = {
    "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "both lengths, the other first": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n",
    "the same length twice": b"Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "a list of lengths": b"Content-Length: 0, 0\r\n\r\n",
    "a length with a sign": b"Content-Length: +0\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a length with an underscore": b"Content-Length: 0_0\r\n\r\n",
    "a folded header": b"X-A: b\r\n Content-Length: 60\r\n\r\n",
    "a folded length": b"Content-Length:\r\n 60\r\n\r\n",
    "a blank before the colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "an encoding nobody knows": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked and more": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "more and chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a vertical tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
    "a zero byte": b"X-A: b\x00\r\nContent-Length: 0\r\n\r\n",
    "a bare carriage return": b"X-A: b\rContent-Length: 60\r\n\r\n",
    "a bare line feed": b"X-A: b\nContent-Length: 60\r\n\r\n",
    "a header without a colon": b"X-A\r\nContent-Length: 0\r\n\r\n",
    "a chunk size in C": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "a chunk without a carriage return": b"Transfer-Encoding: chunked\r\n\r\n0\n\n",
}  # fmt: skip


@pytest.fixture(scope="module")
async def served_once(cluster: TestCluster) -> AsyncIterator[ServedApi]:
    settings = ApiSettings(sign_ins_per_minute=6000.0, trusted_proxies="127.0.0.1")
    async with cluster.database() as dsn, serving(dsn, EchoRuntime(), settings=settings) as served:
        yield served


@pytest.fixture
def api(served_once: ServedApi) -> ServedApi:
    served_once.runtime.reset()
    return served_once


async def all_that_is_said(api: ServedApi, request: bytes) -> bytes:
    """Everything that comes back until the server closes; a reset closes too."""
    parts = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    said = b""
    try:
        writer.write(request)
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(65536):
                    said += piece
    finally:
        writer.close()
    return said


@pytest.mark.parametrize("trick", TWO_WAYS)
async def test_what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(api: ServedApi, trick: str):
    token = (await api.mint("ada@example.org")).token.encode()
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n" % (EVENTS, token)

    said = await all_that_is_said(api, head + TWO_WAYS[trick] + HIDDEN % token)

    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"malformed_http" in said
    assert said.count(b"HTTP/1.1 ") == 1
    assert not api.runtime.calls


@pytest.mark.parametrize(
    "line",
    [
        b"GET http://evil.example.com/healthz HTTP/1.1", b"GET http://localhost/healthz HTTP/1.1",
        b"CONNECT localhost:22 HTTP/1.1", b"OPTIONS * HTTP/1.1", b"GET healthz HTTP/1.1", b"GET /a b HTTP/1.1",
        b"GET /healthz HTTP/9.9", b"GET /healthz", b"PRI * HTTP/2.0",
    ],
)  # fmt: skip
async def test_a_request_line_that_is_no_method_path_and_version_is_refused(api: ServedApi, line: bytes):
    said = await all_that_is_said(api, line + b"\r\nHost: localhost\r\n\r\n")

    assert said.startswith(b"HTTP/1.1 400 ")
    assert said.count(b"HTTP/1.1 ") == 1


async def test_a_chunked_body_of_http_1_0_is_refused(api: ServedApi):
    head = b"POST /api/auth/email HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

    assert b"malformed_http" in await all_that_is_said(api, head)


async def test_a_trailer_is_no_header(api: ServedApi):
    """Else it would be read after what a proxy wrote: another address, another token."""
    token = (await api.mint("ada@example.org")).token.encode()
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n" % EVENTS
    trailers = b"Authorization: Bearer %s\r\nX-Forwarded-For: 203.0.113.9\r\nHost: evil.example.com\r\n\r\n" % token

    said = await all_that_is_said(api, head + b"\r\n2\r\n{}\r\n0\r\n" + trailers)

    assert said.startswith(b"HTTP/1.1 401 ")
    assert b"no_token" in said
    assert not api.runtime.calls


async def test_an_upgrade_hides_no_second_request(api: ServedApi):
    token = (await api.mint("ada@example.org")).token.encode()
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"

    said = await all_that_is_said(api, head + HIDDEN % token)

    assert said.count(b"HTTP/1.1 ") == 1
    assert not api.runtime.calls

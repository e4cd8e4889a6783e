"""Behind nginx and Caddy, with the configuration that we ship, nothing is lost, held back or believed wrongly."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.proxied import NAME, Proxy, running_proxy
from tests.api.served import EchoRuntime, ServedApi, eventually, serving
from tests.api.test_smuggling import EVENTS, HIDDEN, TWO_WAYS

from autopilot.api.settings import ApiSettings
from autopilot.testing.postgres import TestCluster

STREAM = "/api/runtime/codex/workers/w/stream"
FRAME = b'id: %d\nevent: codex.worker.event\ndata: {"seq":%d}\n\n'
SETTINGS = ApiSettings(sign_ins_per_minute=6000.0, trusted_proxies="127.0.0.1", public_url=f"https://{NAME}")


@dataclass(frozen=True)
class Behind:
    """The API, and the proxy before it."""

    api: ServedApi
    proxy: Proxy

    async def token(self) -> str:
        return (await self.api.mint("ada@example.org")).token


@pytest.fixture(scope="module", params=["nginx", "caddy"])
async def once(
    request: pytest.FixtureRequest, cluster: TestCluster, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Behind]:
    folder = tmp_path_factory.mktemp(request.param)
    async with (
        cluster.database() as dsn,
        serving(dsn, EchoRuntime(), settings=SETTINGS) as api,
        running_proxy(request.param, api.url, folder) as proxy,
    ):
        yield Behind(api, proxy)


@pytest.fixture
def behind(once: Behind) -> Behind:
    once.api.runtime.reset()
    return once


async def test_a_frame_comes_through_before_the_next_one_exists(behind: Behind):
    curl = await behind.proxy.curl(STREAM, "-H", f"authorization: Bearer {await behind.token()}")
    assert curl.stdout is not None
    async with asyncio.timeout(60):
        for seq in range(1, 4):
            frame = FRAME % (seq, seq)
            await behind.api.runtime.chunks.put(frame)
            assert await curl.stdout.readexactly(len(frame)) == frame
        await behind.api.runtime.chunks.put(None)
        assert await curl.stdout.read() == b""
        assert await curl.wait() == 0


async def test_http_2_is_spoken_and_a_plain_error_is_ours(behind: Behind):
    said = await behind.proxy.said("/api/me", "-w", "\n%{http_version} %{http_code}")

    body, version = said.rsplit("\n", 1)
    assert version == "2 401"
    assert json.loads(body)["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/%6detrics", "/api/../metrics"])
async def test_numbers_about_the_server_are_for_nobody_outside(behind: Behind, path: str):
    assert (await behind.proxy.said(path, "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}")) in {"404", "400"}


@pytest.mark.parametrize(("size_bytes", "status"), [(15 << 20, "200"), ((16 << 20) + 1, "413")])
async def test_large_bodies_pass_and_the_limit_is_the_servers(
    behind: Behind, tmp_path: Path, size_bytes: int, status: str
):
    (tmp_path / "body").write_bytes(b" " * (size_bytes - 2) + b"{}")
    asked = ("-H", f"authorization: Bearer {await behind.token()}", "-H", "content-type: application/json")

    said = await behind.proxy.said(
        EVENTS.decode(), *asked, "--data-binary", f"@{tmp_path / 'body'}", "-w", "\n%{http_code}"
    )

    body, code = said.rsplit("\n", 1)
    assert code == status
    if status == "200":
        assert json.loads(body)["data"]["bytes"] == size_bytes
    else:
        assert json.loads(body)["error"]["code"] == "payload_too_large"


async def test_the_clients_own_address_is_seen_whatever_it_claims(behind: Behind):
    claims = ("x-forwarded-for: 6.6.6.6", "forwarded: for=6.6.6.6", "x-real-ip: 6.6.6.6")
    lies = [word for claim in claims for word in ("-H", claim)]

    said = await behind.proxy.said(
        "/api/auth/email", "--interface", "127.0.0.9", *lies, "-H", "content-type: application/json",
        "-d", '{"email":"ada@example.org"}',
    )  # fmt: skip

    assert json.loads(said)["ok"] is True
    seen = await behind.api.pool.fetchval("select address from api.audit where action = 'code_requested' order by at")
    assert seen == "127.0.0.9"


async def test_ids_of_correlation_go_through_and_come_back(behind: Behind):
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    asked = [f"authorization: Bearer {await behind.token()}", "x-request-id: mine-1", f"traceparent: {traceparent}"]

    said = await behind.proxy.said(
        "/api/runtime/codex/workers", "-D", "-", *[word for header in asked for word in ("-H", header)]
    )

    assert "x-request-id: mine-1" in said.lower()
    seen = behind.api.runtime.calls[-1].headers
    assert (seen["x-request-id"], seen["traceparent"]) == ("mine-1", traceparent)


async def test_our_own_page_may_call_and_a_foreign_one_or_another_host_may_not(behind: Behind):
    token = await behind.token()

    async def asked(*headers: str) -> str:
        words = [word for header in (f"authorization: Bearer {token}", *headers) for word in ("-H", header)]
        return await behind.proxy.said(EVENTS.decode(), *words, "-d", "{}", "-H", "content-type: application/json")

    assert "data" in json.loads(await asked(f"origin: https://{NAME}"))
    assert "foreign_origin" in await asked("origin: https://evil.example.com")
    assert "foreign_origin" in await asked("origin: https://evil.example.com", "x-forwarded-host: evil.example.com")
    assert '"data"' not in await asked("host: evil.example.com")
    assert len(behind.api.runtime.calls) == 1


async def test_no_request_is_smuggled_past_the_proxy(behind: Behind):
    """What the runtime sees behind a trick, the proxy saw too: it answered the client once for each."""
    token = (await behind.token()).encode()
    for trick, rest in TWO_WAYS.items():
        behind.api.runtime.reset()
        head = b"POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n" % (EVENTS, NAME.encode(), token)
        hidden = (HIDDEN % token).replace(b"Host: localhost", b"Host: %s\r\nConnection: close" % NAME.encode())
        said = b""
        reader, writer = await behind.proxy.open()
        writer.write(head + rest + hidden)
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionError):
                while piece := await reader.read(65536):
                    said += piece
        writer.close()
        seen = [call.path for call in behind.api.runtime.calls]
        assert said.count(b"HTTP/1.1 ") >= len(seen), trick
        assert len(seen) <= 2, trick  # the one and the other, each for itself


async def test_a_trailer_of_a_client_is_no_header_behind_the_proxy(behind: Behind):
    token = (await behind.token()).encode()
    head = b"POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % (EVENTS, NAME.encode())
    head += b"Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n2\r\n{}\r\n0\r\n"

    reader, writer = await behind.proxy.open()
    writer.write(head + b"Authorization: Bearer %s\r\n\r\n" % token)
    async with asyncio.timeout(60):
        said = await reader.read()
    writer.close()

    assert b" 401" in said.split(b"\r\n")[0]
    assert not behind.api.runtime.calls


@pytest.mark.parametrize("kind", ["nginx", "caddy"])
async def test_at_shutdown_every_stream_says_goodbye_through_the_proxy(database: str, tmp_path: Path, kind: str):
    async with (
        serving(database, EchoRuntime(), settings=SETTINGS) as api,
        running_proxy(kind, api.url, tmp_path) as proxy,
    ):
        token = (await api.mint("ada@example.org")).token
        followers = [
            await proxy.curl(f"{STREAM}?frames=control", "-H", f"authorization: Bearer {token}") for _ in range(5)
        ]
        async with asyncio.timeout(60):
            await eventually(lambda: api.app.state.api.watch.count == len(followers), seconds=60)
            api.server.stop()
            said = [(await one.communicate())[0] for one in followers]

    assert [one.returncode for one in followers] == [0] * 5
    assert all(b'event: codex.stream.bye\ndata: {"reason":"shutdown"' in words for words in said)

"""Whose name a call goes to, and whose page makes it: what a browser that was led astray tells of itself."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, raw, serving

from autopilot.api.address import Addresses
from autopilot.api.settings import ApiSettings
from autopilot.api.site import Site
from autopilot.contract.errors import Forbidden, InvalidRequest
from autopilot.testing.postgres import TestCluster

EVENTS = "/api/runtime/codex/workers/w/events"
PAGE = "https://pages.example.org"
SETTINGS = ApiSettings(
    public_url="https://autopilot.example.org",
    hosts="box.example.org, 192.0.2.9",
    cors_origins=f"{PAGE}, tauri://localhost",
)


@pytest.fixture(scope="module")
async def served_once(cluster: TestCluster) -> AsyncIterator[ServedApi]:
    async with cluster.database() as dsn, serving(dsn, EchoRuntime(), settings=SETTINGS) as served:
        yield served


@pytest.fixture
def api(served_once: ServedApi) -> ServedApi:
    served_once.runtime.reset()
    return served_once


def called(
    *headers: tuple[str, str],
    client: str = "127.0.0.1",
    server: str = "10.1.2.3",
    scheme: str = "http",
    path: str = EVENTS,
) -> dict[str, object]:
    """The scope of a call that came in by the address 10.1.2.3."""
    return {
        "type": "http",
        "method": "POST",
        "path": path,
        "scheme": scheme,
        "client": (client, 1),
        "server": (server, 8787),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
    }


def site(proxies: str = "") -> Site:
    return Site(
        Addresses(proxies), public_url=SETTINGS.public_url, hosts=SETTINGS.hosts, cors_origins=SETTINGS.cors_origins
    )


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:1", "dev.localhost:8787", "127.0.0.1:8787", "127.9.9.9", "[::1]:8787",
        "[0:0:0:0:0:0:0:1]", "10.1.2.3:8787", "autopilot.example.org", "Autopilot.Example.ORG.:443",
        "box.example.org", "192.0.2.9:80",
        socket.gethostname(), f"{socket.gethostname()}.local:8787",
    ],
)  # fmt: skip
def test_loopback_the_address_it_came_by_and_what_is_set_are_answered_to(host: str):
    site().check(called(("host", host)))


@pytest.mark.parametrize(
    "hosts",
    [
        ("evil.example.com",), ("evil.example.com:8787",), ("127.0.0.1.evil.example.com",), ("localhost.example.com",),
        ("10.1.2.4",), ("0.0.0.0",), ("2130706433",), ("0x7f.1",), ("localhost@evil.example.com",), ("localhost/x",),
        ("localhost#@evil.example.com",), ("local\thost",), ("localhost:80:80",), ("localhost:port",), ("",), ("[",),
        (".",), ("xn--lcalhost-54a",), ("[::ffff:10.9.9.9]",), (" ",), ("localhost, evil.example.com",), (),
        ("localhost", "localhost"), ("localhost", "evil.example.com"), ("evil.example.com", "localhost"),
    ],
)  # fmt: skip
def test_any_other_host_is_refused_whatever_it_looks_like(hosts: tuple[str, ...]):
    with pytest.raises(InvalidRequest) as refused:
        site().check(called(*(("host", host) for host in hosts)))
    assert refused.value.reason_code == "unknown_host"


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/metrics", "/api/docs", "/api/openapi.json", "/api/me", EVENTS, "/nothing"]
)
async def test_a_rebound_name_gets_nothing_on_any_path_but_the_contracts_error(api: ServedApi, path: str):
    answer = await api.client.get(path, headers={"host": "rebound.example.com"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_request"
    assert answer.json()["error"]["details"] == [{"reason_code": "unknown_host"}]
    assert "rebound" not in answer.text
    assert not api.runtime.calls


@pytest.mark.parametrize(
    "origin", ["http://localhost:8787", "https://autopilot.example.org", PAGE, "tauri://localhost"]
)
def test_our_own_pages_and_listed_ones_may_call(origin: str):
    site().check(called(("host", "localhost:8787"), ("origin", origin)))


@pytest.mark.parametrize(
    "origins",
    [
        ("https://evil.example.com",), ("null",), ("",), ("http://localhost",), ("https://localhost:8787",),
        ("http://localhost:8788",), ("http://autopilot.example.org",), ("https://autopilot.example.org.evil.example.com",),
        ("https://autopilot.example.org:444",), ("https://autopilot.example.org@evil.example.com",), ("file://",),
        ("https://autopilot.example.org/",), ("http://localhost:8787", "https://evil.example.com"), (f"{PAGE}:80",),
        ("https://evil.example.com, http://localhost:8787",),
    ],
)  # fmt: skip
def test_a_foreign_page_is_refused(origins: tuple[str, ...]):
    with pytest.raises(Forbidden) as refused:
        site().check(called(("host", "localhost:8787"), *(("origin", origin) for origin in origins)))
    assert refused.value.reason_code == "foreign_origin"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/auth/email"), ("POST", "/api/auth/verify"), ("POST", "/api/auth/refresh"), ("POST", EVENTS),
        ("GET", "/api/runtime/codex/workers/w/stream"), ("GET", "/api/runtime/codex/stream"),
        ("GET", "/api/runtime/codex/machines/m/feed"), ("OPTIONS", EVENTS),
    ],
)  # fmt: skip
async def test_no_write_and_no_stream_of_a_foreign_page_reaches_anything_even_with_a_good_token(
    api: ServedApi, method: str, path: str
):
    token = (await api.mint("ada@example.org")).token
    headers = {**bearer(token), "origin": "https://evil.example.com", "content-type": "application/json"}

    answer = await api.client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)

    assert (answer.status_code, answer.json()["error"]["details"]) == (403, [{"reason_code": "foreign_origin"}])
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert not api.runtime.calls


async def test_a_cross_site_websocket_is_refused_and_ours_is_no_websocket_either(api: ServedApi):
    wants = (
        b"GET /api/runtime/codex/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    )
    wants += b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

    assert (await raw(api, wants + b"Origin: https://evil.example.com\r\n\r\n"))[0] == 403
    assert (await raw(api, wants + b"\r\n"))[0] == 401


async def test_a_listed_origin_gets_cors_headers_on_answers_and_errors_and_nobody_else_any(api: ServedApi):
    token = (await api.mint("ada@example.org")).token
    wanted = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }

    asked = await api.client.options(EVENTS, headers=wanted)
    good = await api.client.post(EVENTS, headers={**bearer(token), "origin": PAGE}, json={})
    bad = await api.client.post(EVENTS, headers={"origin": PAGE}, json={})
    plain = await api.client.post(EVENTS, headers=bearer(token), json={})

    assert asked.status_code == 204
    assert asked.headers["access-control-allow-headers"] == "authorization"
    assert "POST" in asked.headers["access-control-allow-methods"]
    assert (good.status_code, bad.status_code, plain.status_code) == (200, 401, 200)
    for answer in (asked, good, bad):
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "access-control-allow-credentials" not in answer.headers
    assert "x-request-id" in good.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in plain.headers
    assert all(answer.headers["vary"] == "Origin" for answer in (asked, good, bad, plain))


def test_cors_is_closed_by_default():
    closed = Site(Addresses())
    scope = called(("host", "localhost"), ("origin", "http://localhost"), ("access-control-request-method", "POST"))
    scope["method"] = "OPTIONS"

    closed.check(scope)

    assert closed.cors_headers(scope) == []
    assert closed.preflight(scope) is None


def test_what_a_trusted_proxy_was_asked_counts_instead_of_what_it_asks():
    asked = [("host", "127.0.0.1:8787"), ("x-forwarded-host", "box.example.org"), ("x-forwarded-proto", "https")]

    site("127.0.0.1").check(called(*asked, ("origin", "https://box.example.org")))
    with pytest.raises(Forbidden):
        site("127.0.0.1").check(called(*asked, ("origin", "http://box.example.org")))
    with pytest.raises(InvalidRequest):
        site("127.0.0.1").check(called(*asked[:1], ("x-forwarded-host", "evil.example.com")))
    with pytest.raises(InvalidRequest):
        site("127.0.0.1").check(called(*asked[:1], ("x-forwarded-host", "box.example.org, evil.example.com")))


def test_what_anybody_else_says_of_forwarding_means_nothing():
    said = [
        ("x-forwarded-host", "evil.example.com"),
        ("x-forwarded-proto", "https"),
        ("forwarded", "host=evil;proto=https"),
    ]

    for proxies in ("", "192.0.2.1"):
        site(proxies).check(called(("host", "box.example.org"), ("origin", "http://box.example.org"), *said))
        with pytest.raises(InvalidRequest):
            site(proxies).check(called(("host", "evil.example.com"), ("x-forwarded-host", "localhost")))
        with pytest.raises(Forbidden):
            site(proxies).check(called(("host", "localhost"), ("origin", "https://evil.example.com"), *said))


@pytest.mark.parametrize(
    "wrong",
    [
        {"public_url": "autopilot.example.org"}, {"public_url": "ftp://x.example.org"},
        {"hosts": "https://x.example.org"}, {"hosts": "a b"}, {"hosts": "*"}, {"cors_origins": "*"},
        {"cors_origins": "x.example.org"},
        {"cors_origins": "null"}, {"cors_origins": "https://x.example.org/path"},
    ],
)  # fmt: skip
def test_a_setting_that_names_no_site_is_refused_at_start(wrong: dict[str, str]):
    with pytest.raises(ValueError, match=r"is no (URL|name|origin)"):
        Site(Addresses(), **wrong)


@pytest.mark.parametrize("path", ["/", "/api/docs", "/api/openapi.json", "/healthz", "/nothing", "/api/me"])
async def test_every_answer_carries_the_security_headers(api: ServedApi, path: str):
    answer = await api.client.get(path)

    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "server" not in answer.headers
    assert "set-cookie" not in answer.headers

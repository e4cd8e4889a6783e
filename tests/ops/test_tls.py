"""A certificate of one's own serves, is replaced while it serves, and what is wrong with one is said."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from tests.api.proxied import Certificate, certificate_in

from autopilot.cli.lan import listening_socket
from autopilot.cli.serving.process import secure_listening, serve_on
from autopilot.ops.serve import Server
from autopilot.ops.settings import SettingsRefused
from autopilot.ops.tls import Tls


async def scheme(request: Request) -> Response:
    return PlainTextResponse(request.url.scheme)


@pytest.fixture
async def certificate(tmp_path: Path) -> Certificate:
    return await certificate_in(tmp_path)


async def asked(port: int, trusted: Certificate) -> bytes:
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusted.context(), server_hostname="localhost"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        said = await reader.read()
        writer.close()
    return said


async def test_it_serves_and_a_new_certificate_counts_for_the_next_connection(certificate: Certificate, tmp_path: Path):
    other = await certificate_in(tmp_path, "other")
    tls = Tls.of(certificate.chain, certificate.key)
    async with Server(Starlette(routes=[Route("/", scheme)]), tls=tls).running() as running:
        assert (await asked(running.port, certificate)).endswith(b"https")
        was = Certificate(tmp_path / "was.pem", certificate.key)
        was.chain.write_bytes(certificate.chain.read_bytes())
        certificate.chain.write_bytes(other.chain.read_bytes())
        assert not tls.reload()  # a certificate without its key: the one before goes on
        assert (await asked(running.port, was)).endswith(b"https")
        certificate.key.write_bytes(other.key.read_bytes())
        assert tls.reload()
        assert (await asked(running.port, other)).endswith(b"https")
        with pytest.raises(ssl.SSLCertVerificationError):
            await asked(running.port, was)


async def test_what_is_wrong_is_said_with_the_name_of_the_setting(certificate: Certificate, tmp_path: Path):
    other = await certificate_in(tmp_path, "other")
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("no PEM")
    nonsense.chmod(0o600)
    gone = tmp_path / "gone"

    for chain, key, words in (
        (gone, certificate.key, "AUTOPILOT_TLS_CERTIFICATE: .*No such file"),
        (certificate.chain, gone, "AUTOPILOT_TLS_KEY: .*No such file"),
        (certificate.chain, other.key, "is not the key of"),
        (nonsense, certificate.key, "no certificate and key in PEM"),
        (certificate.chain, nonsense, "no certificate and key in PEM"),
        (certificate.chain, tmp_path, "AUTOPILOT_TLS_KEY: .*directory"),
    ):
        with pytest.raises(SettingsRefused, match=words):
            Tls.of(chain, key)
    certificate.key.chmod(0o604)
    with pytest.raises(SettingsRefused, match="chmod o="):
        Tls.of(certificate.chain, certificate.key)


async def test_a_key_with_a_passphrase_is_refused_without_asking(certificate: Certificate, tmp_path: Path):
    locked = tmp_path / "locked.key"
    process = await asyncio.create_subprocess_exec(
        "openssl", "ec", "-in", certificate.key, "-aes256", "-passout", "pass:secret", "-out", locked,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
    locked.chmod(0o600)

    with pytest.raises(SettingsRefused, match="passphrase"):
        Tls.of(certificate.chain, locked)


async def test_the_key_alone_and_a_place_that_is_none_are_refused(certificate: Certificate):
    for chain, key, where, words in (
        (None, certificate.key, "127.0.0.1:0", "one of them is not set"),
        (certificate.chain, None, "127.0.0.1:0", "one of them is not set"),
        (certificate.chain, certificate.key, "here", "no address and port"),
        (certificate.chain, certificate.key, "127.0.0.1:99999", "no address and port"),
    ):
        with pytest.raises(SettingsRefused, match=words):
            secure_listening(chain, key, where)
    assert secure_listening(None, None, "") is None


async def test_one_process_serves_both_and_ends_both(certificate: Certificate):
    secure = secure_listening(certificate.chain, certificate.key, "127.0.0.1:0")
    assert secure is not None
    stop, plain = asyncio.Event(), listening_socket("127.0.0.1", 0)
    app = Starlette(routes=[Route("/", scheme)])
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(serve_on(app, plain, stop, asyncio.Event(), secure=secure))
        assert (await asked(secure.sock.getsockname()[1], certificate)).endswith(b"https")
        reader, writer = await asyncio.open_connection(*plain.getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"http")
        writer.close()
        stop.set()

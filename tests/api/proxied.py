"""The API behind a real nginx or Caddy with the configuration that we ship: only names, ports and files are others."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.waiting import until

from autopilot.cli.lan import listening_socket

NAME = "autopilot.example.com"
DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


@dataclass(frozen=True)
class Certificate:
    """Signed by itself, for NAME and localhost."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """What a client trusts."""
        return ssl.create_default_context(cafile=str(self.chain))


@dataclass(frozen=True)
class Proxy:
    """A running proxy."""

    port: int
    certificate: Certificate

    async def curl(self, path: str, *arguments: str) -> asyncio.subprocess.Process:
        """curl, asking it for `path` over HTTP/2 unless told otherwise."""
        where = ("--resolve", f"{NAME}:{self.port}:127.0.0.1", "--cacert", str(self.certificate.chain))
        return await asyncio.create_subprocess_exec(
            "curl", "-sSN", "--http2", *where, f"https://{NAME}:{self.port}{path}", *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def said(self, path: str, *arguments: str) -> str:
        """All that curl prints."""
        async with asyncio.timeout(60):
            return (await (await self.curl(path, *arguments)).communicate())[0].decode()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TLS connection for bytes that no client would send."""
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.certificate.context(), server_hostname=NAME
        )


async def certificate_in(folder: Path, name: str = "server") -> Certificate:
    """A new one."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    process = await asyncio.create_subprocess_exec(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
        "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},DNS:localhost,IP:127.0.0.1",
        "-keyout", str(made.key), "-out", str(made.chain), stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0
    return made


@asynccontextmanager
async def running_proxy(kind: str, url: str, folder: Path) -> AsyncIterator[Proxy]:
    """The shipped configuration of `kind`, in front of `url`."""
    certificate = await certificate_in(folder)
    with listening_socket("127.0.0.1", 0) as first, listening_socket("127.0.0.1", 0) as second:
        port, plain = first.getsockname()[1], second.getsockname()[1]
    upstream = urlsplit(url).netloc
    command = (_nginx if kind == "nginx" else _caddy)(folder, certificate, upstream, port, plain)
    log = (folder / "proxy.log").open("wb")
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "HOME": str(folder)}, stdout=log, stderr=log
    )
    try:
        await until(lambda: process.returncode is not None or _takes_connections(port))
        assert process.returncode is None, (folder / "proxy.log").read_text()
        yield Proxy(port, certificate)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        log.close()


async def _takes_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def _nginx(folder: Path, certificate: Certificate, upstream: str, port: int, plain: int) -> list[str]:
    shipped = (DEPLOY / "nginx/autopilot.conf").read_text()
    for ours, theirs in {
        "127.0.0.1:8787": upstream,
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        f"/etc/letsencrypt/live/{NAME}/fullchain.pem": str(certificate.chain),
        f"/etc/letsencrypt/live/{NAME}/privkey.pem": str(certificate.key),
    }.items():
        assert ours in shipped
        shipped = shipped.replace(ours, theirs)
    (folder / "autopilot.conf").write_text(shipped)
    user = "user root;\n" if os.getuid() == 0 else ""
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}include {folder}/autopilot.conf;\n}}\n"
    )
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    return [nginx, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]


def _caddy(folder: Path, certificate: Certificate, upstream: str, port: int, plain: int) -> list[str]:
    shipped = (DEPLOY / "caddy/Caddyfile").read_text()
    own = f"\tadmin off\n\tauto_https disable_redirects\n\thttp_port {plain}\n\thttps_port {port}\n\tservers {{"
    for ours, theirs in {
        "127.0.0.1:8787": upstream,
        f"\n{NAME} {{": f"\n{NAME} {{\n\ttls {certificate.chain} {certificate.key}\n\tbind 127.0.0.1",
        "\tservers {": own,
    }.items():
        assert ours in shipped
        shipped = shipped.replace(ours, theirs)
    (folder / "Caddyfile").write_text(shipped)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]

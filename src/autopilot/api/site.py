"""Which names this API answers to, and which web pages may call it.

A browser that was led here by somebody else's name (DNS rebinding) or page (cross-site) tells on itself, by `Host` or
by `Origin`: both must be ours. Ours are loopback, the address that a call arrived at, this machine's own name, the host
of AUTOPILOT_PUBLIC_URL, and what AUTOPILOT_HOSTS names. `X-Forwarded-Host` and `-Proto` stand in for what a trusted
proxy (`Addresses`) was asked; from anybody else they mean nothing. Other origins get CORS headers where
AUTOPILOT_CORS_ORIGINS lists them. Never looks anything up: a name is what it says.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import Scope

from autopilot.api.address import Addresses
from autopilot.api.settings import ApiSettings
from autopilot.contract.errors import Forbidden, InvalidRequest
from autopilot.contract.write_signature import READS
from autopilot.ops.settings import SettingsRefused

Header = tuple[bytes, bytes]

API = "/api/"
DEFAULT_PORTS = {"http": 80, "https": 443}
PREFLIGHT_SECONDS = 600
"""How long a browser may rely on a preflight; Chromium's own limit is 7200."""
METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
EXPOSED = (
    b"etag, retry-after, x-autopilot-contract, x-autopilot-incomplete, x-autopilot-redacted, x-autopilot-truncated,"
    b" x-request-id"
)
"""Answer headers that a script of a listed origin may read."""
ASKED_HEADERS = re.compile(rb"[A-Za-z0-9_, -]{1,1024}")
_HOST = re.compile(r"(?P<name>[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)

Origin = tuple[str, str, int]
"""Scheme, host, port."""


class Site:
    """Judges where a call says it goes to, and comes from."""

    def __init__(
        self, addresses: Addresses, *, public_url: str | None = None, hosts: str = "", cors_origins: str = ""
    ) -> None:
        """`hosts`: names or addresses; `cors_origins`: such as `https://app.example.com`; both separated by commas.

        Raises:
            ValueError: one of them is none, or the public URL has no host.
        """
        self._addresses = addresses
        self._names = {"localhost", *machine_names(), *(_checked_name(name) for name in _listed(hosts))}
        self._origins: set[Origin] = set()
        self._listed_origins = {origin_of(name) for name in _listed(cors_origins)}
        if public_url:
            public = parsed_url(public_url)
            self._names.add(public[1])
            self._origins.add(public)

    def check(self, scope: Scope) -> None:
        """Let a call pass; `state["scheme"]` and `["host"]` of it are what it came by, as far as that is believed.

        Raises:
            InvalidRequest: `unknown_host`: it names a host that is not ours, none, or two.
            Forbidden: `foreign_origin`: a page of somebody else's makes it.
        """
        asked = _Asked(scope["headers"])
        if len(asked.hosts) != 1:
            raise _unknown_host()
        host = asked.hosts[0]
        self._check_host(host, scope)
        scheme = scope["scheme"]
        if (asked.forwarded_host or asked.forwarded_proto) and self._addresses.is_proxy(scope["client"]):
            if asked.forwarded_host:
                host = asked.forwarded_host
                self._check_host(host, scope)
            scheme = asked.forwarded_proto or scheme
        if asked.origins and (scope["path"].startswith(API) or scope["method"] not in READS):
            self._check_origin(asked.origins, host, scheme)
        scope.setdefault("state", {}).update(scheme=scheme, host=host.decode("latin-1"))

    def cors_headers(self, scope: Scope) -> list[Header]:
        """What the answer to a listed origin carries; nothing for all others."""
        if not self._listed_origins:
            return []
        headers: list[Header] = [(b"vary", b"Origin")]
        origins = _Asked(scope["headers"]).origins
        if len(origins) == 1 and _origin(origins[0]) in self._listed_origins:
            headers += [(b"access-control-allow-origin", origins[0]), (b"access-control-expose-headers", EXPOSED)]
        return headers

    def preflight(self, scope: Scope) -> list[Header] | None:
        """The headers that answer a preflight of a listed origin; None: it is something else."""
        if scope["method"] != "OPTIONS" or not self._listed_origins:
            return None
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if b"access-control-request-method" not in headers or _origin(headers.get(b"origin", b"")) not in (
            self._listed_origins
        ):
            return None
        answer: list[Header] = [
            (b"access-control-allow-methods", METHODS),
            (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
        ]
        wanted = headers.get(b"access-control-request-headers", b"")
        if ASKED_HEADERS.fullmatch(wanted):
            answer.append((b"access-control-allow-headers", wanted))
        return answer

    def _check_host(self, host: bytes, scope: Scope) -> None:
        name = _host_name(host)
        if name is None or not (name in self._names or _is_loopback(name) or name == _arrived_at(scope)):
            raise _unknown_host()

    def _check_origin(self, origins: list[bytes], host: bytes, scheme: str) -> None:
        origin = _origin(origins[0]) if len(origins) == 1 else None
        if origin is None or not (
            origin in self._origins or origin in self._listed_origins or origin == _origin_here(scheme, host)
        ):
            raise Forbidden("a page of another site makes this call", reason_code="foreign_origin")


def surroundings(settings: ApiSettings) -> tuple[Addresses, Site]:
    """What the settings say of proxies, names and pages.

    Raises:
        SettingsRefused: one of them can't be meant.
    """
    try:
        addresses = Addresses(settings.trusted_proxies)
        return addresses, Site(
            addresses, public_url=settings.public_url, hosts=settings.hosts, cors_origins=settings.cors_origins
        )
    except ValueError as error:
        raise SettingsRefused(f"Settings are wrong:\n{error}") from None


class _Asked:
    """What the headers of one call say about where it goes to and comes from."""

    __slots__ = ("forwarded_host", "forwarded_proto", "hosts", "origins")

    def __init__(self, headers: Iterable[Header]) -> None:
        self.hosts: list[bytes] = []
        self.origins: list[bytes] = []
        self.forwarded_host = b""
        self.forwarded_proto = ""
        for name, value in headers:
            if name == b"host":
                self.hosts.append(value)
            elif name == b"origin":
                self.origins.append(value)
            elif name == b"x-forwarded-host":
                self.forwarded_host = value.rpartition(b",")[2].strip()
            elif name == b"x-forwarded-proto":
                self.forwarded_proto = value.rpartition(b",")[2].strip().decode("latin-1").lower()


def machine_names() -> set[str]:
    """What this machine is called on its own network; nothing where it has no name that a host could be."""
    name = _name(socket.gethostname())
    return {name, f"{name}.local"} if name else set()


def origin_of(url: str) -> Origin:
    """An origin as a browser writes it (`https://app.example.com`; a shell's own scheme passes too).

    Raises:
        ValueError: it is none.
    """
    found = _origin(url.encode())
    if found is None:
        raise ValueError(f"{url!r} is no origin: scheme, host and port, as in https://app.example.com")
    return found


def parsed_url(url: str) -> Origin:
    """The origin of a server's URL.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.netloc:
        raise ValueError(f"{url!r} is no URL of a server: https://autopilot.example.com")
    return origin_of(f"{parts.scheme}://{parts.netloc}")


def _listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]


def _checked_name(written: str) -> str:
    name = _name(written) or _name(f"[{written}]")
    if name is None:
        raise ValueError(f"{written!r} is no name of a host")
    return name


@lru_cache(maxsize=512)
def _host_name(host: bytes) -> str | None:
    """The name in a `Host` header, without its port; None where it is malformed."""
    found = _HOST.fullmatch(host.decode("latin-1"))
    return _name(found["name"]) if found else None


@lru_cache(maxsize=512)
def _origin(written: bytes) -> Origin | None:
    """None for what names no site: `null`, a path behind it, credentials, anything malformed."""
    scheme, separator, rest = written.decode("latin-1").partition("://")
    found = _HOST.fullmatch(rest) if separator and re.fullmatch(r"[a-z][a-z0-9+.-]{0,31}", scheme) else None
    name = _name(found["name"]) if found else None
    if found is None or name is None:
        return None
    return scheme, name, int(found["port"]) if found["port"] else DEFAULT_PORTS.get(scheme, 0)


def _origin_here(scheme: str, host: bytes) -> Origin | None:
    return _origin(scheme.encode("latin-1") + b"://" + host)


def _name(written: str) -> str | None:
    """A name or address in the one form that is compared."""
    if not _HOST.fullmatch(written) or (":" in written and not written.startswith("[")):
        return None
    name = written.lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return None if name.startswith("[") or not name else name


@lru_cache(maxsize=512)
def _is_loopback(name: str) -> bool:
    if name.endswith(".localhost"):  # RFC 6761, 6.3: never looked up
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _arrived_at(scope: Scope) -> str | None:
    """This machine's own address, that the connection came in by."""
    server = scope.get("server")
    return str(server[0]).partition("%")[0].removeprefix("::ffff:") if server else None


def _unknown_host() -> InvalidRequest:
    return InvalidRequest(
        "this server does not answer to that host; AUTOPILOT_PUBLIC_URL or AUTOPILOT_HOSTS on the server names it",
        reason_code="unknown_host",
    )

"""Where a notification may be sent: an endpoint is a URL that a client chose, and our server might be turned on others.

HTTPS only, and never an address that is not of the public internet: looked at when somebody subscribes and anew at each
message, and the message goes to the very address that was looked at. An installation that is itself reached on loopback
only (its public URL says so) may send to loopback too, without TLS: that is for tests and for one's own push service.
Never follows anybody elsewhere.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
RESOLVE_SECONDS = 5.0
LARGEST_PORT = 65535
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses."""


class ForbiddenPlace(Exception):
    """An endpoint that nothing is sent to; says why in plain words."""


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint, taken apart."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """As the `Host` header has it."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.scheme == "https" else 80) else f"{name}:{self.port}"

    def at(self, address: str) -> str:
        """The URL that leads to this address of it."""
        name = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{name}:{self.port}{self.target}"


async def resolve(host: str, port: int) -> Sequence[str]:
    """What the machine's resolver says.

    Raises:
        OSError: it doesn't know.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Places:
    """What an installation may send to."""

    loopback: bool
    """Whether it is itself on loopback."""
    resolve: Resolve = resolve

    def read(self, endpoint: str) -> Place:
        """The parts of an endpoint.

        Raises:
            ForbiddenPlace: it is none that anything would be sent to.
        """
        if not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint or "\\" in endpoint:
            raise ForbiddenPlace("it is no URL")
        try:
            parts = urlsplit(endpoint)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ForbiddenPlace("it is no URL") from None
        if not host or parts.username is not None or parts.password is not None or parts.fragment:
            raise ForbiddenPlace("it is no URL of a push service")
        is_here = self.loopback and host in LOOPBACK_NAMES
        if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
            raise ForbiddenPlace("it is not https")
        if not is_here and _is_numeric(host):
            raise ForbiddenPlace("push services have names")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Place(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), target)

    async def address_of(self, place: Place) -> str:
        """The one address that a message may go to.

        Raises:
            ForbiddenPlace: it has one that is not of the public internet.
            OSError, TimeoutError: the name can't be resolved now.
        """
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await self.resolve(place.host, place.port)
        if not found:
            raise OSError("the name has no address")
        for address in found:
            if not self._may_be(address):
                raise ForbiddenPlace("it leads into a private network")
        return found[0]

    def _may_be(self, address: str) -> bool:
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address):
            for inner in (found.ipv4_mapped, found.sixtofour, found.teredo and found.teredo[1], _nat64(found)):
                if inner:
                    return self._may_be(str(inner))
        if found.is_loopback:
            return self.loopback
        return found.is_global and not found.is_multicast and not found.is_reserved


def on_loopback(public_url: str | None) -> bool:
    """Whether this is the URL of an installation that nobody reaches from elsewhere."""
    try:
        return public_url is not None and urlsplit(public_url).hostname in LOOPBACK_NAMES
    except ValueError:
        return False


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in ipaddress.IPv6Network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_numeric(host: str) -> bool:
    """Also what only some resolvers take for an address: `2130706433`, `0x7f.1`."""
    if ":" in host:
        return True
    last = host.rstrip(".").rpartition(".")[2]
    return last.isdigit() or last.lower().startswith("0x")

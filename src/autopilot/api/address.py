"""Network addresses and e-mail addresses, folded to what is counted as one. Pure."""

from __future__ import annotations

import functools
import ipaddress
import string
import unicodedata
from collections.abc import Sequence

IPV6_NETWORK_BITS = 64
"""One household or host usually has a whole /64 to itself."""

EMAIL_CHARACTERS = 254
"""RFC 5321, 4.5.3.1.3, less the angle brackets."""

KEPT_PEERS = 4096
"""Whose address is remembered as it was read: few make most of the calls. What a header says is read anew each time: it
may be of any length."""

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Headers = Sequence[tuple[bytes, bytes]]


class Addresses:
    """Tells who is calling, for counting. Believes `X-Forwarded-For` as far as trusted proxies wrote it."""

    def __init__(self, trusted_proxies: str = "") -> None:
        """`trusted_proxies`: addresses or networks, separated by commas.

        Raises:
            ValueError: one of them is neither.
        """
        names = [name.strip() for name in trusted_proxies.split(",")]
        self._trusted: list[Network] = [ipaddress.ip_network(name, strict=False) for name in names if name]

    def of(self, client: tuple[str, int] | None, headers: Headers) -> str:
        """An IPv4 address, an IPv6 /64, or `local` for a unix socket."""
        address = _peer(client[0]) if client else None
        if address is None:
            return "local"
        if self._trusted and self._trusts(address):
            address = self._forwarded(headers) or address
        return _counted(address)

    def of_peer(self, client: tuple[str, int] | None) -> str | None:
        """What the other end of a connection counts as; None for a trusted proxy and a unix socket."""
        address = _peer(client[0]) if client else None
        return None if address is None or self._trusts(address) else _counted(address)

    def is_proxy(self, client: tuple[str, int] | None) -> bool:
        """Whether a trusted proxy is at the other end of the connection."""
        address = _peer(client[0]) if client and self._trusted else None
        return address is not None and self._trusts(address)

    def _forwarded(self, headers: Headers) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The last address in the chain that no trusted proxy has; where all have one, the first.

        What stands left of it was the caller's to write. Only X-Forwarded-For: a proxy that knows nothing of
        `Forwarded` (RFC 7239) passes on what the caller wrote there.
        """
        chain = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1")
        nearest = None
        for name in reversed(chain.split(",")):
            address = _parsed(_without_port(name.strip()))
            if address is None:
                return nearest
            if not self._trusts(address):
                return address
            nearest = address
        return nearest

    def _trusts(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
        return any(address in network for network in self._trusted)


def _without_port(name: str) -> str:
    """Some proxies name the port too: `192.0.2.7:4711`, `[2001:db8::7]:4711`."""
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0] if name.count(":") == 1 else name


def _parsed(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@functools.lru_cache(KEPT_PEERS)
def _peer(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    return _parsed(name)


@functools.lru_cache(KEPT_PEERS)
def _counted(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return str(address)


def plain_email(written: str) -> str:
    """An address as a mail goes out to it.

    Raises:
        ValueError: it can't be a mail address.
    """
    email = unicodedata.normalize("NFC", written).strip()
    local, at, domain = email.rpartition("@")
    if not (at and local and domain) or len(email) > EMAIL_CHARACTERS or "@" in local:
        raise ValueError("not a mail address")
    if any(character.isspace() or not character.isprintable() or character in '<>,;"\\()[]:' for character in email):
        raise ValueError("not a plain mail address")
    return email


def folded_email(written: str) -> str:
    """What makes two spellings one address: the case of ASCII letters only.

    Wider folding would let the owner of one mailbox prove another one (`ß` is not `ss`).

    Raises:
        ValueError: as `plain_email`.
    """
    return plain_email(written).translate(_ASCII_LOWER)

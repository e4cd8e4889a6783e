"""Which addresses of this machine others can reach. Asks the operating system; never sends a packet."""

from __future__ import annotations

import contextlib
import ipaddress
import socket

from autopilot.ops.program import autopilot

_ANYWHERE_V4 = ("192.0.2.1", 9)
_ANYWHERE_V6 = ("2001:db8::1", 9)
"""Documentation addresses: choosing a route to one shows the address that others would see, and reaches nobody."""


def outward_addresses() -> list[str]:
    """The addresses that a device on the same network can use, most likely first; empty when there is no network."""
    found: list[str] = []
    for family, far in ((socket.AF_INET, _ANYWHERE_V4), (socket.AF_INET6, _ANYWHERE_V6)):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(far)
            address = probe.getsockname()[0]
            if not only_here(address):
                found.append(address)
    return found


def only_here(host: str) -> bool:
    """Whether `host` means this machine to every machine: loopback, or no particular one."""
    if host in {"localhost", ""}:
        return True
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host.strip("[]"))
        return address.is_loopback or address.is_unspecified or address.is_link_local
    return False


def url_of(host: str, port: int) -> str:
    """`http://host:port`, with the brackets that IPv6 needs."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def another_port(taken: int) -> str:
    """The command that starts it on another port."""
    return f"AUTOPILOT_PORT={taken % 65535 + 1} {autopilot('up')}"


def listening_socket(host: str, port: int) -> socket.socket:
    """A TCP socket that listens on `host:port`.

    Raises:
        OSError: the port is taken, or the address isn't this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; else answers wait 40 ms for an ACK.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # IPv4 too, whatever the machine's default
        sock.bind((host, port))
        sock.listen(1024)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock

"""A port for a program that can only be told its number: a server that comes back at it, a driver of somebody else's.

What can listen on port 0, or be handed a socket, does that instead.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path

FIRST = 10_000
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """One that nobody has, and that nobody is given who asks for any port: it stays free while its server is away."""
    given_from = int(RANGE.read_text().split()[0]) if RANGE.exists() else 32_768
    while True:
        port = FIRST + secrets.randbelow(given_from - FIRST)
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port

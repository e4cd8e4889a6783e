"""TLS from the accepted connection to the first byte of HTTP: counted from the start, and soon over.

The event loop's own TLS server tells a protocol of a connection only after its handshake: whoever says nothing would
hold a file for a minute, unseen by the limits. Here a connection counts among `Connections` from its acceptance, and
its handshake has HANDSHAKE_SECONDS. Never reads what comes inside: that goes to the protocol behind.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import socket
import ssl
from collections.abc import Callable, Sequence

from autopilot.ops.connections import Connection, Connections
from autopilot.ops.log import get_logger

HANDSHAKE_SECONDS = 10.0
"""From the acceptance to the end of the handshake; three exchanges on the slowest of networks."""
GOODBYE_SECONDS = 2.0
"""How long a client may take to confirm that a connection is closed."""
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
BREATH_SECONDS = 1.0
"""Before the next try where there was nothing left to accept a connection with."""

log = get_logger("autopilot.serve")

Protocol = Callable[[Connection], asyncio.Protocol]


class Handshakes:
    """Those of one server."""

    def __init__(self, context: ssl.SSLContext, connections: Connections, protocol: Protocol) -> None:
        """`protocol`: what speaks inside; given what has its place among the connections until then."""
        self._context = context
        self._connections = connections
        self._protocol = protocol
        self._tasks: set[asyncio.Task[None]] = set()

    def take_from(self, sockets: Sequence[socket.socket], group: asyncio.TaskGroup) -> None:
        """Accept what comes on these listening sockets, in tasks of `group`, until `end`."""
        for sock in sockets:
            sock.setblocking(False)
            self._keep(group.create_task(self._accept(sock, group)))

    def end(self) -> None:
        """Accept no more, and cut those that are not done."""
        for task in tuple(self._tasks):
            task.cancel()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listening: socket.socket, group: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, peer = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno in SHORTAGES:
                    log.warning("connection_not_accepted", error=error.strerror)
                    await asyncio.sleep(BREATH_SECONDS)
                continue  # else the client was gone again
            handshake = Handshake()
            if not self._connections.enter(handshake, peer[:2]):
                accepted.close()
                continue
            handshake.task = group.create_task(self._shake(handshake, accepted))
            handshake.task.add_done_callback(functools.partial(self._over, handshake, accepted))
            self._keep(handshake.task)

    def _over(self, handshake: Handshake, accepted: socket.socket, _task: asyncio.Task[None]) -> None:
        self._connections.leave(handshake)
        if not handshake.is_begun:  # cut before its task ran: nobody else closes it
            accepted.close()

    async def _shake(self, handshake: Handshake, accepted: socket.socket) -> None:
        handshake.is_begun = True
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._protocol(handshake),
                accepted,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=GOODBYE_SECONDS,
            )
        except OSError:
            return  # no TLS, none of ours, or too late: nobody is there to hear about it


class Handshake:
    """Stands for a connection until it speaks."""

    task: asyncio.Task[None]
    is_begun = False

    def make_room(self) -> None:
        """Close at once, for others."""
        self.task.cancel()

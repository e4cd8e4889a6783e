"""The user's shared Codex daemon: find its control socket, open a connection, tell one process from its successor.

Relies on nothing but the socket's well-known place below CODEX_HOME. Never starts, ends, restarts or configures a
daemon: it belongs to the user, whose terminal programs live on it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import structlog

from autopilot.companion.codex.binary import OLDEST, numbers
from autopilot.companion.codex.connection import Connection, Sink, open_connection
from autopilot.companion.codex.messages import CodexError, CodexUnavailable, Message
from autopilot.ops.clock import Clock

AVOID_SECONDS = 60.0
"""One that took the connection and then did not do its part is left alone for so long."""
HELLO_SECONDS = 5.0
PREFIX = "shared-"
"""What the incarnation of a daemon begins with."""

log = structlog.get_logger(__name__)


class SharedServer:
    """The app-server on the control socket of one CODEX_HOME, where there is one."""

    def __init__(self, codex_home: Path, clock: Clock, *, client_version: str) -> None:
        self.socket = codex_home / "app-server-control" / "app-server-control.sock"
        self._clock = clock
        self._client_version = client_version
        self._not_before = 0.0
        self._passed_over = ""

    def there(self) -> bool:
        """Whether there is a socket; it may be a dead one's."""
        return self._clock.monotonic() >= self._not_before and self.socket.exists()

    async def lives(self) -> bool:
        """Whether a process listens there; one that hangs does, too."""
        try:
            _, writer = await asyncio.open_unix_connection(os.path.realpath(self.socket))  # noqa: ASYNC240  # one readlink
        except OSError:
            return False
        writer.transport.abort()
        return True

    async def open(self, sink: Sink) -> Connection | None:
        """A connection to it, not introduced yet; None: nothing answers there."""
        if not self.there():
            return None
        try:
            return await open_connection(self.socket, sink, clock=self._clock)
        except CodexUnavailable as error:
            log.debug("codex.no_shared", error=str(error))
            return None

    def incarnation(self) -> str:
        """A name for the daemon that listens now: each makes its own socket file, and keeps it for its life."""
        try:
            made = self.socket.stat()
        except OSError:
            return f"{PREFIX}gone"
        return f"{PREFIX}{made.st_ino:x}-{made.st_mtime_ns:x}"

    async def answers(self) -> bool:
        """Whether a daemon is there that we could live with: asked, and left again."""
        connection = await self.open(_unheard)
        if connection is None:
            return False
        usable = True
        try:
            async with asyncio.timeout(HELLO_SECONDS), asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(connection.run())
                await connection.initialize(self._client_version)
                self.require_usable(connection)
                reading.cancel()
        except* (CodexError, TimeoutError):
            self.avoid()
            usable = False
        finally:
            await connection.close()
        return usable

    def require_usable(self, connection: Connection) -> None:
        """Look at what it said of itself.

        Raises:
            CodexUnavailable: it is a version that nothing was tested with.
        """
        if connection.version and numbers(connection.version) < OLDEST:
            if self._passed_over != connection.version:
                log.warning("codex.shared_passed_over", version=connection.version, oldest=".".join(map(str, OLDEST)))
            self._passed_over = connection.version
            raise CodexUnavailable(f"the shared Codex is {connection.version}, older than what is supported")

    def avoid(self) -> None:
        """Leave it alone for a while."""
        self._not_before = self._clock.monotonic() + AVOID_SECONDS


async def _unheard(_message: Message) -> None:
    return None

"""Keep Codex running and connected, for as long as the companion lives.

Owns the app-server and the one connection to it; tells its `Listener` when a session begins and ends. Restarts and
reconnects with bounded backoff. Never interprets what Codex says.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import structlog

from autopilot.companion.codex.connection import CALL_SECONDS, Connection, Sink, open_connection
from autopilot.companion.codex.messages import CodexError, CodexGone, CodexUnavailable
from autopilot.companion.codex.process import AppServer
from autopilot.ops.clock import Clock

BACKOFF_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""The longest is well below what a request waits for Codex: one that died often still does what is asked of it."""
HEALTHY_SECONDS = 30.0
"""After a session this long the backoff begins anew."""
CONNECT_ATTEMPTS = 3
"""A process that lives but does not answer this often is ended and started anew."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """One connection to one app-server process."""

    connection: Connection
    incarnation: str
    """Of the app-server process: another one means that what ran before is lost."""


class Listener(Protocol):
    """Who wants to know of sessions."""

    async def session_began(self, session: Session) -> None:
        """Codex can be called. An error of Codex's here ends the session."""
        ...

    async def session_ended(self, session: Session) -> None:
        """The connection is gone."""
        ...


class Codex:
    """What the rest of the companion talks to."""

    def __init__(self, server: AppServer, *, sink: Sink, listener: Listener, clock: Clock, client_version: str) -> None:
        self.server = server
        self._sink = sink
        self._listener = listener
        self._clock = clock
        self._client_version = client_version
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._caught_up = asyncio.Event()
        self.trouble: str | None = None
        """Why there is no session, in words; None while there is one."""

    @property
    def session(self) -> Session | None:
        """The present session, or None."""
        return self._session

    async def ready(self, within_seconds: float) -> Session:
        """The session, waited for if there is none.

        Raises:
            CodexUnavailable: there is none in time.
        """
        try:
            async with asyncio.timeout(within_seconds):
                while self._session is None:
                    await self._connected.wait()
        except TimeoutError:
            raise CodexUnavailable(self.trouble or "Codex is not connected") from None
        return self._session

    async def caught_up(self, within_seconds: float) -> None:
        """Wait until there is a session, and its listener has read what was missed before it.

        Raises:
            CodexUnavailable: not in time.
        """
        try:
            async with asyncio.timeout(within_seconds):
                await self._caught_up.wait()
        except TimeoutError:
            raise CodexUnavailable(self.trouble or "Codex is not connected") from None

    async def call(self, method: str, params: Any = None, *, within_seconds: float = CALL_SECONDS) -> msgspec.Raw:
        """Call Codex in the present session.

        Raises:
            CodexError: as `Connection.call`; `CodexUnavailable` while there is no session.
        """
        if self._session is None:
            raise CodexUnavailable(self.trouble or "Codex is not connected")
        return await self._session.connection.call(method, params, within_seconds=within_seconds)

    async def run(self) -> None:
        """Keep a session, forever; ends by cancellation. `stop` ends the process afterwards."""
        failures = unanswered = 0
        while True:
            began = self._clock.monotonic()
            try:
                await self._one_session()
                unanswered = 0
            except CodexError as error:
                self.trouble = str(error)
                log.warning("codex.trouble", error=str(error), failures=failures)
                unanswered = unanswered + 1 if self.server.alive else 0
            if unanswered >= CONNECT_ATTEMPTS:
                log.warning("codex.unresponsive", attempts=unanswered)
                await self.server.stop()
                unanswered = 0
            failures = 0 if self._clock.monotonic() - began > HEALTHY_SECONDS else failures + 1
            await self._clock.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1] if failures else 0)

    def reconnect(self) -> None:
        """End the connection: a new session begins, and with it everything that was missed is read again."""
        if self._session is not None:
            self._session.connection.abort()

    async def stop(self) -> None:
        """End the app-server; bounded."""
        await self.server.stop()

    async def _one_session(self) -> None:
        """From connecting to the connection's end.

        Raises:
            CodexError: there was no session.
        """
        await self.server.ensure()
        assert self.server.record is not None
        incarnation = self.server.record.incarnation
        connection = await open_connection(self.server.launch.socket, self._sink, clock=self._clock)
        session = Session(connection, incarnation)
        failed: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(connection.run(), name="codex-read")
                await self._begin(session)
                await reading
        except* CodexError as errors:
            failed = errors.exceptions[0]
        finally:
            self._session = None
            self._connected.clear()
            self._caught_up.clear()
            await connection.close()
            await self._listener.session_ended(session)
        if failed is not None:
            raise CodexGone(str(failed))

    async def _begin(self, session: Session) -> None:
        await session.connection.initialize(self._client_version)
        self._session = session
        self._connected.set()
        self.trouble = None
        log.info("codex.connected", version=session.connection.version, incarnation=session.incarnation)
        await self._listener.session_began(session)
        self._caught_up.set()

"""Keep Codex running and connected, for as long as the companion lives.

Owns the app-server and the one connection: to the user's shared daemon where one answers, else to an app-server of our
own. Tells its `Listener` when a session begins and ends; reconnects with bounded backoff. It leaves its own app-server
only while nothing runs there, and never ends one that it did not start. Never interprets what Codex says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import structlog

from autopilot.companion.codex import handover
from autopilot.companion.codex.connection import CALL_SECONDS, Connection, Sink, open_connection
from autopilot.companion.codex.liveness import Liveness
from autopilot.companion.codex.messages import (
    CodexAstray,
    CodexError,
    CodexGone,
    CodexRefused,
    CodexSilent,
    CodexUnavailable,
)
from autopilot.companion.codex.process import AppServer
from autopilot.companion.codex.shared import SharedServer
from autopilot.ops.clock import Clock

BACKOFF_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""The longest is well below what a request waits for Codex: one that died often still does what is asked of it."""
HEALTHY_SECONDS = 30.0
"""After a session this long the backoff begins anew."""
CONNECT_ATTEMPTS = 3
"""A process that lives but does not answer this often is ended and started anew."""
LOOK_SECONDS = 1.0
"""How often it is looked whether there is a shared daemon, while we run an app-server of our own."""
QUIET_SECONDS = 5.0
"""So long the calls under way may take when we are about to leave; else it is tried again later."""
COMES_BACK_SECONDS = 3.0
"""A shared daemon that ended is waited for so long: it may be starting anew, and its threads are the user's."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Session:
    """One connection to one app-server process."""

    connection: Connection
    incarnation: str
    """Of the app-server process: another one means that what ran before is lost."""
    shared: bool = False
    """Whether it is the user's own daemon. There nothing is answered or refused that no person decided, and nothing is
    ended but what was asked for by name: others work on it."""


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

    def __init__(
        self,
        server: AppServer,
        *,
        sink: Sink,
        listener: Listener,
        clock: Clock,
        client_version: str,
        shared: SharedServer | None = None,
    ) -> None:
        """`shared`: where a daemon of the user's may be; None: never join one."""
        self.server = server
        self._shared = shared
        self._sink = sink
        self._listener = listener
        self._clock = clock
        self._client_version = client_version
        self._session: Session | None = None
        self._connected = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._moving = False
        self._left_by_shared = False
        self.liveness = Liveness(clock)
        self.trouble: str | None = None
        """Why there is no session, in words; None while there is one."""
        self.refusal: Callable[[], str | None] = lambda: None
        """Why no app-server of our own is to be started, in words; one that runs already is spoken to."""
        self.troubled: Callable[[], None] = lambda: None
        """Told when `trouble` is said."""

    @property
    def session(self) -> Session | None:
        """The present session, or None."""
        return self._session

    @property
    def gone(self) -> bool:
        """Whether no Codex that we know of lives: what runs nowhere needs no ending."""
        shared = self._shared is not None and self._shared.socket.exists()
        return self._session is None and not self.server.alive and not shared

    async def shared_lives_as(self, incarnation: str | None) -> bool:
        """Whether the shared daemon of this name still listens, whether or not it does its part."""
        shared = self._shared
        return shared is not None and shared.incarnation() == incarnation and await shared.lives()

    async def ready(self, within_seconds: float) -> Session:
        """The session, waited for if there is none.

        Raises:
            CodexUnavailable: there is none in time.
        """
        try:
            async with asyncio.timeout(within_seconds):
                while self._session is None:
                    await self._connected.wait()
                if self._moving:
                    await self._caught_up.wait()
        except TimeoutError:
            raise CodexUnavailable(self.trouble or "Codex is not connected") from None
        if self._session is None:  # it ended in between
            raise CodexUnavailable(self.trouble or "Codex is not connected")
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
        if self._moving:
            await self.caught_up(within_seconds)
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
                self.troubled()
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
        """End the app-server, where it is ours; bounded."""
        await self.server.stop()

    async def _one_session(self) -> None:
        """From connecting to the connection's end.

        Raises:
            CodexError: there was no session.
        """
        session = await self._connect()
        failures: tuple[BaseException, ...] = ()
        began = False
        try:
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(session.connection.run(), name="codex-read")
                await self._begin(session)
                began = True
                beside = [tasks.create_task(self.liveness.watch(session.connection), name="codex-liveness")]
                if self._shared is not None and not session.shared:
                    beside.append(tasks.create_task(self._leave(session, self._shared), name="codex-shared"))
                await reading
                for task in beside:
                    task.cancel()
        except* CodexError as errors:
            failures = errors.exceptions
        finally:
            self._session = None
            self._connected.clear()
            self._caught_up.clear()
            self._left_by_shared = session.shared
            await session.connection.close()
            await self._listener.session_ended(session)
        if session.shared and self._shared is not None and not began:
            self._shared.avoid()
        if any(isinstance(one, _LeavingError) for one in failures):
            await self.server.stop()
        elif failures:
            raise CodexGone(str(failures[0]))

    async def _leave(self, session: Session, shared: SharedServer) -> None:
        """Look for a shared daemon; where one answers and nothing runs here, end this session in its favour.

        Raises:
            _LeavingError: now.
        """
        there = False
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            there, before = shared.there(), there
            if not (there and before):  # whoever started it is to be the first to speak to it
                continue
            try:
                if await self._at_rest(session) and await shared.answers() and await self._closed(session):
                    log.info("codex.joins_shared", socket=str(shared.socket))
                    raise _LeavingError
            except (CodexRefused, CodexSilent, CodexAstray) as error:
                log.warning("codex.not_left", error=str(error))

    async def _closed(self, session: Session) -> bool:
        """Let no more calls begin, and look again; True: nothing runs, and nothing will be begun here any more."""
        self._moving = True
        self._caught_up.clear()
        closed = False
        try:
            give_up_at = self._clock.monotonic() + QUIET_SECONDS
            while session.connection.waiting and self._clock.monotonic() < give_up_at:
                await self._clock.sleep(BACKOFF_SECONDS[0])
            closed = not session.connection.waiting and await self._at_rest(session)
        finally:
            if not closed:
                self._moving = False
                self._caught_up.set()
        return closed

    async def _at_rest(self, session: Session) -> bool:
        return await handover.at_rest(session.connection.call, self._clock.now())

    async def _connect(self) -> Session:
        """A connection to the shared daemon, where we may and it answers, else to our own app-server.

        Raises:
            CodexUnavailable: neither is to be had.
        """
        if self._shared is not None and not await self.server.living():  # what runs on ours is not left alone
            connection = await self._open_shared(self._shared)
            if connection is not None:
                return Session(connection, self._shared.incarnation(), shared=True)
        refusal = self.refusal()
        if refusal is not None and not await self.server.living():
            raise CodexUnavailable(refusal)
        await self.server.ensure()
        assert self.server.record is not None
        connection = await open_connection(self.server.launch.socket, self._sink, clock=self._clock)
        return Session(connection, self.server.record.incarnation)

    async def _open_shared(self, shared: SharedServer) -> Connection | None:
        give_up_at = self._clock.monotonic() + (COMES_BACK_SECONDS if self._left_by_shared else 0.0)
        while (connection := await shared.open(self._sink)) is None and self._clock.monotonic() < give_up_at:
            await self._clock.sleep(BACKOFF_SECONDS[0])
        self._left_by_shared = False
        return connection

    async def _begin(self, session: Session) -> None:
        await session.connection.initialize(self._client_version)
        if session.shared and self._shared is not None:
            self._shared.require_usable(session.connection)
        self._session = session
        self._moving = False
        self._connected.set()
        self.trouble = None
        log.info(
            "codex.connected",
            version=session.connection.version,
            incarnation=session.incarnation,
            shared=session.shared,
        )
        await self._listener.session_began(session)
        self._caught_up.set()


class _LeavingError(CodexError):
    """Our own app-server is left for the shared one."""

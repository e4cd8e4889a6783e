"""Ends streams whose token no longer speaks for anyone, or for somebody with other roles than when it was opened.

So it does with who waits for an answer, where their session has ended; what a role lets one wait for is the runtime's
to say. Relies on `grants.Grants`. One query a second covers every open stream of the process, and one all that wait; a
sign-out in this process ends both at once. While the database can't be asked, streams go on for `SILENCE_SECONDS`, then
end. Never reads or writes a stream's bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Hashable

from autopilot.api.grants import Grant, Grants, unknown_token
from autopilot.contract.errors import RateLimited, Unavailable
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger

SILENCE_SECONDS = 30.0

log = get_logger("autopilot.api")


class OpenStream:
    """One open stream: ends itself when told."""

    __slots__ = ("_timeout", "address", "grant", "reason")

    def __init__(self, grant: Grant, address: str) -> None:
        self.grant = grant
        self.address = address
        self.reason: str | None = None
        """Why it is to end: `revoked`, `roles`, `disconnected`, `shutdown`, `unavailable`."""
        self._timeout: asyncio.Timeout | None = None

    def ends_with(self, timeout: asyncio.Timeout) -> None:
        """The stream runs within this time-out, which `end` brings forward to now."""
        self._timeout = timeout
        if self.reason is not None:
            self._bring_forward()

    def ended(self) -> None:
        """The stream is over: nothing is left to bring forward."""
        self._timeout = None

    def end(self, reason: str) -> None:
        """End it; the first reason stands."""
        if self.reason is None:
            self.reason = reason
            self._bring_forward()

    def _bring_forward(self) -> None:
        if self._timeout is not None and not self._timeout.expired():
            self._timeout.reschedule(0)


class StreamWatch:
    """Every open stream of this process."""

    def __init__(
        self,
        grants: Grants,
        clock: Clock,
        *,
        seconds: float,
        limit: int,
        session_limit: int,
        user_limit: int,
        address_limit: int,
    ) -> None:
        self._grants = grants
        self._clock = clock
        self._seconds = seconds
        self._limit = limit
        self._session_limit = session_limit
        self._user_limit = user_limit
        self._address_limit = address_limit
        self._count = 0
        self._of: Counter[tuple[str, Hashable]] = Counter()  # of each user and address
        self._by_session: dict[str, set[OpenStream]] = defaultdict(set)
        self._waiting: dict[str, set[OpenStream]] = defaultdict(set)
        self._closing = False

    @property
    def count(self) -> int:
        """Streams open now."""
        return self._count

    def open(self, grant: Grant, address: str) -> OpenStream:
        """Register a stream; close it with `close`.

        Raises:
            RateLimited: too many are open: of this session, its user, this address, or in all.
        """
        if (
            self._count >= self._limit
            or len(self._by_session.get(grant.session_id, ())) >= self._session_limit
            or self._of["user", grant.principal] >= self._user_limit
            or self._of["address", address] >= self._address_limit
        ):
            raise RateLimited("too many open streams", reason_code="too_many_streams", retry_after_seconds=5.0)
        stream = OpenStream(grant, address)
        self._of["user", grant.principal] += 1
        self._of["address", address] += 1
        self._by_session[grant.session_id].add(stream)
        self._count += 1
        if self._closing:
            stream.end("shutdown")
        return stream

    def close(self, stream: OpenStream) -> None:
        """Forget a stream that ended."""
        session = self._by_session.get(stream.grant.session_id)
        if session is not None and stream in session:
            session.discard(stream)
            self._count -= 1
            for key in (("user", stream.grant.principal), ("address", stream.address)):
                self._of[key] -= 1
                if not self._of[key]:
                    del self._of[key]
            if not session:
                del self._by_session[stream.grant.session_id]

    @contextlib.asynccontextmanager
    async def waiting(self, grant: Grant) -> AsyncIterator[None]:
        """Within it somebody waits for an answer, who gets none once their session has ended.

        What they asked goes on; the end of a session takes back what no machine was handed (`revocations`).

        Raises:
            Unauthorized: it has ended.
            Unavailable: the wait was long, and the database can't be asked about the session.
        """
        wait = OpenStream(grant, "")
        waits = self._waiting[grant.session_id]
        waits.add(wait)
        try:
            async with asyncio.timeout(None) as timeout:
                wait.ends_with(timeout)
                try:
                    yield
                finally:
                    wait.ended()
        except TimeoutError:
            if wait.reason is None:
                raise
        finally:
            waits.discard(wait)
            if not waits:
                self._waiting.pop(grant.session_id, None)
        if wait.reason is None and self._clock.monotonic() <= grant.good_until:
            return
        if wait.reason is not None or not await self._grants.live_sessions([grant.session_id]):
            raise unknown_token()

    def end_session(self, session_id: str) -> None:
        """End the streams and waits of a session that was signed out here."""
        for stream in (*self._by_session.get(session_id, ()), *self._waiting.get(session_id, ())):
            stream.end("revoked")

    def end_user(self, user_id: int) -> None:
        """End the streams of a user whose roles have changed here: they come back with those they have now.

        Not of their machines: these have no roles.
        """
        for session in tuple(self._by_session.values()):
            for stream in tuple(session):
                if stream.grant.claims.user_id == user_id and stream.grant.claims.machine_id is None:
                    stream.end("roles")

    def end_all(self, reason: str = "shutdown") -> None:
        """End every stream, and each that is opened later."""
        self._closing = True
        self._end_each(reason)

    async def run(self) -> None:
        """Look after the tokens until cancelled."""
        heard_at = self._clock.monotonic()
        while True:
            await self._clock.sleep(self._seconds)
            try:
                await self.look()
                heard_at = self._clock.monotonic()
            except Unavailable:
                silent_seconds = self._clock.monotonic() - heard_at
                log.warning("stream_watch_blind", silent_seconds=round(silent_seconds, 1))
                if silent_seconds > SILENCE_SECONDS:
                    self._end_each("unavailable")

    async def look(self) -> None:
        """End the streams whose token is gone, those whose user has other roles now, and waits of ended sessions.

        Raises:
            Unavailable: the database can't be asked.
        """
        if self._waiting:
            asked = list(self._waiting)
            live_sessions = await self._grants.live_sessions(asked)
            for session_id in asked:
                if session_id not in live_sessions:
                    self.end_session(session_id)
        streams = [stream for session in self._by_session.values() for stream in session]
        if not streams:
            return
        live = await self._grants.live(list({stream.grant.token_digest for stream in streams}))
        for stream in streams:
            roles = live.get(stream.grant.token_digest)
            if roles is None:
                stream.end("revoked")
            elif roles != stream.grant.claims.roles:
                stream.end("roles")

    def _end_each(self, reason: str) -> None:
        for session in tuple(self._by_session.values()):
            for stream in tuple(session):
                stream.end(reason)

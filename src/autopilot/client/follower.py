"""Follow one log to its end and beyond, over any number of broken connections: every entry once, in order.

Owns the cursor, the decision when to reconnect, and the truth about the connection. Relies on a `Source` that opens
a byte stream at a cursor, and on server-sent events whose `id` is the entry's place in a log without gaps. There is
no background task: everything happens inside `__anext__`, so cancelling it, or closing the follower, leaves nothing
behind. The cursor moves when the consumer has *handled* an entry: when it asks for the next one, or calls `ack`.
Source: docs/protocol.md, "Stream".
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from autopilot.client import log
from autopilot.client.backoff import Backoff, BackoffPolicy, is_final
from autopilot.client.clock import SYSTEM_CLOCK, Clock, Woken, within
from autopilot.client.connection import ConnectionState, Kind, Listener
from autopilot.client.position import Position
from autopilot.client.sse import EventTooLarge, Frame, Parser
from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import AutopilotError, NetworkError, StaleCursor, UnknownError

MAX_DIGITS = 18
"""Of a seq or a delay, which fit into 64 bits; more is not of the contract, and no number for a clock."""

POLL_ENDED = "tail_ended"
"""The reason of a bye that only says that the time of a long poll is over."""

E = TypeVar("E")
T = TypeVar("T")


class Bytes(Protocol):
    """An open stream (http.ByteStream)."""

    async def read(self) -> bytes | None:
        """The next bytes, None at the end; raises NetworkError."""
        ...

    async def aclose(self) -> None:
        """Let go of it."""
        ...


class Source(Protocol):
    """Where streams come from."""

    async def open(self, cursor: int | None, tail_ms: int | None) -> Bytes:
        """A stream of what comes after `cursor` (None: from now on), ending after `tail_ms` (None: staying open).

        Raises:
            AutopilotError: of the contract.
        """
        ...


@dataclass(frozen=True, slots=True)
class FollowPolicy:
    """How patient a follower is."""

    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    heartbeat_seconds: float = 15.0
    """The server breaks every silence this often."""
    silence_seconds: float = 45.0
    """Three heartbeats: what has been silent for longer is dead."""
    opening_seconds: float = 6.0
    """The server's first frame comes at once: a stream that has brought no byte by then is buffered, or dead."""
    mute_openings: int = 2
    """So many openings without a byte in a row: something buffers; fall back to long polls."""
    long_poll_ms: int = 3000
    long_poll_rounds: int = 200
    """After so many long polls, see whether streaming works by now."""


class Follower(Generic[E]):
    """An async iterator over the entries of one log, for one consumer; an async context manager that closes it.

    Raises from `__anext__`:
        SignInAgain: the session is over. Sign in and iterate on: it resumes at the cursor.
        StaleCursor: the log doesn't go on from the cursor: take a snapshot, then `restart` from its `latest_seq`.
        Forbidden, NotFound, …: the server's other final answers.
    """

    def __init__(
        self,
        source: Source,
        decode: Callable[[Any], E],
        *,
        cursor: int | None = None,
        out_of_band: Callable[[Frame], bool] = lambda _frame: False,
        policy: FollowPolicy | None = None,
        clock: Clock = SYSTEM_CLOCK,
        rng: Callable[[], float] = random.random,
        name: str = "",
    ) -> None:
        """`decode` makes an entry of a frame's JSON; `out_of_band` picks frames without an id that are entries too."""
        self.name = name
        self._source = source
        self._decode = decode
        self._out_of_band = out_of_band
        self._policy = policy or FollowPolicy()
        self._clock = clock
        self._backoff = Backoff(self._policy.backoff, rng=rng)
        self._position = Position(cursor)
        self._handed: int | None = None
        self._stream: Bytes | None = None
        self._parser = Parser()
        self._frames: deque[Frame] = deque()
        self._woken = asyncio.Event()
        self._reopen = False
        self._opened_at = 0.0
        self._quiet_since: float | None = None  # since when we have been listening to nothing
        self._heard = False
        self._mute = self._openings = 0
        self._polls_left = 0
        self._bye_seconds: float | None = None
        self._bye_reason = POLL_ENDED
        self._state = ConnectionState()
        self._listeners: list[Listener] = []

    @property
    def cursor(self) -> int | None:
        """The last seq that the consumer has handled; None: nothing yet, and started from 'now'."""
        return self._position.cursor

    @property
    def state(self) -> ConnectionState:
        """What is known of the connection."""
        return self._state

    def on_state(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` at every change of `state`; returns what cancels that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def ack(self, seq: int) -> None:
        """Say that everything up to `seq` is handled, without asking for the next entry."""
        self._position.handled(seq)

    def poke(self, *, reopen: bool = False) -> None:
        """Wake up: don't sit out a backoff, and doubt a connection that has been silent for over a heartbeat.

        A delay that the server asked for is kept. With `reopen`, the connection is doubted in any case.
        """
        self._reopen = self._reopen or reopen
        self._woken.set()

    async def restart(self, cursor: int) -> None:
        """Go on from another place, after `StaleCursor`."""
        await self._drop()
        self._position, self._handed = Position(cursor), None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        if self._state.kind == "closed":
            raise StopAsyncIteration
        if self._handed is not None:
            self._position.handled(self._handed)
            self._handed = None
        try:
            return await self._next()
        except BaseException:
            await self._drop()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; the cursor stays as it is."""
        await self._drop()
        self._became("closed")

    async def _next(self) -> E:
        while True:
            try:
                while self._frames:
                    for entry in self._entries(self._frames.popleft()):
                        return entry
                if self._stream is None:
                    await self._connect()
                else:
                    await self._read(self._stream)
            except AutopilotError as error:
                await self._failed(error)

    # Connecting and reading.

    async def _connect(self) -> None:
        if not self._polls_quietly:
            self._openings += 1
            self._became("connecting")
        self._parser, self._bye_seconds, self._bye_reason = Parser(), None, POLL_ENDED
        self._heard = self._reopen = False
        self._woken.clear()
        tail_ms = self._policy.long_poll_ms if self._polls_left else None

        async def opened() -> None:  # kept at once: a cancellation in the next instant must find it
            self._stream = await self._source.open(self._position.seen, tail_ms)

        self._opened_at = self._quiet_since = self._clock.monotonic()
        await self._limited(opened)

    async def _read(self, stream: Bytes) -> None:
        if self._quiet_since is None:
            self._quiet_since = self._clock.monotonic()
        try:
            chunk = await self._limited(stream.read, doubt=self._doubted)
        except Woken:
            await self._drop()
            return
        if chunk is None:
            await self._ended()
            return
        self._hear()
        comments = self._parser.comments
        self._frames.extend(self._parser.feed(chunk))
        if self._parser.comments > comments and not self._frames:
            self._became("live")  # a heartbeat: the server has nothing for us

    async def _limited(self, work: Callable[[], Awaitable[T]], *, doubt: Callable[[], bool] | None = None) -> T:
        """`work`, as long as the silence is no longer than the policy allows."""
        now = self._clock.monotonic()
        limit = self._policy.silence_seconds if self._heard else self._opening_limit
        left = max(0.0, (self._quiet_since if self._quiet_since is not None else now) + limit - now)
        try:
            return await within(self._clock, left, work, wake=self._woken if doubt else None, doubt=doubt)
        except TimeoutError:
            if self._heard:
                raise NetworkError(f"nothing was heard for {limit:.0f} s", reason_code="silent") from None
            raise NetworkError(f"nothing came within {limit:.0f} s of opening", reason_code="mute") from None

    @property
    def _opening_limit(self) -> float:
        return self._policy.opening_seconds + (self._policy.long_poll_ms / 1000 if self._polls_left else 0.0)

    @property
    def _polls_quietly(self) -> bool:
        """Between two long polls what was known is still known."""
        return bool(self._polls_left) and self._state.kind == "live"

    def _doubted(self) -> bool:
        """Poked: a connection that missed a heartbeat, or that somebody knows better of, is opened anew."""
        quiet_since = self._quiet_since if self._quiet_since is not None else self._clock.monotonic()
        return self._reopen or self._clock.monotonic() - quiet_since > self._policy.heartbeat_seconds

    def _hear(self) -> None:
        self._quiet_since = None
        self._state = replace(self._state, heard_at=self._clock.now())
        if not self._heard:
            self._heard, self._mute = True, 0
            if not self._polls_quietly:
                self._became("catching_up")
        if self._clock.monotonic() - self._opened_at >= self._policy.heartbeat_seconds:
            self._backoff.reset()

    # What ends a connection.

    async def _ended(self) -> None:
        """The server ended the response: a long poll, `bye`, a revoked token, a shutdown; or a proxy did."""
        await self._drop()
        if self._polls_left and self._heard and self._bye_reason == POLL_ENDED:
            self._polls_left -= 1
            self._mute = self._policy.mute_openings - 1  # one mute stream after this, and it is polls again
            self._backoff.reset()
            self._became("live")
        else:
            await self._wait(self._bye_seconds, None)

    async def _failed(self, error: AutopilotError) -> None:
        await self._drop()
        if isinstance(error, SignInAgain):
            self._final("signed_out", error)
        if isinstance(error, StaleCursor):
            self._final("stale", error)
        if isinstance(error, EventTooLarge) or is_final(error):
            self._final("refused", error)
        if error.reason_code == "mute":
            self._consider_long_poll()
        await self._wait(error.retry_after_seconds, error)

    def _final(self, kind: Kind, error: AutopilotError) -> None:
        self._became(kind, error=error)
        log.failure("follower.ended", error, follower=self.name, cursor=self.cursor)
        raise error

    def _consider_long_poll(self) -> None:
        self._mute += 1
        if self._polls_left:  # a long poll got no answer either: nothing buffers, nobody is there
            self._polls_left = self._mute = 0
        elif self._mute >= self._policy.mute_openings:
            self._polls_left = self._policy.long_poll_rounds
            log.record("follower.long_poll", follower=self.name, mute_openings=self._mute)

    async def _wait(self, told_seconds: float | None, error: AutopilotError | None) -> None:
        delay = self._backoff.next_delay(told_seconds)
        self._became("waiting", retry_at=self._clock.now() + timedelta(seconds=delay), error=error)
        log.record(
            "follower.waiting",
            follower=self.name,
            seconds=round(delay, 3),
            cursor=self.cursor,
            attempt=self._backoff.attempt,
            error=type(error).__name__ if error else None,
            reason_code=error.reason_code if error else None,
        )
        mandatory = min(delay, told_seconds or 0.0)
        if mandatory:
            await self._clock.sleep(mandatory)
        try:
            await within(self._clock, delay - mandatory, self._woken.wait)
        except TimeoutError:
            return
        self._backoff.reset()

    async def _drop(self) -> None:
        """Let go of the connection, and of what came over it and was not handed out."""
        stream, self._stream = self._stream, None
        self._frames.clear()
        if stream is not None:
            await stream.aclose()

    # What the frames say.

    def _entries(self, frame: Frame) -> tuple[E, ...]:
        """What of `frame` is for the consumer: one entry, or none."""
        if frame.id is None:
            if self._out_of_band(frame):
                return (self._decoded(frame),)
            self._control(frame)
            return ()
        if not (frame.id.isascii() and frame.id.isdigit() and len(frame.id) <= MAX_DIGITS):
            raise UnknownError(f"a frame's id is {frame.id[:40]!r}", reason_code="malformed_frame")
        entry = self._decoded(frame)
        seq = int(frame.id)
        if not self._position.accept(seq):
            return ()
        self._handed = seq
        self._backoff.reset()
        return (entry,)

    def _decoded(self, frame: Frame, decode: Callable[[Any], E] | None = None) -> E:
        try:
            return (decode or self._decode)(json.loads(frame.data))
        except (ValueError, RecursionError) as error:
            raise UnknownError("a frame is not what it should be", reason_code="malformed_frame") from error

    def _control(self, frame: Frame) -> None:
        facts = _object(frame.data)
        match frame.event:
            case "codex.stream.open":
                latest_seq = _whole_number(facts.get("latest_seq"))
                self._state = replace(self._state, latest_seq=latest_seq)
                if latest_seq is not None:
                    self._position.start_at(latest_seq)
            case "codex.stream.caught_up":
                self._became("live")
            case "codex.stream.bye":
                retry_ms = _whole_number(facts.get("retry_ms"))
                self._bye_seconds = None if retry_ms is None else retry_ms / 1000
                self._bye_reason = str(facts.get("reason") or POLL_ENDED)
            case _:
                pass  # of a later version

    def _became(self, kind: Kind, **facts: Any) -> None:
        state = ConnectionState(
            kind=kind,
            since=self._state.since if kind == self._state.kind else self._clock.now(),
            heard_at=self._state.heard_at,
            delivery="long_poll" if self._polls_left else "stream",
            openings=self._openings,
            attempt=self._backoff.attempt,
            latest_seq=self._state.latest_seq,
            **facts,
        )
        if state != self._state:
            self._state = state
            for listener in tuple(self._listeners):
                listener(state)


def _object(data: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _whole_number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 10**MAX_DIGITS else None

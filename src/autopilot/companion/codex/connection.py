"""One connection to a Codex app-server: JSON-RPC over a WebSocket over a unix socket.

Owns the table of open calls. Relies on its `sink` taking messages quickly (into a bounded queue whose reader writes
them to the outbox): the socket is always read, because Codex drops a client that does not. Never interprets what
Codex says, never reconnects: `supervisor` does.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.frames import CloseCode

from autopilot.companion.codex import messages
from autopilot.companion.codex.messages import (
    CodexGone,
    CodexRefused,
    CodexSilent,
    CodexTooLarge,
    CodexUnavailable,
    Message,
)
from autopilot.companion.codex.questions import Answer
from autopilot.ops.clock import Clock

CALLS_IN_FLIGHT = 8
"""Codex loses calls when some hundred are open at once."""
CALL_SECONDS = 30.0
OPEN_SECONDS = 5.0
MAX_FRAME_BYTES = 64 * 1024 * 1024
"""The largest frame seen is 1.2 MB; a patch of a big generated file may be larger."""
ENDED = "the connection to Codex ended"
OVERLOADED = -32001
OVERLOAD_RETRIES = 6
OVERLOAD_BASE_SECONDS = 0.05

Sink = Callable[[Message], Awaitable[None]]
log = structlog.get_logger(__name__)


class Connection:
    """Made by `open_connection`; alive while `run` runs."""

    def __init__(self, socket: ClientConnection, sink: Sink, clock: Clock) -> None:
        self._socket = socket
        self._sink = sink
        self._clock = clock
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._slots = asyncio.Semaphore(CALLS_IN_FLIGHT)
        self._heard_at = clock.monotonic()
        self._taking = False
        self.version = ""
        """Codex's own, from its user agent: `0.163.0`."""
        self.codex_home = ""

    @property
    def waiting(self) -> int:
        """How many calls have no answer yet."""
        return len(self._waiting)

    @property
    def quiet_seconds(self) -> float:
        """How long Codex has said nothing; 0 while something that it said is being taken."""
        return 0.0 if self._taking else self._clock.monotonic() - self._heard_at

    async def run(self) -> None:
        """Read until the connection ends; then every open call fails with `CodexGone`."""
        try:
            while True:
                frame = await self._socket.recv(decode=False)
                self._taking = True
                await self._take(frame)
                self._taking, self._heard_at = False, self._clock.monotonic()
        except ConnectionClosed as closed:
            self._end_calls(_why(closed))
        finally:
            self._end_calls(CodexGone(ENDED))

    async def call(self, method: str, params: Any = None, *, within_seconds: float = CALL_SECONDS) -> msgspec.Raw:
        """Ask Codex; the raw result. Overload is retried (Codex did nothing), nothing else is.

        Raises:
            CodexRefused: Codex said no.
            CodexSilent: no answer in time.
            CodexGone: the connection ended first.
        """
        async with self._slots:
            for attempt in itertools.count():
                try:
                    return await self._call_once(method, params, within_seconds)
                except CodexRefused as refused:
                    if refused.code != OVERLOADED or attempt == OVERLOAD_RETRIES:
                        raise
                pause = OVERLOAD_BASE_SECONDS * 2**attempt
                await self._clock.sleep(pause * random.uniform(0.5, 1.5))
        raise AssertionError  # the loop above only ends by return or raise

    async def ask_beside(self, method: str, *, within_seconds: float) -> msgspec.Raw:
        """A call without params that waits for no other: of many that hang, it is still made. Raises as `call`."""
        return await self._call_once(method, None, within_seconds)

    async def answer(self, identity: msgspec.Raw, result: Any) -> None:
        """Answer a request of Codex."""
        await self._send(messages.answer(identity, result))

    async def refuse(self, identity: msgspec.Raw, code: int, message: str) -> None:
        """Answer a request of Codex with a JSON-RPC error."""
        await self._send(messages.error_answer(identity, code, message))

    async def reply(self, identity: msgspec.Raw, answer: Answer) -> None:
        """Answer a request of Codex, one way or the other."""
        if answer.error is None:
            await self.answer(identity, answer.result)
        else:
            await self.refuse(identity, *answer.error)

    async def initialize(self, client_version: str) -> None:
        """Introduce ourselves; fills `version` and `codex_home`."""
        info = {"name": "autopilot", "title": "Autopilot companion", "version": client_version}
        capabilities = {"experimentalApi": True, "requestAttestation": False}
        raw = await self.call("initialize", {"clientInfo": info, "capabilities": capabilities})
        told = msgspec.json.decode(raw)
        self.version = cli_version(str(told.get("userAgent", "")))
        self.codex_home = str(told.get("codexHome", ""))
        await self._send(messages.notification("initialized"))

    def abort(self) -> None:
        """End at once, without a goodbye."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """Say goodbye; bounded."""
        await self._socket.close()

    async def _call_once(self, method: str, params: Any, within_seconds: float) -> msgspec.Raw:
        identity = next(self._ids)
        self._waiting[identity] = future = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within_seconds):
                await self._send(messages.request(identity, method, params))
                reply = await future
        except TimeoutError:
            raise CodexSilent(f"Codex did not answer {method} within {within_seconds:g} s") from None
        finally:
            self._waiting.pop(identity, None)
        if reply.failed:
            raise messages.refusal(reply.error)
        return reply.result or messages.EMPTY

    def _end_calls(self, why: CodexGone) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(why)
        self._waiting.clear()

    async def _send(self, frame: bytes) -> None:
        try:
            await self._socket.send(frame, text=True)
        except ConnectionClosed:
            raise CodexGone(ENDED) from None

    async def _take(self, frame: bytes) -> None:
        try:
            message = messages.decode(frame)
        except msgspec.DecodeError:
            log.warning("codex.unreadable", bytes=len(frame))
            return
        if message.method is not None:
            await self._sink(message)
        elif message.id:
            self._settle(message)

    def _settle(self, reply: Message) -> None:
        identity = bytes(reply.id)
        future = self._waiting.get(int(identity)) if identity.isdigit() else None
        if future is not None and not future.done():
            future.set_result(reply)


async def open_connection(path: Path, sink: Sink, *, clock: Clock) -> Connection:
    """A connection to the app-server at `path`; its `run` must be started before anything is called.

    Raises:
        CodexUnavailable: nothing answers there.
    """
    # Codex replaces a socket path over 107 bytes by a symlink to a short one, and Python can only connect to that.
    real = os.path.realpath(path)  # noqa: ASYNC240  # one readlink on a local run folder
    try:
        socket = await unix_connect(
            real,
            "ws://localhost/",
            compression=None,
            ping_interval=None,
            max_size=MAX_FRAME_BYTES,
            open_timeout=OPEN_SECONDS,
            close_timeout=1,
        )
    except (OSError, InvalidHandshake, TimeoutError, ConnectionClosed) as error:
        raise CodexUnavailable(f"no Codex listens on {path}: {error}") from error
    return Connection(socket, sink, clock)


def _why(closed: ConnectionClosed) -> CodexGone:
    if closed.sent is not None and closed.sent.code == CloseCode.MESSAGE_TOO_BIG:
        return CodexTooLarge(f"{ENDED}: Codex said more than {MAX_FRAME_BYTES} bytes at once")
    return CodexGone(ENDED)


def cli_version(user_agent: str) -> str:
    """`autopilot/0.163.0 (Debian …)` -> `0.163.0`; empty when it says none."""
    found = re.match(r"\S+?/(\d+\.\d+\.\d+\S*)", user_agent)
    return found[1] if found else ""

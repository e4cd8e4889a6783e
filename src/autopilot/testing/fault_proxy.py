"""A TCP proxy that does to connections what networks do: cuts, stalls, forgets, buffers, dribbles.

One `Fault` for each accepted connection, in order; counted in bytes of what the server sends. Knows no protocol, but
for `buffer`, which keeps back event streams (responses of `text/event-stream`) until they end, as some proxies do, for
`double` and `swap`, which do so to their frames, and for `error`, which answers as a gateway that finds nobody behind.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from typing_extensions import override

from autopilot.testing.fault_frames import Frames, doubled, swapped
from autopilot.testing.proxies import Proxy

PIECE_BYTES = 65_536
EVENT_STREAM = b"text/event-stream"
LAST_CHUNK = b"0\r\n\r\n"

FaultKind = Literal[
    "none", "refuse", "error", "cut", "close", "stall", "half_open", "buffer", "dribble", "slow", "double", "swap"
]
SLOW_BYTES = 2000
SLOW_SECONDS = 0.05
REWRITES = {"double": doubled, "swap": swapped}
GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 11\r\nconnection: close\r\n\r\nbad gateway"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection.

    none       nothing
    refuse     reset at once
    error      answered with 502, by nobody of ours
    cut        reset after `after_bytes`
    close      ended cleanly after `after_bytes`
    stall      silent after `after_bytes`, both sides stay open
    half_open  silent after `after_bytes`, and the server's side is gone
    buffer     event streams come when they have ended, all at once
    dribble    every byte comes alone
    slow       40 kB a second
    double     every frame of an event stream comes twice
    swap       frames of an event stream come in each other's place
    """

    kind: FaultKind = "none"
    after_bytes: int = 0


HEALTHY = Fault()


class FaultProxy(Proxy):
    """A proxy with a plan of what goes wrong."""

    def __init__(self, host: str, port: int, plan: Callable[[int], Fault] = lambda _number: HEALTHY) -> None:
        """`plan` says what happens to connection number 0, 1, 2 and so on."""
        super().__init__(host, port)
        self.plan = plan
        self.silenced = asyncio.Event()
        """Set whenever a connection has begun to stall or is half open; tests clear it."""

    @override
    async def carry(self, number: int, reader: StreamReader, writer: StreamWriter) -> None:
        """As the plan says."""
        fault = self.plan(number)
        if fault.kind == "refuse":
            return
        if fault.kind == "error":
            with self._tracked(writer):
                await _answer(reader, writer, GATEWAY)
            return
        await self.between(
            writer,
            lambda server, upward: (_copy(reader, upward), self._downward(server, upward, writer, fault)),
        )

    async def _downward(self, server: StreamReader, upward: StreamWriter, client: StreamWriter, fault: Fault) -> None:
        try:
            if fault.kind in REWRITES:
                await _copy_rewritten(server, client, Frames(REWRITES[fault.kind]))
            elif fault.kind == "slow":
                await _copy(server, client, piece_bytes=SLOW_BYTES, pause_seconds=SLOW_SECONDS)
            elif fault.kind == "buffer":
                await _copy_when_ended(server, client)
            elif fault.kind in ("none", "dribble"):
                await _copy(server, client, piece_bytes=1 if fault.kind == "dribble" else PIECE_BYTES)
            else:
                await _copy(server, client, limit=fault.after_bytes)
                await self._strike(server, upward, client, fault)
        except OSError:
            return

    async def _strike(self, server: StreamReader, upward: StreamWriter, client: StreamWriter, fault: Fault) -> None:
        if fault.kind == "close" and client.can_write_eof():
            client.write_eof()
            await client.drain()
        if fault.kind not in ("stall", "half_open"):
            return
        if fault.kind == "half_open":
            upward.transport.abort()
        self.silenced.set()
        while await _read(server):
            pass  # taken and thrown away, so that the server notices nothing
        await asyncio.Event().wait()  # until one of the sides is gone, or the proxy


async def _copy(
    source: StreamReader,
    target: StreamWriter,
    *,
    limit: int | None = None,
    piece_bytes: int = PIECE_BYTES,
    pause_seconds: float = 0.0,
) -> None:
    """Copy until the source ends, or `limit` bytes went through."""
    copied = 0
    while limit is None or copied < limit:
        piece = await _read(source, piece_bytes if limit is None else min(piece_bytes, limit - copied))
        if not piece:
            return
        try:
            target.write(piece)
            await target.drain()
        except OSError:
            return
        copied += len(piece)
        if pause_seconds:
            await asyncio.sleep(pause_seconds)


async def _copy_rewritten(source: StreamReader, target: StreamWriter, frames: Frames) -> None:
    while piece := await _read(source):
        target.write(frames.feed(piece))
        await target.drain()


async def _answer(reader: StreamReader, writer: StreamWriter, answer: bytes) -> None:
    """This, once the call's head is heard."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.write_eof()
        await reader.read()  # until the client has it, and hangs up


async def _copy_when_ended(source: StreamReader, target: StreamWriter) -> None:
    held = b""
    while piece := await _read(source):
        held += piece
        if EVENT_STREAM in held and not held.endswith(LAST_CHUNK):
            continue
        target.write(held)
        await target.drain()
        held = b""
    target.write(held)
    await target.drain()


async def _read(source: StreamReader, piece_bytes: int = PIECE_BYTES) -> bytes:
    try:
        return await source.read(piece_bytes)
    except OSError:
        return b""

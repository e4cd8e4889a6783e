"""A TCP proxy that does to connections what networks do: cuts, stalls, forgets, buffers, dribbles.

One `Fault` for each accepted connection, in order; counted in bytes of what the server sends. Knows no protocol, but
for `buffer`, which keeps back event streams (responses of `text/event-stream`) until they end, as some proxies do.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

PIECE_BYTES = 65_536
EVENT_STREAM = b"text/event-stream"
LAST_CHUNK = b"0\r\n\r\n"

FaultKind = Literal["none", "refuse", "cut", "close", "stall", "half_open", "buffer", "dribble"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection.

    none       nothing
    refuse     reset at once
    cut        reset after `after_bytes`
    close      ended cleanly after `after_bytes`
    stall      silent after `after_bytes`, both sides stay open
    half_open  silent after `after_bytes`, and the server's side is gone
    buffer     event streams come when they have ended, all at once
    dribble    every byte comes alone
    """

    kind: FaultKind = "none"
    after_bytes: int = 0


HEALTHY = Fault()


class FaultProxy:
    """Between a client and `host:port`; an async context manager. Its address is `url`."""

    def __init__(self, host: str, port: int, plan: Callable[[int], Fault] = lambda _number: HEALTHY) -> None:
        """`plan` says what happens to connection number 0, 1, 2 and so on."""
        self.plan = plan
        self.accepted = 0
        self.connections = 0
        """Client connections that are open now."""
        self.silenced = asyncio.Event()
        """Set whenever a connection has begun to stall or is half open; tests clear it."""
        self._upstream = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[StreamWriter] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def url(self) -> str:
        """Where clients connect."""
        assert self._server is not None, "the proxy is not running"
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None, "the proxy is not running"
        self._server.close()
        self.cut_all()
        await self._server.wait_closed()
        await self.idle()

    async def idle(self) -> None:
        """Wait until no client connection is open."""
        await self._idle.wait()

    def cut_all(self) -> None:
        """Reset every connection that is open now."""
        for writer in tuple(self._open):
            writer.transport.abort()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        fault = self.plan(self.accepted)
        self.accepted += 1
        self.connections += 1
        self._idle.clear()
        try:
            if fault.kind != "refuse":
                await self._between(reader, writer, fault)
        finally:
            self.connections -= 1
            if not self.connections:
                self._idle.set()
            writer.transport.abort()

    async def _between(self, reader: StreamReader, writer: StreamWriter, fault: Fault) -> None:
        with self._tracked(writer):
            try:
                server_reader, server_writer = await asyncio.open_connection(*self._upstream)
            except OSError:
                return
            with self._tracked(server_writer):
                async with asyncio.TaskGroup() as group:
                    upward = group.create_task(_copy(reader, server_writer))
                    downward = group.create_task(self._downward(server_reader, server_writer, writer, fault))
                    await asyncio.wait({upward, downward}, return_when=asyncio.FIRST_COMPLETED)
                    upward.cancel()
                    downward.cancel()

    @contextlib.contextmanager
    def _tracked(self, writer: StreamWriter) -> Iterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            writer.transport.abort()
            self._open.discard(writer)

    async def _downward(self, server: StreamReader, upward: StreamWriter, client: StreamWriter, fault: Fault) -> None:
        try:
            if fault.kind == "buffer":
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
    source: StreamReader, target: StreamWriter, *, limit: int | None = None, piece_bytes: int = PIECE_BYTES
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

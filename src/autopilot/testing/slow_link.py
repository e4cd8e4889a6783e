"""A TCP proxy that is far away: every piece takes its time, and all connections share one narrow link.

Distance is a delay each way, width is bytes a second of what the server sends. A connection's first piece takes a round
trip more, as a handshake over that link would. Knows no protocol; loses nothing.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from types import TracebackType
from typing import Self

PIECE_BYTES = 4096
WAITING = 1024
"""Pieces on their way, of one direction of one connection."""


class SlowLink:
    """Between a client and `host:port`; an async context manager. Its address is `url`."""

    def __init__(self, host: str, port: int, *, round_trip_seconds: float, bytes_per_second: float) -> None:
        self._upstream = (host, port)
        self._one_way = round_trip_seconds / 2
        self._rate = bytes_per_second
        self._free_at = 0.0
        self._server: asyncio.Server | None = None
        self._open: set[StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where clients connect."""
        assert self._server is not None, "the link is not there"
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None, "the link is not there"
        self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._open.add(writer)
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._upstream)
        except OSError:
            writer.transport.abort()
            self._open.discard(writer)
            return
        self._open.add(server_writer)
        try:
            async with asyncio.TaskGroup() as group:
                up = group.create_task(self._way(reader, server_writer, first=2 * self._one_way, narrow=False))
                down = group.create_task(self._way(server_reader, writer, first=0.0, narrow=True))
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        finally:
            for one in (writer, server_writer):
                one.transport.abort()
                self._open.discard(one)

    async def _way(self, source: StreamReader, target: StreamWriter, *, first: float, narrow: bool) -> None:
        """One direction of a connection, until either end is gone."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(WAITING)
        clock = asyncio.get_running_loop().time

        async def deliver() -> None:
            while True:
                due, piece = await pieces.get()
                await asyncio.sleep(max(0.0, due - clock()))
                target.write(piece)
                await target.drain()
                pieces.task_done()

        async with asyncio.TaskGroup() as group:
            delivering = group.create_task(deliver())
            try:
                while piece := await source.read(PIECE_BYTES):
                    sent_at = clock() + first
                    first = 0.0
                    if narrow:
                        sent_at = self._free_at = max(sent_at, self._free_at) + len(piece) / self._rate
                    await pieces.put((sent_at + self._one_way, piece))
                await pieces.join()
            except OSError:
                pass
            delivering.cancel()

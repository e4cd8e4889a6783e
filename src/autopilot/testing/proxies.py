"""The frame of a TCP proxy: it accepts, connects to the server behind it, carries both ways, and lets go of everything.

What happens to a connection on its way is for whoever derives from it. Knows no protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self

Way = Coroutine[Any, Any, None]
"""What carries one direction of a connection, until it ends."""


class Proxy(ABC):
    """Between a client and `host:port`; an async context manager. Its address is `url`."""

    def __init__(self, host: str, port: int) -> None:
        self.accepted = 0
        self.connections = 0
        """Client connections that are open now."""
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

    @abstractmethod
    async def carry(self, number: int, reader: StreamReader, writer: StreamWriter) -> None:
        """Carry connection `number` (from 0 on) between the client and the server, by `between`; or don't."""

    async def between(
        self, writer: StreamWriter, ways: Callable[[StreamReader, StreamWriter], tuple[Way, Way]]
    ) -> None:
        """Connect to the server, and carry the ways to and from it until one of them ends."""
        with self._tracked(writer):
            try:
                server_reader, server_writer = await asyncio.open_connection(*self._upstream)
            except OSError:
                return
            with self._tracked(server_writer):
                async with asyncio.TaskGroup() as group:
                    tasks = {group.create_task(way) for way in ways(server_reader, server_writer)}
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in tasks:
                        task.cancel()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        number = self.accepted
        self.accepted += 1
        self.connections += 1
        self._idle.clear()
        try:
            await self.carry(number, reader, writer)
        finally:
            self.connections -= 1
            if not self.connections:
                self._idle.set()
            writer.transport.abort()

    @contextlib.contextmanager
    def _tracked(self, writer: StreamWriter) -> Iterator[None]:
        self._open.add(writer)
        try:
            yield
        finally:
            writer.transport.abort()
            self._open.discard(writer)

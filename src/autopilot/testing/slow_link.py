"""A TCP proxy that is far away: every piece takes its time, and all connections share one narrow link.

Distance is a delay each way, width is bytes a second of what the server sends. A connection's first piece takes a round
trip more, as a handshake over that link would. Knows no protocol; loses nothing.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

from typing_extensions import override

from autopilot.testing.proxies import Proxy

PIECE_BYTES = 4096
WAITING = 1024
"""Pieces on their way, of one direction of one connection."""


class SlowLink(Proxy):
    """A proxy at the end of a long and narrow link."""

    def __init__(self, host: str, port: int, *, round_trip_seconds: float, bytes_per_second: float) -> None:
        super().__init__(host, port)
        self._one_way = round_trip_seconds / 2
        self._rate = bytes_per_second
        self._free_at = 0.0

    @override
    async def carry(self, number: int, reader: StreamReader, writer: StreamWriter) -> None:
        """Every connection alike."""
        await self.between(
            writer,
            lambda server, upward: (
                self._way(reader, upward, first=2 * self._one_way, narrow=False),
                self._way(server, writer, first=0.0, narrow=True),
            ),
        )

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

"""A bounded queue with one reader, who takes all there is: for what every open tab has.

asyncio's Queue keeps four deques, 2.5 kB while nothing is in it. This keeps a list, and what waits only while it waits.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Pieces(Generic[T]):
    """See the module."""

    __slots__ = ("_held", "_more", "_most", "_room")

    def __init__(self, most: int) -> None:
        """`most`: with so many in it, `put` waits."""
        self._most = most
        self._held: list[T] = []
        self._more: asyncio.Future[None] | None = None
        """What the reader waits for."""
        self._room: asyncio.Event | None = None
        """What writers wait for."""

    @property
    def is_empty(self) -> bool:
        """Whether the reader has taken all."""
        return not self._held

    async def put(self, piece: T) -> None:
        """Add one, once there is room."""
        while len(self._held) >= self._most:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()
        self.put_now(piece)

    def put_now(self, piece: T) -> None:
        """Add one, whether or not there is room."""
        self._held.append(piece)
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    async def take(self) -> list[T]:
        """All there is, once there is any. Only one may wait."""
        while not self._held:
            self._more = asyncio.get_running_loop().create_future()
            try:
                await self._more
            finally:
                self._more = None
        return self.take_now()

    def take_now(self) -> list[T]:
        """All there is."""
        taken = self._held
        self._held = []
        if self._room is not None:
            self._room.set()
            self._room = None
        return taken

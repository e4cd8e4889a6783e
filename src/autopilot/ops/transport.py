"""A connection whose writes of one turn of the loop go out together.

uvicorn writes a response's head and its body one after the other, and uvloop sends each at once: two system calls here,
and two wake-ups for the client. Relies on the transport it wraps for everything else. Never holds a byte beyond the
turn it was written in, and no more than GATHERED_BYTES of them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from typing_extensions import override

GATHERED_BYTES = 64 * 1024
"""More goes out at once, so that a slow reader is noticed."""


class GatheringTransport(asyncio.Transport):
    """See the module."""

    __slots__ = ("_has_ended", "_inner", "_loop", "_pieces", "_size_bytes", "direct")

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._pieces: list[bytes | bytearray | memoryview[Any]] = []
        self._size_bytes = 0
        self._has_ended = False
        self.direct: object = None
        """Who was found to be free to write past the response's own task, until something happens to the connection."""

    @override
    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._has_ended:
            return
        if not self._pieces:
            self._loop.call_soon(self._flush)
        self._pieces.append(data)
        self._size_bytes += len(data)
        if self._size_bytes > GATHERED_BYTES:
            self._flush()

    def write_at_once(self, data: bytes) -> None:
        """Write what nothing will follow in this turn: to gather it would only cost."""
        if self._has_ended:
            return
        if self._size_bytes:
            self._flush()
        self._inner.write(data)

    def _flush(self) -> None:
        if self._pieces and not self._inner.is_closing():
            self._inner.writelines(self._pieces)
        self._pieces = []
        self._size_bytes = 0

    @override
    def write_eof(self) -> None:
        """What is written after it is dropped: the transport would raise in whoever publishes to many readers."""
        self._flush()
        self._has_ended, self.direct = True, None
        self._inner.write_eof()

    @override
    def close(self) -> None:
        self._flush()
        self._inner.close()

    @override
    def abort(self) -> None:
        self._inner.abort()

    @override
    def can_write_eof(self) -> bool:
        return self._inner.can_write_eof()

    @override
    def is_closing(self) -> bool:
        return self._inner.is_closing()

    @override
    def pause_reading(self) -> None:
        self._inner.pause_reading()

    @override
    def resume_reading(self) -> None:
        self._inner.resume_reading()

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._inner.get_extra_info(name, default)

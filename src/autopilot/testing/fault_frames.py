"""Doubles and swaps the frames of event streams as they pass: what a relay that delivers at least once may do.

Knows HTTP/1.1 as far as it must: which responses are event streams, and their chunks. Everything else passes as it is.
Only frames with an `id` are doubled or swapped: control frames are the server's word about the connection itself.
"""

from __future__ import annotations

from collections.abc import Callable

EVENT_STREAM = b"text/event-stream"
BEGIN = b"HTTP/1.1 "
HEAD_END = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"

Rewrite = Callable[[list[bytes]], list[bytes]]


def doubled(frames: list[bytes]) -> list[bytes]:
    """Every frame with a place twice."""
    return [copy for frame in frames for copy in ((frame, frame) if _has_place(frame) else (frame,))]


def swapped(frames: list[bytes]) -> list[bytes]:
    """Neighbours with a place in each other's."""
    made = list(frames)
    for first in range(0, len(made) - 1, 2):
        if _has_place(made[first]) and _has_place(made[first + 1]):
            made[first], made[first + 1] = made[first + 1], made[first]
    return made


class Frames:
    """What one connection's server says, rewritten."""

    def __init__(self, rewrite: Rewrite) -> None:
        self._rewrite = rewrite
        self._held = b""
        self._text = b""
        self._is_streaming = False

    def feed(self, piece: bytes) -> bytes:
        """What passes of it now; the rest is held until it is whole."""
        self._held += piece
        passed = b""
        while made := (self._chunk() if self._is_streaming else self._head()):
            passed += made
        return passed

    def _head(self) -> bytes:
        """All up to the end of an event stream's head; of anything else everything."""
        end = self._held.find(HEAD_END)
        begins = bool(self._held) and BEGIN.startswith(self._held[: len(BEGIN)])
        if begins and end < 0:
            return b""
        if begins and EVENT_STREAM in self._held[:end] and b"chunked" in self._held[:end].lower():
            self._is_streaming = True
            made, self._held = self._held[: end + len(HEAD_END)], self._held[end + len(HEAD_END) :]
            return made
        made, self._held = self._held, b""
        return made

    def _chunk(self) -> bytes:
        """One chunk, as far as it has whole frames."""
        size, line, rest = self._held.partition(b"\r\n")
        if not line:
            return b""
        length = int(size.partition(b";")[0], 16)
        if len(rest) < length + 2:
            return b""
        data, self._held = rest[:length], rest[length + 2 :]
        if not length:
            self._is_streaming = False
            return _chunked(self._text) + LAST_CHUNK
        *whole, self._text = (self._text + data).split(b"\n\n")
        made = _chunked(b"".join(frame + b"\n\n" for frame in self._rewrite(whole)))
        return made or self._chunk()


def _chunked(text: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(text), text) if text else b""


def _has_place(frame: bytes) -> bool:
    return frame.startswith(b"id: ")

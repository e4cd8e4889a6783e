"""Server-sent events from bytes, whatever the chunks: the WHATWG grammar, plus a limit on size.

Owns no I/O. Relies on nothing. Frames written the way our server writes them (`id`, `event`, `data`, LF) are taken
by one regular expression at a few hundred nanoseconds each; everything else goes line by line.
Source: the HTML standard, section 9.2.6, "Interpreting an event stream".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from autopilot.contract.errors import UnknownError

DEFAULT_MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Four times the largest event of the contract: escaping can grow it."""

_BOM = b"\xef\xbb\xbf"
_PLAIN = re.compile(rb"id: ?([^\r\n\0]*)\nevent: ?([^\r\n]*)\ndata: ?([^\r\n]*)\n\n")
_LINE_END = re.compile(rb"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Frame:
    """One dispatched event."""

    event: str
    """`message` where the stream named none."""
    data: str
    id: str | None
    """The `id` of this very block; None where it had none (control frames)."""


class EventTooLarge(UnknownError):
    """The stream sent a line, or the data of one event, over the parser's limit."""


class Parser:
    """Feed it bytes, get frames. After `EventTooLarge` it is of no more use."""

    def __init__(self, *, max_event_bytes: int = DEFAULT_MAX_EVENT_BYTES) -> None:
        self.last_event_id = ""
        """What a browser would send as `Last-Event-ID`: outlives its block, also across events without an id."""
        self.retry_ms: int | None = None
        self.comments = 0
        """Comment lines seen: a server's heartbeats."""
        self._max = max_event_bytes
        self._held: list[bytes] = []  # an unfinished line, in pieces
        self._held_bytes = 0
        self._at_start = True
        self._skip_lf = False
        self._error: EventTooLarge | None = None
        self._begin()

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that `chunk` completes.

        Raises:
            EventTooLarge: at once, or at the next call where frames before it came in the same chunk.
        """
        if self._error is not None:
            raise self._error
        frames: list[Frame] = []
        try:
            self._take(chunk, frames)
        except EventTooLarge as error:
            self._error = error
            if not frames:
                raise
        return frames

    def _begin(self) -> None:
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._event = b""
        self._id: str | None = None
        self._fresh = True  # no line of the current block was seen

    def _take(self, chunk: bytes, frames: list[Frame]) -> None:
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if self._at_start:
            chunk = self._without_bom(chunk)
        if b"\n" not in chunk and b"\r" not in chunk:
            self._hold(chunk)
            return
        buffer = b"".join([*self._held, chunk]) if self._held else chunk
        self._held.clear()
        self._held_bytes = 0
        position = self._lines(buffer, frames)
        self._hold(buffer[position:])

    def _without_bom(self, chunk: bytes) -> bytes:
        start = b"".join([*self._held, chunk])
        self._held.clear()
        self._held_bytes = 0
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._held = [start] if start else []
            self._held_bytes = len(start)
            return b""
        self._at_start = False
        return start.removeprefix(_BOM)

    def _hold(self, rest: bytes) -> None:
        if rest:
            self._held.append(rest)
            self._held_bytes += len(rest)
            self._check(self._held_bytes)

    def _check(self, size: int) -> None:
        if size > self._max:
            raise EventTooLarge(f"the stream sent an event of more than {self._max} bytes", reason_code="event_size")

    def _lines(self, buffer: bytes, frames: list[Frame]) -> int:
        """Consume every finished line; where the unfinished rest begins."""
        position, end = 0, len(buffer)
        while position < end:
            if self._fresh:
                position = self._plain_frames(buffer, position, frames)
            found = _LINE_END.search(buffer, position)
            if found is None:
                break
            self._check(found.start() - position)
            self._line(buffer[position : found.start()], frames)
            position = found.end()
            self._skip_lf = position == end and found.group() == b"\r"
        return position

    def _plain_frames(self, buffer: bytes, position: int, frames: list[Frame]) -> int:
        while (found := _PLAIN.match(buffer, position)) is not None:
            frame_id, event, data = found.groups()
            self._check(max(found.end(1) - position, found.end(2) - found.end(1) - 1, found.end(3) - found.end(2) - 1))
            position = found.end()
            self.last_event_id = text = frame_id.decode(errors="replace")
            name = event.decode(errors="replace") or "message"
            frames.append(Frame(name, data.decode(errors="replace"), text))
        return position

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        if not line:
            self._dispatch(frames)
            return
        self._fresh = False
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data_bytes += len(value) + (1 if self._data else 0)
                self._check(self._data_bytes)
                self._data.append(value)
            case b"event":
                self._event = value
            case b"id" if b"\0" not in value:
                self._id = self.last_event_id = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) < 12:  # noqa: PLR2004 - longer is no delay but an attack
                self.retry_ms = int(value)
            case b"":
                self.comments += 1
            case _:
                pass

    def _dispatch(self, frames: list[Frame]) -> None:
        if self._data:
            data = b"\n".join(self._data).decode(errors="replace")
            frames.append(Frame(self._event.decode(errors="replace") or "message", data, self._id))
        self._begin()

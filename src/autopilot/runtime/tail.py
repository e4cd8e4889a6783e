"""Live followers of logs: one feed per followed log and process, however many follow it.

A feed keeps a bounded ring of encoded frames, shared by its followers; each follower has a cursor. Whoever is behind
the ring reads the log. Owns no truth: frames are published after their commit, anything out of order is read again from
the log, and wake-ups (tail_wakeups.py) are hints whose loss costs latency only. A slow follower never slows another and
never grows a buffer. Serves worker logs and machine feeds alike: a log is a key, a position and a reader.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import structlog

from autopilot.contract.errors import StaleCursor
from autopilot.contract.port import DirectWrite
from autopilot.ops.clock import Clock
from autopilot.runtime.settings import RuntimeSettings

log = structlog.get_logger("autopilot.runtime.tail")

HEARTBEAT = b": heartbeat\n\n"
CONCURRENT_READS = 4
"""Reads of logs at a time, so that many who are behind leave connections to the writers."""


@dataclass(frozen=True, slots=True)
class Page:
    """What one read of a log returned."""

    body: bytes
    """Whole SSE frames, in order."""
    last_seq: int
    """Of the last frame; the cursor it was read from where there is none."""
    at_end: bool
    """Nothing was left behind it when it was read."""


ReadPage = Callable[[str, int], Awaitable[Page]]
"""(key, cursor) -> the frames after the cursor, bounded."""
ReadHeads = Callable[[Sequence[str]], Awaitable[Mapping[str, int]]]
"""keys -> the latest seq of each."""


class Feed:
    """The newest frames of one log, and who waits for more."""

    __slots__ = (
        "_frames",
        "_joined",
        "_settings",
        "_size",
        "beats",
        "events",
        "first",
        "followers",
        "head",
        "key",
        "last",
        "quiet",
        "waiters",
    )

    def __init__(self, key: str, settings: RuntimeSettings, now: float) -> None:
        self.key = key
        self.first = 1
        """Seq of the oldest frame in the ring."""
        self.last: int | None = None
        """Seq of the newest; None until the first frame or follower says where the log stands."""
        self.head = 0
        """The highest seq heard of; above `last`, frames are missing here."""
        self.beats = 0
        """Heartbeats so far."""
        self.quiet = now
        """Monotonic time of the last wake-up, in seconds."""
        self.followers = 0
        self.waiters: list[Follower] = []
        self.events: set[asyncio.Event] = set()
        """Set at every wake-up, for those who follow several feeds."""
        self._frames: deque[bytes] = deque()
        self._joined = (0, 0, b"")
        """Cursor, last seq and the frames between: followers who stand together share one piece of memory."""
        self._size = 0
        self._settings = settings

    def offer(self, first: int, frames: Sequence[bytes]) -> bool:
        """Add committed frames; False where they don't continue the ring, or there were none to add."""
        self.head = max(self.head, first + len(frames) - 1)
        if self.last is None:
            self.first, self.last = first, first - 1
        known = self.last + 1 - first
        if known < 0 or known >= len(frames):
            return False
        for frame in islice(frames, known, None):
            self._frames.append(frame)
            self._size += len(frame)
        self.last = first + len(frames) - 1
        while len(self._frames) > 1 and (
            len(self._frames) > self._settings.ring_frames or self._size > self._settings.ring_bytes
        ):
            self._size -= len(self._frames.popleft())
            self.first += 1
        return True

    def anchor(self, cursor: int) -> None:
        """A follower has read the log to its end: the ring goes on from there."""
        if self.last is None:
            self.first, self.last = cursor + 1, cursor
            self.head = max(self.head, cursor)

    def lose(self) -> None:
        """Forget the ring: the log doesn't go on from it."""
        self._frames.clear()
        self._size = 0
        self.last = None

    def after(self, cursor: int) -> bytes | None:
        """All frames after the cursor in one piece; None where the ring begins later than that."""
        if self.last is None or cursor + 1 < self.first:
            return None
        count = self.last - cursor
        if count <= 0:
            return b""
        if count == 1:
            return self._frames[-1]
        if self._joined[:2] != (cursor, self.last):
            self._joined = (cursor, self.last, b"".join(islice(self._frames, len(self._frames) - count, None)))
        return self._joined[2]

    def wake(self, now: float) -> None:
        """Let everyone who waits look again."""
        self.quiet = now
        self.waiters = [follower for follower in self.waiters if follower.look()]
        for event in self.events:
            event.set()


class Hub:
    """The feeds of one kind of log in this process."""

    def __init__(self, read_page: ReadPage, read_heads: ReadHeads, settings: RuntimeSettings, clock: Clock) -> None:
        self.stopping = False
        self._feeds: dict[str, Feed] = {}
        self._read_page = read_page
        self._read_heads = read_heads
        self._settings = settings
        self._clock = clock
        self._reads = asyncio.Semaphore(CONCURRENT_READS)
        self._stale: dict[str, None] = {}
        self._found_stale = asyncio.Event()

    def follows(self, key: str) -> bool:
        """Whether anyone here follows this log: else its frames need no encoding."""
        return key in self._feeds

    def publish(self, key: str, first: int, frames: Sequence[bytes]) -> None:
        """Hand over frames that were just committed here, from seq `first` on."""
        feed = self._feeds.get(key)
        if feed is None:
            return
        if feed.offer(first, frames):
            feed.wake(self._clock.monotonic())
        self._check(feed)

    def hint(self, key: str, seq: int) -> None:
        """Somebody says that the log has come to `seq`."""
        feed = self._feeds.get(key)
        if feed is not None:
            feed.head = max(feed.head, seq)
            self._check(feed)

    def resumed(self) -> None:
        """Hints may have been lost: look at every followed log."""
        self._stale.update(dict.fromkeys(self._feeds))
        self._found_stale.set()

    @contextlib.contextmanager
    def follow(self, key: str) -> Iterator[Feed]:
        """The log's feed, kept for as long as anyone follows it. Enter it before the first read of the log."""
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key, self._settings, self._clock.monotonic())
        feed.followers += 1
        try:
            yield feed
        finally:
            feed.followers -= 1
            if not feed.followers:
                del self._feeds[key]
                feed.waiters.clear()  # each has its feed: they would be garbage to be looked for

    async def read(self, key: str, cursor: int) -> Page:
        """A page of the log, when it is this reader's turn."""
        async with self._reads:
            return await self._read_page(key, cursor)

    def stop(self) -> None:
        """Let every follower end its stream."""
        self.stopping = True
        for feed in self._feeds.values():
            feed.wake(self._clock.monotonic())

    async def run(self) -> None:
        """Fill gaps, send heartbeats and poll, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refill(), name="tail-refill")
            tasks.create_task(self._beat(), name="tail-beat")
            tasks.create_task(self._poll(), name="tail-poll")

    def _check(self, feed: Feed) -> None:
        if feed.last is not None and feed.head > feed.last:
            self._stale[feed.key] = None
            self._found_stale.set()

    async def _refill(self) -> None:
        """Read for all followers of a feed at once what was not published here, or not in order."""
        while True:
            await self._found_stale.wait()
            self._found_stale.clear()
            stale = list(self._stale)
            self._stale.clear()
            for key in stale:
                try:
                    await self._catch_up(key)
                except StaleCursor:
                    self._lose(key)
                except Exception:  # a supervisor: the poll comes back to it
                    log.warning("tail.refill_failed", exc_info=True)

    async def _catch_up(self, key: str) -> None:
        while (feed := self._feeds.get(key)) is not None and feed.last is not None:
            cursor = feed.last
            page = await self.read(key, cursor)
            if page.last_seq == cursor:
                return
            frames = [frame + b"\n\n" for frame in page.body.split(b"\n\n")[:-1]]
            if feed.offer(page.last_seq - len(frames) + 1, frames):
                feed.wake(self._clock.monotonic())
            if page.at_end and feed.head <= feed.last:
                return

    def _lose(self, key: str) -> None:
        """What comes next was taken from the log: its followers look there themselves, and learn that it was."""
        feed = self._feeds.get(key)
        if feed is not None:
            feed.lose()
            feed.wake(self._clock.monotonic())

    async def _beat(self) -> None:
        silence = self._settings.stream_heartbeat_seconds
        while True:
            await self._clock.sleep(min(1.0, silence))
            now = self._clock.monotonic()
            for feed in list(self._feeds.values()):
                if now - feed.quiet >= silence - 1:
                    feed.beats += 1
                    feed.wake(now)

    async def _poll(self) -> None:
        while True:
            await self._clock.sleep(self._settings.poll_seconds)
            keys = list(self._feeds)
            if not keys:
                continue
            try:
                heads = await self._read_heads(keys)
            except Exception:  # a supervisor: it polls again
                log.warning("tail.poll_failed", exc_info=True)
                continue
            for key, head in heads.items():
                self.hint(key, head)


class Follower:
    """One reader's way through one log: `next` returns what it should be sent now."""

    __slots__ = (
        "_beats",
        "_deadline",
        "_feed",
        "_hub",
        "_stopped",
        "_timer",
        "_waiting",
        "caught_up",
        "cursor",
        "write",
    )

    def __init__(self, hub: Hub, feed: Feed, cursor: int, *, tail_seconds: float | None = None) -> None:
        """`cursor`: the last seq the reader has; `tail_seconds`: when to end, from now."""
        self.cursor = cursor
        self.caught_up = False
        """Whether the log was once read to its end."""
        self.write: DirectWrite | None = None
        """Where frames may go while this waits, without waking its task."""
        self._hub = hub
        self._feed = feed
        self._beats = feed.beats
        self._deadline = False
        self._stopped = False
        self._waiting: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        if tail_seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(tail_seconds, self._end)

    async def ready(self) -> bytes:
        """The frames that can be sent now, from the ring or the log; empty where there are none.

        Raises:
            StaleCursor: retention removed what should come next.
        """
        while (frames := self._feed.after(self.cursor)) is None:
            page = await self._hub.read(self._feed.key, self.cursor)
            if page.at_end:
                self._feed.anchor(page.last_seq)
            if page.last_seq > self.cursor:
                self.cursor = page.last_seq
                return page.body
        if frames:
            assert self._feed.last is not None
            self.cursor = self._feed.last
        return frames

    async def next(self) -> bytes | None:
        """Frames or a heartbeat; empty once, when the log was first read to its end; None when it is over.

        Raises:
            StaleCursor: retention removed what should come next.
        """
        while not (self._hub.stopping or self._stopped):
            frames = await self.ready()
            if frames:
                return None if self._stopped else frames
            if not self.caught_up:
                self.caught_up = True
                return b""
            if self._deadline:
                return None
            if self._beats != self._feed.beats:
                self._beats = self._feed.beats
                return HEARTBEAT
            await self._wait()
        return None

    def look(self) -> bool:
        """Something is new, say to a follower that waits: whether it goes on waiting, its reader served."""
        waiting = self._waiting
        if waiting is None or waiting.done():
            return False
        is_over = self._deadline or self._stopped or self._hub.stopping
        if self.write is not None and not is_over and self._serve(self.write):
            return True
        waiting.set_result(None)
        return False

    def stop(self) -> None:
        """Its reader is given nothing more: `next` returns None from here on."""
        self._stopped = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """Let go of the timer and the connection."""
        self.write = None
        if self._timer is not None:
            self._timer.cancel()

    async def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        self._feed.waiters.append(self)
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _serve(self, write: DirectWrite) -> bool:
        """Give the reader what `next` would return."""
        frames = self._feed.after(self.cursor)
        if frames is None:
            return False
        if frames:
            assert self._feed.last is not None
            if not write(frames):
                return False
            self.cursor = self._feed.last
        elif self._beats != self._feed.beats and not write(HEARTBEAT):
            return False
        self._beats = self._feed.beats
        return True

    def _end(self) -> None:
        """`tail_ms` is over: look once more, then end."""
        self._deadline = True
        self._feed.wake(self._feed.quiet)

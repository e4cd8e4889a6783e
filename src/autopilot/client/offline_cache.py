"""What was known last, for a screen that starts without network: lists and timelines, each with its age.

Owns what is kept and for how long; `sealed_file` owns the file, in one thread of its own, so that the event loop never
waits for it. Relies on the Keychain's key (`Keychain.cache_key`). A cache is a convenience: what goes wrong with it is
logged, reads as nothing, and is never an exception. Never holds a token; never written in plain.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Generic, TypeVar

from autopilot.client import log
from autopilot.client.clock import SYSTEM_CLOCK, Clock
from autopilot.client.sealed_file import Bounds, SealedFile, discard
from autopilot.client.timeline import Timeline
from autopilot.client.timeline_board import TimelineLimits
from autopilot.client.timeline_form import item_to_json
from autopilot.client.timeline_items import Item
from autopilot.contract import Approval, Machine, Receipt, WorkerSummary, decode, encode
from autopilot.contract.instants import instant

LIST_ENTRIES = 500
"""Of one list; the first ones are kept."""
_FAILURES = (sqlite3.Error, OSError)
T = TypeVar("T")
U = TypeVar("U")


class Kind(Enum):
    """The lists that are kept, and what each is a list of."""

    WORKERS = ("workers", WorkerSummary)
    MACHINES = ("machines", Machine)
    APPROVALS = ("approvals", Approval)
    RECEIPTS = ("receipts", Receipt)

    def __init__(self, label: str, message: type[Any]) -> None:
        self.label = label
        self.message = message


@dataclass(frozen=True, slots=True)
class Remembered(Generic[T]):
    """Something as it was."""

    value: T
    saved_at: str
    """By this device's clock, RFC 3339; `presenters.times.age` says it in words."""


@dataclass(frozen=True, slots=True)
class CacheFacts:
    """What a cache comes to."""

    size_bytes: int
    saved_at: str | None
    """When the list of workers was kept last; None: never."""


class OfflineCache:
    """The cache of one user at one server. For one event loop; several calls at once are done one after the other."""

    def __init__(
        self,
        path: Path,
        key: bytes,
        *,
        server: str,
        user_id: int,
        bounds: Bounds | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Nothing is opened before the first call.

        `key`: 32 bytes. What is in the file of another server, user or key is thrown away.
        """
        self.path = path
        self._key = key
        self._account = (server, str(user_id))
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._owner = ThreadPoolExecutor(1, thread_name_prefix="offline-cache")
        self._file: SealedFile | None = None
        self._is_over = False

    async def keep(self, kind: Kind, values: Sequence[Any]) -> None:
        """Remember a list in place of the one before: messages of the kind, as the server said them."""
        said, saved_at = tuple(values[:LIST_ENTRIES]), self._now()

        def write(file: SealedFile) -> None:
            lines = _lines(said, encode, self._bounds.record_bytes)
            file.write("list", kind.label, b"\n".join((_line({"saved_at": saved_at}), *lines)), is_timeline=False)

        await self._do("keep", write)

    async def recall(self, kind: Kind) -> Remembered[tuple[Any, ...]] | None:
        """A list, as it was kept; None: not known."""
        return await self._do("recall", lambda file: _list_in(file.read("list", kind.label), kind.message))

    async def keep_timeline(self, worker_id: str, timeline: Timeline) -> None:
        """Remember a worker's timeline in place of the one before; the oldest items go where it is too large."""
        outline, items, saved_at = timeline.outline(), timeline.items, self._now()

        def write(file: SealedFile) -> None:
            text = _timeline_text(outline, items, saved_at, self._bounds.record_bytes)
            file.write("timeline", worker_id, text, is_timeline=True)

        await self._do("keep_timeline", write)

    async def recall_timeline(
        self, worker_id: str, limits: TimelineLimits | None = None
    ) -> Remembered[Timeline] | None:
        """A worker's timeline, to be gone on from (`WorkerStore(timeline=…)`); None: not known."""
        return await self._do("recall_timeline", lambda file: _timeline_in(file.read("timeline", worker_id), limits))

    async def forget_timeline(self, worker_id: str) -> None:
        """Remember nothing of this worker's timeline (a role that ended)."""
        await self._do("forget_timeline", lambda file: file.delete("timeline", worker_id))

    async def facts(self) -> CacheFacts | None:
        """How large it is, and of when; None: it can't be read."""

        def look(file: SealedFile) -> CacheFacts:
            found = _list_in(file.read("list", Kind.WORKERS.label), Kind.WORKERS.message)
            return CacheFacts(self.path.stat().st_size, found.saved_at if found else None)

        return await self._do("facts", look)

    async def wipe(self) -> None:
        """Delete the file, and keep nothing from now on. The key goes with `Keychain.wipe`."""
        await self._end(self._wiped)

    async def aclose(self) -> None:
        """Let go of the file; what was begun is finished."""
        await self._end(self._closed)

    async def _end(self, work: Callable[[], None]) -> None:
        was_over, self._is_over = self._is_over, True
        if was_over:
            await asyncio.to_thread(work)
            return
        await self._run(work)
        self._owner.shutdown(wait=False)

    def _now(self) -> str:
        return instant(self._clock.now())

    async def _run(self, work: Callable[[], T]) -> T:
        """`work` in the thread of the file; done also where nobody waits for it any more: what is to go has to go."""
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._owner, work))

    async def _do(self, what: str, work: Callable[[SealedFile], U]) -> U | None:
        """`work` in the thread of the file; None where that fails, or the cache is over."""
        if self._is_over:
            return None
        return await self._run(lambda: self._done(what, work))

    def _done(self, what: str, work: Callable[[SealedFile], U]) -> U | None:
        try:
            if self._file is None:
                self._file = SealedFile.opened(self.path, self._key, self._account, self._bounds)
            return work(self._file)
        except _FAILURES as error:
            log.record("offline_cache.failed", level=30, what=what, error=type(error).__name__)
            self._begin_anew(error)
        except (ValueError, TypeError, KeyError, RecursionError) as error:  # of another version of this app
            log.record("offline_cache.not_understood", level=30, what=what, error=type(error).__name__)
        return None

    def _begin_anew(self, error: Exception) -> None:
        """Throw a damaged file away; one that only has no room for more, or is in use, stays."""
        self._closed()
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            self._discarded()

    def _wiped(self) -> None:
        self._closed()
        self._discarded()

    def _discarded(self) -> None:
        try:
            discard(self.path)
        except OSError as error:
            log.record("offline_cache.not_deleted", level=40, error=type(error).__name__)

    def _closed(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _value(line: bytes) -> Any:
    return json.loads(line.decode("utf-8", "surrogatepass"))


def _lines(values: Iterable[Any], plain: Callable[[Any], Any], most_bytes: int) -> list[bytes]:
    """A line each, until there is no more room: nothing long is done in one step, in which no other thread runs."""
    lines: list[bytes] = []
    for value in values:
        line = _line(plain(value))
        most_bytes -= len(line) + 1
        if most_bytes < 0:
            break
        lines.append(line)
    return lines


def _list_in(text: bytes | None, message: type[Any]) -> Remembered[tuple[Any, ...]] | None:
    if text is None:
        return None
    head, *lines = text.split(b"\n")
    return Remembered(tuple(decode(message, _value(line)) for line in lines), _value(head)["saved_at"])


def _timeline_text(outline: dict[str, Any], items: tuple[Item, ...], saved_at: str, most_bytes: int) -> bytes:
    lines = _lines(reversed(items), item_to_json, most_bytes)
    left_out = len(items) - len(lines)
    head = _line({"saved_at": saved_at, **outline, "dropped": outline["dropped"] + left_out})
    return b"\n".join((head, *reversed(lines)))


def _timeline_in(text: bytes | None, limits: TimelineLimits | None) -> Remembered[Timeline] | None:
    if text is None:
        return None
    head, *lines = text.split(b"\n")
    outline = _value(head)
    timeline = Timeline.restore({**outline, "items": [_value(line) for line in lines]}, limits)
    return Remembered(timeline, outline["saved_at"])

"""`GET /workers/{worker_id}/stream`: one worker's events as they happen, as server-sent events.

Owns the rules of cursor, tail and control frames; relies on tail.py for what comes when. Authorization is decided
before a byte is sent. Never buffers: the next chunk is made when the last one was taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from typing import Self

import asyncpg
import msgspec

from autopilot.contract.errors import InvalidRequest, StaleCursor, Unprocessable
from autopilot.contract.port import DirectWrite, RuntimeRequest, RuntimeResponse
from autopilot.db.away import AWAY
from autopilot.runtime import permissions
from autopilot.runtime.ledger_rows import Worker
from autopilot.runtime.router import Match, Route, integer_of, query_of
from autopilot.runtime.sharing_watch import SharingWatch
from autopilot.runtime.tail import Follower, Hub
from autopilot.runtime.tail_workers import WorkerTail
from autopilot.runtime.workers_ids import find_worker, worker_id_of

MAX_TAIL_MS = 120_000
RETRY_MS = 1000
MAX_CURSOR_DIGITS = 16

HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class StreamRoutes:
    """Streams of single workers."""

    def __init__(self, pool: asyncpg.Pool, tail: WorkerTail, sharing: SharingWatch) -> None:
        self._pool = pool
        self._tail = tail
        self._sharing = sharing

    def routes(self) -> Iterable[Route]:
        """Its one route."""
        return [Route("GET", "/workers/{worker_id}/stream", self.stream)]

    async def stream(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and frames, or a refusal before the first of them."""
        query = query_of(request)
        worker_id = worker_id_of(match)
        cursor = cursor_of(request)
        tail_ms = integer_of(query, "tail_ms", low=1, high=MAX_TAIL_MS, default=None)
        control = control_of(query.get("frames"))
        worker = await find_worker(self._pool, worker_id)
        permissions.observe(request.claims, worker)
        if cursor is None:
            cursor = worker.latest_seq
        check_cursor(cursor, worker.oldest_seq, worker.latest_seq)
        opened = _open_frame(worker) if control else b""
        body = EventStream(
            self._tail.hub,
            str(worker.worker_no),
            cursor,
            tail_seconds=None if tail_ms is None else tail_ms / 1000,
            opened=opened,
            control=control,
        )
        if not permissions.owns(request.claims, worker):
            body.hold(self._sharing.reading(request.claims, worker.worker_no, body.lose))
        self._tail.hub.hint(str(worker.worker_no), worker.latest_seq)
        return RuntimeResponse(200, HEADERS, body)


class EventStream:
    """The body of a stream: an async iterator of chunks, each of whole frames; `aclose` it, or exhaust it.

    It begins to follow when it is made, so that nothing committed from then on is missed.
    """

    __slots__ = ("_control", "_follower", "_hub", "_is_lost", "_opened", "_stack")

    def __init__(
        self,
        hub: Hub,
        key: str,
        cursor: int,
        *,
        tail_seconds: float | None = None,
        opened: bytes = b"",
        control: bool = False,
    ) -> None:
        self._hub = hub
        self._opened = opened
        self._control = control
        self._is_lost = False
        self._stack: ExitStack | None = ExitStack()
        feed = self._stack.enter_context(hub.follow(key))
        self._follower = Follower(hub, feed, cursor, tail_seconds=tail_seconds)
        self._stack.callback(self._follower.close)

    def __aiter__(self) -> Self:
        return self

    def write_to(self, write: DirectWrite) -> None:
        """See DirectStream."""
        self._follower.write = write

    async def __anext__(self) -> bytes:
        if self._opened:
            opened, self._opened = self._opened, b""
            return opened
        while self._stack is not None:
            try:
                chunk = await self._follower.next()
            except StaleCursor:
                return self._end("stale_cursor")
            except AWAY:
                return self._end("unavailable")
            except BaseException:
                self._leave()
                raise
            if chunk:
                return chunk
            if chunk is None:
                return self._end("roles" if self._is_lost else "shutdown" if self._hub.stopping else "tail_ended")
            if self._control:
                return control_frame("caught_up", {"seq": self._follower.cursor})
        raise StopAsyncIteration

    def hold(self, context: AbstractContextManager[None]) -> None:
        """Within this context, for as long as the stream is open."""
        assert self._stack is not None
        self._stack.enter_context(context)

    def lose(self) -> None:
        """End it: its reader may read this worker no more."""
        self._is_lost = True
        self._follower.stop()

    async def aclose(self) -> None:
        """Stop following."""
        self._leave()

    def _end(self, reason: str) -> bytes:
        self._leave()
        if self._control:
            return control_frame("bye", {"reason": reason, "retry_ms": RETRY_MS})
        raise StopAsyncIteration

    def _leave(self) -> None:
        stack, self._stack = self._stack, None
        if stack is not None:
            stack.close()

    def __del__(self) -> None:
        self._leave()


def cursor_of(request: RuntimeRequest) -> int | None:
    """The last seq the reader has, from `cursor` or `Last-Event-ID`; None where it says neither.

    Raises:
        InvalidRequest: not an integer >= 0, or both given and different.
    """
    given = {
        "cursor": query_of(request).get("cursor"),
        "Last-Event-ID": request.headers.get("last-event-id") or None,
    }
    found: int | None = None
    for name, value in given.items():
        if value is None:
            continue
        if not (value.isascii() and value.isdigit() and len(value) <= MAX_CURSOR_DIGITS):
            raise InvalidRequest(f"{name} must be an integer >= 0", reason_code="cursor", field=name)
        if found is not None and found != int(value):
            raise InvalidRequest("cursor and Last-Event-ID differ", reason_code="cursors_differ")
        found = int(value)
    return found


def control_of(value: str | None) -> bool:
    """Whether `frames=control` was asked for.

    Raises:
        Unprocessable: another value.
    """
    if value not in {None, "control"}:
        raise Unprocessable("frames must be control", reason_code="invalid_value", field="frames")
    return value is not None


def check_cursor(cursor: int, oldest: int, latest: int) -> None:
    """The log has what comes after the cursor.

    Raises:
        StaleCursor: below the retention floor, or ahead of the log.
    """
    if cursor > latest or cursor < oldest - 1:
        raise StaleCursor(
            "start again from the snapshot",
            reason_code="ahead_of_log" if cursor > latest else "below_floor",
            oldest_seq=oldest,
            latest_seq=latest,
        )


def control_frame(kind: str, data: dict[str, object]) -> bytes:
    """A frame without `id`: `codex.stream.<kind>`."""
    return b"event: codex.stream.%s\ndata: %s\n\n" % (kind.encode(), msgspec.json.encode(data))


def _open_frame(worker: Worker) -> bytes:
    return control_frame("open", {"latest_seq": worker.latest_seq, "oldest_seq": worker.oldest_seq})

"""The workers' logs as the tail sees them: keys, pages of frames, and heads, read from Postgres.

Frames become SSE text in the database, so that replay moves bytes and encodes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from autopilot.contract.errors import StaleCursor
from autopilot.db.queries import load
from autopilot.ops.clock import Clock
from autopilot.runtime.ledger_rows import Span
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.tail import Hub, Page
from autopilot.runtime.tail_wakeups import Wakeups

SQL = load("autopilot.runtime", "tail")
TOPIC = "worker"
PAGE_ROWS = 2000


class WorkerTail:
    """Publishes committed rows to those who follow their workers, here and in other processes."""

    def __init__(self, pool: asyncpg.Pool, wakeups: Wakeups, settings: RuntimeSettings, clock: Clock) -> None:
        self._pool = pool
        self._wakeups = wakeups
        self._page_bytes = settings.page_bytes
        self.hub = Hub(self.read_page, self.read_heads, settings, clock)
        wakeups.subscribe(TOPIC, self.hub.hint, self.hub.resumed)

    def publish(self, spans: Sequence[Span]) -> None:
        """Call straight after the commit of these rows."""
        for span in spans:
            key = str(span.worker.worker_no)
            if self.hub.follows(key):
                self.hub.publish(key, span.first_seq, sse(span))
            self._wakeups.announce(TOPIC, key, span.first_seq + len(span.frames) - 1)

    async def read_page(self, key: str, cursor: int) -> Page:
        """The next frames of a worker's log after `cursor`, about `page_bytes` of them.

        Raises:
            StaleCursor: they are below the retention floor now.
        """
        record = await self._pool.fetchrow(SQL.read_frames, int(key), cursor, PAGE_ROWS, self._page_bytes)
        assert record is not None
        last, latest = record["last_seq"] or cursor, record["latest_seq"] or 0
        if last - cursor != record["count"] or (last == cursor and latest > cursor):
            raise StaleCursor("the log begins later than that", reason_code="below_floor")
        return Page(record["body"] or b"", last, at_end=last >= latest)

    async def read_heads(self, keys: Sequence[str]) -> Mapping[str, int]:
        """The latest seq of each worker."""
        records = await self._pool.fetch(SQL.read_heads, [int(key) for key in keys])
        return {str(record["worker_no"]): record["latest_seq"] for record in records}


def sse(span: Span) -> list[bytes]:
    """Rows as the stream's frames."""
    return [
        f"id: {seq}\nevent: codex.{draft.event_type}\ndata: {frame}\n\n".encode()
        for seq, (draft, frame) in enumerate(zip(span.drafts, span.frames, strict=True), span.first_seq)
    ]

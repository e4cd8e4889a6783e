"""`GET /workers/{worker_id}/events`: pages of a log, backwards or forwards, without a stream.

Envelopes are put together as bytes in the database; a page holds as many as fit, at least one. An empty page is
the end.
"""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from autopilot.contract.errors import InvalidRequest
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.db.queries import load
from autopilot.runtime import permissions
from autopilot.runtime.router import JSON, Match, Route, integer_of, query_of
from autopilot.runtime.stream import check_cursor
from autopilot.runtime.workers_ids import find_worker, worker_id_of

SQL = load("autopilot.runtime", "tail")

MAX_EVENTS = 500
DEFAULT_EVENTS = 100
MAX_SEQ = 2**53 - 1
MAX_PAGE_BYTES = 8 * 1024 * 1024


class PageRoutes:
    """Pages of single workers' logs."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    def routes(self) -> Iterable[Route]:
        """Its one route."""
        return [Route("GET", "/workers/{worker_id}/events", self.page)]

    async def page(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and envelopes in order of seq: those after `after`, else the last ones before `before`."""
        query = query_of(request)
        worker_id = worker_id_of(match)
        before = integer_of(query, "before", low=0, high=MAX_SEQ, default=None)
        after = integer_of(query, "after", low=0, high=MAX_SEQ, default=None)
        limit = integer_of(query, "limit", low=1, high=MAX_EVENTS, default=DEFAULT_EVENTS)
        if before is not None and after is not None:
            raise InvalidRequest("a page goes before or after, not both", reason_code="both_directions")
        worker = await find_worker(self._pool, worker_id)
        permissions.observe(request.claims, worker)
        if after is not None:
            check_cursor(after, worker.oldest_seq, worker.latest_seq)
            body = await self._pool.fetchval(SQL.page_after, worker.worker_no, after, limit, MAX_PAGE_BYTES)
        else:
            end = worker.latest_seq + 1 if before is None else min(before, worker.latest_seq + 1)
            body = await self._pool.fetchval(SQL.page_before, worker.worker_no, end, limit, MAX_PAGE_BYTES)
        return RuntimeResponse(200, {"content-type": JSON}, body)

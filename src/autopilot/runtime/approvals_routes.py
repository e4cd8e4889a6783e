"""The routes of approvals: list, read, decide."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime, timedelta

import asyncpg

from autopilot.contract import ApprovalFilter
from autopilot.contract.errors import Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.ops.log import get_logger
from autopilot.runtime import permissions
from autopilot.runtime.approvals import Approvals
from autopilot.runtime.approvals_body import approval_body
from autopilot.runtime.approvals_rows import SQL
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.requests_bodies import Bodies, identifier
from autopilot.runtime.requests_routes import asker_of
from autopilot.runtime.router import Match, Route, data_response, integer_of, json_response, query_of
from autopilot.runtime.workers import EPOCH
from autopilot.runtime.workers_ids import find_worker

log = get_logger("autopilot.runtime.approvals")

MAX_PAGE = 200
DEFAULT_PAGE = 50
FILTERS = frozenset(ApprovalFilter)


class ApprovalRoutes:
    """What people call."""

    def __init__(
        self, approvals: Approvals, pool: asyncpg.Pool, bodies: Bodies, hearing: Hearing, page_bytes: int
    ) -> None:
        self._approvals = approvals
        self._pool = pool
        self._bodies = bodies
        self._hearing = hearing
        self._page_bytes = page_bytes

    def routes(self) -> Iterable[Route]:
        """Its routes."""
        return [
            Route("GET", "/approvals", self.list),
            Route("GET", "/approvals/{approval_id}", self.read),
            Route("POST", "/approvals/{approval_id}/decision", self.decide),
        ]

    async def list(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and a page of the principal's approvals: open ones oldest first, others newest first."""
        claims, query = request.claims, query_of(request)
        permissions.require_scope(claims, "observe")
        limit = integer_of(query, "limit", low=1, high=MAX_PAGE, default=DEFAULT_PAGE)
        assert limit is not None
        state = query.get("state", ApprovalFilter.PENDING)
        if state not in FILTERS:
            raise Unprocessable("state is none of the known", reason_code="invalid_value", field="state")
        worker_no = await self._worker_no(request, query.get("worker_id"))
        place = place_of(query["before"]) if "before" in query else (None, None)
        is_open = state in {ApprovalFilter.PENDING, ApprovalFilter.OPEN}
        statement, narrow = (
            (SQL.oldest_first, state == ApprovalFilter.PENDING)
            if is_open
            else (SQL.newest_first, state == ApprovalFilter.ENDED)
        )
        owner = (claims.user_id, claims.guest_scope)
        rows = await self._pool.fetch(
            statement, *owner, worker_no, narrow, *place, limit + 1, self._page_bytes, permissions.reach_of(claims)
        )
        page = rows[:limit]
        following = token_of(page[-1]) if page and page[-1]["found"] > len(page) else None
        return json_response(200, {"data": [self._body(claims, row) for row in page], "next": following})

    async def read(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and one approval."""
        record = await self._approvals.approval(request.claims, approval_id_of(match))
        return data_response(200, self._body(request.claims, record))

    async def decide(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and the approval with this answer, whether given now or before."""
        approval_id = approval_id_of(match)
        record = await self._approvals.decide(asker_of(request), approval_id, self._bodies.answer(request))
        log.info("approval.decided", approval_id=approval_id, worker_id=record["worker_id"], state=record["state"])
        return data_response(200, self._body(request.claims, record))

    async def _worker_no(self, request: RuntimeRequest, worker_id: str | None) -> int | None:
        if worker_id is None:
            return None
        worker = await find_worker(self._pool, identifier(worker_id, "worker_id"))
        permissions.observe(request.claims, worker)
        return worker.worker_no

    def _body(self, claims: Claims, record: asyncpg.Record) -> dict[str, object]:
        return approval_body(record, claims=claims, hearing=self._hearing)


def approval_id_of(match: Match) -> str:
    """The path's approval_id.

    Raises:
        Unprocessable: not in the charset, or too long.
    """
    return identifier(match["approval_id"], "approval_id")


def token_of(row: asyncpg.Record) -> str:
    """The opaque place of a row in the order of asking."""
    micros = (row["requested_at"] - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros} {row['approval_id']}".encode()).decode().rstrip("=")


def place_of(token: str) -> tuple[datetime, str]:
    """The place that a token means.

    Raises:
        Unprocessable: it is none of ours.
    """
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
        micros, _, approval_id = text.partition(" ")
        if not micros.isdigit():
            raise ValueError
        return EPOCH + timedelta(microseconds=int(micros)), identifier(approval_id, "before")
    except (ValueError, OverflowError, binascii.Error, Unprocessable):
        raise Unprocessable("before is not a page's next", reason_code="invalid_value", field="before") from None

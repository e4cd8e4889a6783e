"""Workers: made, reattached, shown, listed.

Owns the table `worker` and the event `worker.started`; status moves with events, in append_plan.py. Relies on the
ledger's transaction. Stopping is a matter of requests (requests_stop.py).
Source: docs/protocol.md, "Workers".
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from autopilot.contract.errors import Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.runtime import permissions, snapshots, strict_json
from autopilot.runtime.append_plan import STARTED
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.ledger import Ledger, no_such_worker
from autopilot.runtime.ledger_rows import Worker, actor_of, worker_of
from autopilot.runtime.permissions import Belonging
from autopilot.runtime.requests_notes import note
from autopilot.runtime.router import Match, Route, data_response, integer_of, json_response, query_of
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.workers_body import CreateWorker, read_create
from autopilot.runtime.workers_ids import worker_id_of
from autopilot.runtime.workers_search import SQL, Searched, wanted_of

MAX_PAGE = 200
DEFAULT_PAGE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Workers:
    """Routes of the workers of a principal."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool, hearing: Hearing, settings: RuntimeSettings) -> None:
        self._ledger = ledger
        self._pool = pool
        self._settings = settings
        self._hearing = hearing

    def routes(self) -> Iterable[Route]:
        """List, create, snapshot."""
        return [
            Route("GET", "/workers", self.list),
            Route("POST", "/workers", self.create),
            Route("GET", "/workers/{worker_id}/snapshot", self.snapshot),
        ]

    async def snapshot(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and all that is known of one worker."""
        row = await self._pool.fetchrow(SQL.snapshot, worker_id_of(match))
        if row is None:
            raise no_such_worker()
        permissions.observe(request.claims, worker_of(row))
        return data_response(200, snapshots.snapshot(row, **self._reader(request.claims, row)))

    async def list(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """200 and a page of the principal's workers, newest activity first."""
        claims, query = request.claims, query_of(request)
        permissions.require_scope(claims, "observe", "execute")
        limit = integer_of(query, "limit", low=1, high=MAX_PAGE, default=DEFAULT_PAGE)
        assert limit is not None
        searched = Searched(claims, wanted_of(query))
        place = place_of(query["before"]) if "before" in query else (None, None)
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            page = await searched.page(conn, place, limit)
        data = [snapshots.summary(row, **self._reader(claims, row)) for row in page.rows]
        return json_response(200, {"data": data, "next": None if page.last is None else token_of(page.last)})

    async def create(self, request: RuntimeRequest, _match: Match) -> RuntimeResponse:
        """202 for a new or reattached worker, 200 for one that is open already."""
        permissions.open_worker(request.claims)
        body = read_create(strict_json.body_of(request, max_bytes=self._settings.max_body_bytes))
        worker, replay = await self._open(request, body)
        data = {
            "workerId": worker.worker_id,
            "status": worker.status,
            "latestSeq": worker.latest_seq,
            "idempotentReplay": replay,
        }
        return data_response(200 if replay else 202, data)

    async def _open(self, request: RuntimeRequest, body: CreateWorker) -> tuple[Worker, bool]:
        """The worker with its log open, and whether it was open already."""
        claims = request.claims
        worker_id = body.worker_id or f"worker-{uuid.uuid4().hex}"
        said = (body.workspace_ref, body.codex_home_ref, body.adapter)
        async with self._ledger.transaction() as tx:
            made = await tx.conn.fetchval(
                SQL.make, worker_id, claims.user_id, claims.guest_scope, *said, body.metadata or "{}"
            )
            worker = await tx.lock_worker(worker_id)
            permissions.operate(claims, worker)
            if worker.is_open:
                return worker, True
            if made is None:
                await tx.conn.execute(SQL.describe, worker.worker_no, *said, body.metadata)
            facts: dict[str, Any] = {"reason": "reattach" if made is None else "create", "adapter": body.adapter}
            started = note(
                STARTED,
                facts,
                x_request_id=request.headers.get("x-request-id"),
                actor=actor_of(claims),
            )
            await tx.append(worker, [started])
            return worker, False

    def _reader(self, claims: Claims, row: asyncpg.Record) -> dict[str, Any]:
        """What a snapshot depends on besides its row."""
        return {"role": permissions.role_of(claims, Belonging.of(row)), "hearing": self._hearing}


def token_of(row: asyncpg.Record) -> str:
    """The opaque place of a row in the order of activity."""
    micros = (row["updated_at"] - EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(f"{micros}.{row['worker_no']}".encode()).decode().rstrip("=")


def place_of(token: str) -> tuple[datetime, int]:
    """The place that a token means.

    Raises:
        Unprocessable: it is none of ours.
    """
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode("ascii")
        micros, _, number = text.partition(".")
        if not (micros.isdigit() and number.isdigit() and len(number) < 19):  # noqa: PLR2004 - digits of a bigint
            raise ValueError
        return EPOCH + timedelta(microseconds=int(micros)), int(number)
    except (ValueError, OverflowError, binascii.Error):
        raise Unprocessable("before is not a page's next", reason_code="invalid_value", field="before") from None

"""Users whose accounts were deleted: what is theirs is stopped at once, and emptied; that it was there stays.

Owns `deleted_user`. The API says who, until it was heard. From then on no request is taken from them; their workers are
stopped by force, requests to their machines end, and the logs of their workers lose every payload as old ones do in
retention: seq, type, time and digest stay, so that the chain of seals still proves that nothing else went. Every step
may be done again, and is, for a while: a call that was under way when the account went leaves nothing either. A log
that somebody altered is left alone and told of, as in retention. What is beside the logs is emptied by erasure_rows.py.
Source: docs/runtime-contract.md, "Deleted users"; docs/decisions/0026-deleting-an-account.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import structlog

from autopilot.contract.errors import Forbidden, InvalidRequest
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.db import queries
from autopilot.ops.clock import Clock
from autopilot.runtime import artifacts_store, audit_log, erasure_rows, receipts_ending, requests_stop
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.requests import Asker, Requests
from autopilot.runtime.retention import Retention
from autopilot.runtime.router import Match, Route, data_response

SQL = queries.load("autopilot.runtime", "erasure")

SWEEP_SECONDS = 2.0
SETTLED_SECONDS = 15.0
"""Longer than any call of theirs can be on its way."""
AT_ONCE = 100
"""Users, workers or receipts that are read in one look; the next follow in another."""
LONG_AGO = datetime.min.replace(tzinfo=UTC)
REASON = "account_deleted"
GONE = {"code": REASON, "message": "the account of this machine was deleted"}

log = structlog.get_logger("autopilot.runtime.erasure")


class _Deleted(msgspec.Struct, forbid_unknown_fields=True):
    device_ids: list[str]


class Erasure:
    """Takes the API's word; keep `run` running."""

    def __init__(
        self, ledger: Ledger, pool: asyncpg.Pool, requests: Requests, retention: Retention, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._pool = pool
        self._requests = requests
        self._retention = retention
        self._clock = clock

    def routes(self) -> Iterable[Route]:
        """Its one route. No public path leads to it."""
        return [Route("POST", "/users/{user_id}/deleted", self.take)]

    async def take(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200: from now on nothing is taken from this user; again, the same.

        Raises:
            Forbidden: the claims are not the API's about this user.
            InvalidRequest: no devices.
        """
        claims = request.claims
        if str(claims.user_id) != match["user_id"] or claims.surface != "runtime" or claims.device_id is not None:
            raise Forbidden("only the API says whose account was deleted", reason_code="user")
        try:
            device_ids = msgspec.json.decode(request.body, type=_Deleted).device_ids
        except msgspec.MsgspecError as error:
            raise InvalidRequest(f"no devices: {error}", reason_code="malformed_json") from None
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(SQL.mark, claims.user_id)
            await conn.execute(SQL.revoke, device_ids, self._clock.now())
        return data_response(200, {"user_id": claims.user_id})

    async def run(self) -> None:
        """Sweep every two seconds until cancelled; a sweep that fails is made up for by the next."""
        while True:
            try:
                await self.sweep()
            except Exception:
                log.warning("erasure.sweep_failed", exc_info=True)
            await self._clock.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Stop and empty what is left of deleted users; one of whom that fails keeps no other waiting."""
        after = (LONG_AGO, 0)
        while rows := await self._pool.fetch(SQL.left, AT_ONCE, SETTLED_SECONDS, *after):
            for row in rows:
                after = (row["deleted_at"], row["user_id"])
                try:
                    await self._sweep_user(row["user_id"], is_settled=row["is_settled"])
                except Exception:
                    log.warning("erasure.user_failed", user_id=row["user_id"], exc_info=True)

    async def _sweep_user(self, user_id: int, *, is_settled: bool) -> None:
        await self._stop(user_id)
        altered = await self._empty(user_id)
        if is_settled:
            await self._finish(user_id, altered)

    async def _stop(self, user_id: int) -> None:
        asker = Asker(Claims(user_id=user_id, scopes=frozenset({"administer"}), surface="runtime"))
        after = ""
        while rows := await self._pool.fetch(SQL.open_workers, user_id, after, AT_ONCE):
            for row in rows:
                await requests_stop.stop(self._ledger, self._requests, asker, row["worker_id"], REASON, force=True)
            after = rows[-1]["worker_id"]
        last = ("", "")
        while rows := await self._pool.fetch(SQL.open_receipts, user_id, *last, AT_ONCE):
            for target, request_ids in receipts_ending.by_target(rows).items():
                await receipts_ending.end(self._ledger, target, request_ids, _judge)
            last = (rows[-1]["target_id"], rows[-1]["request_id"])

    async def _empty(self, user_id: int) -> int:
        """How many logs were altered by somebody, and are left alone."""
        altered, after = 0, ""
        while rows := await self._pool.fetch(SQL.full_logs, user_id, after, AT_ONCE):
            for row in rows:
                after = row["worker_id"]
                try:
                    await self._retention.prune_payloads(after, below_seq=row["below_seq"], latest_too=True)
                except ValueError:
                    altered += 1
                    log.exception("erasure.log_broken", worker_id=after)
        await artifacts_store.collect(self._pool)
        await erasure_rows.empty(self._pool, user_id)
        return altered

    async def _finish(self, user_id: int, altered: int) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            if await conn.fetchval(SQL.emptied, user_id) is None:
                return
            claims, subject = Claims(user_id=user_id, surface="runtime"), f"user:{user_id}"
            detail = {"altered_logs": altered}
            await audit_log.note(conn, claims, "account_emptied", x_request_id=None, subject=subject, detail=detail)


def _judge(record: Any) -> tuple[str, dict[str, str]] | None:
    """A machine that was handed something may have done it; nobody will know."""
    if record["ended_at"] is not None:
        return None
    return ("rejected" if record["state"] == "accepted" else "indeterminate"), GONE

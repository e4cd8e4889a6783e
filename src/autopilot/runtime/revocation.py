"""Devices whose sign-in has ended: what they asked for or decided, and no machine was handed yet, is taken back.

Requests are rejected; questions wait for a person again.

Owns the table `revoked_device`, which is also why a call that was on its way when its device was revoked is refused.
The API says which devices those are, until it was heard; the sweeper makes up for what came in between. A stop is not
taken back: the worker is stopping since it was asked. Source: docs/runtime-contract.md, "Revoked devices".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from autopilot.contract.errors import Forbidden, Unauthorized
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.db import queries
from autopilot.ops.clock import Clock
from autopilot.runtime import approvals_rows, artifacts_losses, receipts_ending
from autopilot.runtime.approvals_rows import Decision
from autopilot.runtime.delivery import Target
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.requests_methods import STOP
from autopilot.runtime.router import Match, Route, data_response

_SQL = queries.load("autopilot.runtime", "revocation")
_PAGE = 500

DEVICE_REVOKED = {"code": "device_revoked", "message": "the device that asked was signed out before a machine took it"}
REMEMBERED = timedelta(days=1)
"""Far longer than any call can be on its way through the API."""


class Revocations:
    """Takes the API's word, and holds to it."""

    def __init__(self, ledger: Ledger, pool: asyncpg.Pool, clock: Clock) -> None:
        self._ledger = ledger
        self._pool = pool
        self._clock = clock

    def routes(self) -> Iterable[Route]:
        """Its one route. No public path leads to it."""
        return [Route("POST", "/devices/{device_id}/revoked", self.take)]

    async def take(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 with how many requests were rejected, and questions reopened, by this call; again, with what is left.

        Raises:
            Forbidden: the claims are not those of that device.
        """
        device_id = match["device_id"]
        if request.claims.device_id != device_id:
            raise Forbidden("only for the device of the claims", reason_code="device")
        await self._pool.execute(_SQL.revoke, device_id, self._clock.now())
        if request.claims.machine_id is not None:
            await artifacts_losses.with_machine(self._pool, request.claims.machine_id)
        found = await self._pool.fetch(_SQL.undelivered_of, device_id, STOP)
        rejected = 0
        for target, request_ids in receipts_ending.by_target(found).items():
            rejected += await self.reject(target, request_ids)
        reopened = 0
        decided = approvals_rows.by_worker(await self._pool.fetch(_SQL.undelivered_decisions_of, device_id))
        for worker_id, decisions in decided.items():
            reopened += await self.reopen(worker_id, decisions)
        return data_response(200, {"device_id": device_id, "rejected": rejected, "reopened": reopened})

    async def left(self) -> dict[Target, list[str]]:
        """What was accepted at the very moment of a revocation, by target."""
        return receipts_ending.by_target(await self._pool.fetch(_SQL.undelivered, STOP, _PAGE))

    async def decided(self) -> dict[str, list[Decision]]:
        """What was decided at the very moment of a revocation, by worker."""
        return approvals_rows.by_worker(await self._pool.fetch(_SQL.undelivered_decisions, _PAGE))

    async def reopen(self, worker_id: str, decisions: list[Decision]) -> int:
        """Take back those of these decisions that no machine was handed; how many it were."""
        return await approvals_rows.reopen(self._ledger, worker_id, decisions, DEVICE_REVOKED["code"])

    async def reject(self, target: Target, request_ids: list[str]) -> int:
        """Reject those of these requests that no machine was handed; how many it were."""
        return await receipts_ending.end(self._ledger, target, request_ids, _judge)

    async def forget(self, now: datetime) -> None:
        """Let go of devices that were revoked long ago."""
        await self._pool.execute(_SQL.forget, now - REMEMBERED)


async def refuse_revoked(conn: Any, claims: Claims) -> None:
    """A revoked device, and a deleted user, ask for nothing, whatever the API still believed when the call came in.

    Raises:
        Unauthorized: it is one.
    """
    if await conn.fetchval(_SQL.is_revoked, claims.device_id, claims.user_id):
        raise Unauthorized("this token is unknown, expired or revoked", reason_code="token_refused")


def _judge(record: asyncpg.Record) -> tuple[str, dict[str, str]] | None:
    return ("rejected", DEVICE_REVOKED) if record["state"] == "accepted" else None

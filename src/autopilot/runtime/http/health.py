"""Is the runtime's process alive, would a call succeed, what has it counted. Says nothing a stranger may not know."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from autopilot.contract.errors import Unavailable
from autopilot.db.away import AWAY
from autopilot.db.errors import DatabaseUnfit, MigrationRefused
from autopilot.db.migrate import pending
from autopilot.ops.clock import Clock
from autopilot.ops.metrics import Metrics

CHECK_SECONDS = 3.0
REMEMBER_SECONDS = 0.5
"""Whoever asks more often gets the last answer: the database is asked twice a second at most."""


class HealthRoutes:
    """`/healthz`, `/readyz`, `/metrics`."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, metrics: Metrics) -> None:
        self._pool = pool
        self._clock = clock
        self._metrics = metrics
        self._ready = False
        self._checked_at: float | None = None
        self._checking = asyncio.Lock()

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
        ]

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return JSONResponse({"ok": True})

    async def readyz(self, _request: Request) -> Response:
        """The database answers, and is migrated."""
        async with self._checking:
            now = self._clock.monotonic()
            if self._checked_at is None or now - self._checked_at > REMEMBER_SECONDS:
                self._ready = await self._check()
                self._checked_at = now
        if not self._ready:
            raise Unavailable(
                "not ready",
                reason_code="not_ready",
                missing=["database"],
                outcome="not_recorded",
                retry_after_seconds=1,
            )
        return JSONResponse({"ok": True})

    async def metrics(self, _request: Request) -> Response:
        """What was counted, for Prometheus."""
        content, content_type = self._metrics.render()
        return Response(content, headers={"content-type": content_type})

    async def _check(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS), self._pool.acquire() as connection:
                database: Any = connection  # a pool's stand-in for one
                return not await pending(database, "runtime", "autopilot.runtime")
        except (*AWAY, TimeoutError, DatabaseUnfit, MigrationRefused):
            return False

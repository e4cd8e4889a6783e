"""Is the process alive, is it ready, what has it counted.

`/healthz` says that the process answers; `/readyz` that a call would succeed: the database answers and is migrated, and
the runtime answers a real call through its port. Never says more than a stranger may know.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.http.answers import json_answer
from autopilot.contract.errors import AutopilotError, Unavailable
from autopilot.contract.port import Claims, RuntimePort, RuntimeRequest
from autopilot.db.away import AWAY
from autopilot.db.errors import DatabaseUnfit, MigrationRefused
from autopilot.db.migrate import pending
from autopilot.ops.log import get_logger

CHECK_SECONDS = 3.0
REMEMBER_SECONDS = 0.5
"""Strangers may ask as often as they like: the database is asked twice a second at most."""
NOBODY = Claims(guest_scope="readiness", scopes=frozenset({"observe"}), surface="runtime")
"""Owns no worker: its list is empty, which is answer enough."""

log = get_logger("autopilot.api")


@dataclass(slots=True)
class HealthRoutes:
    """The three paths."""

    pool: asyncpg.Pool
    port: RuntimePort
    monotonic: Callable[[], float]
    rendered: Callable[[], tuple[bytes, str]]
    """The metrics and their content type."""
    _missing: list[str] = field(default_factory=list)
    _checked_at: float | None = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return json_answer({"ok": True})

    async def readyz(self, _request: Request) -> Response:
        """A call would succeed."""
        async with self._lock:
            if self._checked_at is None or self.monotonic() - self._checked_at > REMEMBER_SECONDS:
                self._missing = await self._check()
                self._checked_at = self.monotonic()
        if self._missing:
            raise Unavailable(
                "not ready",
                reason_code="not_ready",
                missing=self._missing,
                outcome="not_recorded",
                retry_after_seconds=1.0,
            )
        return json_answer({"ok": True})

    async def metrics(self, _request: Request) -> Response:
        """What was counted, for Prometheus."""
        content, content_type = self.rendered()
        return Response(content, headers={"content-type": content_type})

    async def _check(self) -> list[str]:
        missing = []
        if not await self._database_ready():
            missing.append("database")
        if not await self._runtime_ready():
            missing.append("runtime")
        return missing

    async def _database_ready(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS), self.pool.acquire() as connection:
                database: Any = connection  # a pool's stand-in for one
                return not await pending(database, "api", "autopilot.api")
        except (*AWAY, DatabaseUnfit, MigrationRefused) as error:
            log.warning("database_not_ready", error=type(error).__name__)
            return False

    async def _runtime_ready(self) -> bool:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                answer = await self.port.call(RuntimeRequest(NOBODY, "GET", "/workers", "limit=1"))
        except (AutopilotError, OSError, TimeoutError) as error:
            log.warning("runtime_not_ready", error=type(error).__name__)
            return False
        return answer.status == 200  # noqa: PLR2004 - the status itself

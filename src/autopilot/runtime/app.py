"""The runtime put together: constructors, the routes of its rooms, and the edge where refusals become responses.

`build` is the one place that knows all parts. The runtime is called through the port, in process or by
runtime/http over signed HTTP; it never listens itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import asyncpg

from autopilot.contract.errors import Problem, Unavailable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse
from autopilot.db.away import AWAY
from autopilot.db.pool import open_pool
from autopilot.ops.clock import Clock, SystemClock
from autopilot.ops.metrics import Metrics
from autopilot.runtime import permissions
from autopilot.runtime.append_routes import AppendRoutes
from autopilot.runtime.artifacts_routes import ArtifactRoutes
from autopilot.runtime.artifacts_store import ArtifactStore
from autopilot.runtime.audit_routes import AuditRoutes
from autopilot.runtime.budgets_routes import BudgetRoutes
from autopilot.runtime.counts import Counts
from autopilot.runtime.erasure import Erasure
from autopilot.runtime.hearing import Hearing
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.machines_room import MachinesRoom
from autopilot.runtime.retention import Retention
from autopilot.runtime.router import Router, problem_response
from autopilot.runtime.seal import Sealer
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.sharing_watch import SharingWatch
from autopilot.runtime.stream import StreamRoutes
from autopilot.runtime.stream_notices import Notices
from autopilot.runtime.stream_pages import PageRoutes
from autopilot.runtime.stream_principal import PrincipalRoutes
from autopilot.runtime.tail_wakeups import Wakeups
from autopilot.runtime.tail_workers import WorkerTail
from autopilot.runtime.trace_routes import TraceRoutes
from autopilot.runtime.transitions import TransitionRoutes
from autopilot.runtime.workers import Workers

STOP_SECONDS = 1.0
"""How long followers get to end their streams."""
READ_SECONDS = 10.0
"""A read takes milliseconds; one that has taken so long waits for a database that does not answer."""


class Runtime:
    """The runtime of one process: an async context manager, and a `RuntimePort` while it is open."""

    def __init__(self, pool: asyncpg.Pool, dsn: str, settings: RuntimeSettings, clock: Clock, metrics: Metrics) -> None:
        self.pool = pool
        self.metrics = metrics
        counts = Counts(metrics)
        self.settings = settings
        self.clock = clock
        self.wakeups = Wakeups(dsn, clock, interval_ms=settings.notify_interval_ms)
        self.tail = WorkerTail(pool, self.wakeups, settings, clock)
        self.ledger = Ledger(pool, self.tail, settings)
        self.hearing = Hearing(pool, settings.choices)
        self.machines = MachinesRoom(
            pool, self.ledger, self.wakeups, settings=settings, hearing=self.hearing, clock=clock
        )
        self.notices = Notices(self.wakeups)
        self.sharing = SharingWatch(pool, self.wakeups)
        self.sharing.on_change += [self.ledger.forget, self.notices.sharing_changed, self.machines.waiters.wake_all]
        self.ledger.on_commit += [self.notices.committed, counts.committed, self.sharing.committed]
        self.machines.machines.on_change.append(self.notices.machine_changed)
        retention = Retention(self.ledger, pool, settings, clock, counts.log_broken)
        self.erasure = Erasure(self.ledger, pool, self.machines.requests, retention, clock)
        self.router = Router(
            [
                *Workers(self.ledger, pool, self.hearing, settings).routes(),
                *AppendRoutes(self.ledger, settings).routes(),
                *StreamRoutes(pool, self.tail, self.sharing).routes(),
                *PageRoutes(pool).routes(),
                *ArtifactRoutes(ArtifactStore(self.ledger, pool, settings), pool, settings).routes(),
                *PrincipalRoutes(
                    pool, self.tail, self.notices, self.machines.machines, hearing=self.hearing, settings=settings
                ).routes(),
                *self.machines.routes(),
                *AuditRoutes(pool).routes(),
                *TraceRoutes(pool).routes(),
                *BudgetRoutes(pool).routes(),
                *self.erasure.routes(),
                *TransitionRoutes(pool).routes(),
            ]
        )
        self.background: list[Callable[[], Awaitable[None]]] = [
            self.wakeups.run,
            self.tail.hub.run,
            self.ledger.run,
            self.hearing.run,
            self.sharing.run,
            retention.run,
            self.erasure.run,
            Sealer(pool, lambda: settings.keys.seal, clock).run,
            *self.machines.background,
        ]
        """What runs for as long as the runtime is open; rooms add theirs before it is entered."""
        self._stack = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._tasks = [group.create_task(_run(work)) for work in self.background]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_streams()
        for task in self._tasks:
            task.cancel()
        await self._stack.__aexit__(kind, error, trace)
        await self.pool.close()

    def stop_streams(self) -> None:
        """End every open stream, with `bye` for those who asked for it."""
        self.tail.hub.stop()
        self.notices.stop()
        self.machines.stop()

    async def call(self, request: RuntimeRequest) -> RuntimeResponse:
        """See RuntimePort. A refusal, and a database that is away, are responses."""
        try:
            endpoint, match = self.router.find(request.method, request.path)
            permissions.require_guests_way(request.claims, request.method, request.path)
            if request.method != "GET":
                return await endpoint(request, match)
            async with asyncio.timeout(READ_SECONDS):
                return await endpoint(request, match)
        except Problem as problem:
            return problem_response(problem)
        except AWAY:
            return problem_response(
                Unavailable(
                    "the database can't do this now; repeat with the same ids",
                    reason_code="database",
                    outcome="not_recorded" if request.method == "GET" else "unknown",
                    retry_after_seconds=1,
                )
            )

    async def aclose(self) -> None:
        """See RuntimePort; the runtime ends with its context."""


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def build(
    settings: RuntimeSettings, *, dsn: str, clock: Clock | None = None, metrics: Metrics | None = None
) -> Runtime:
    """A runtime over a migrated database, not yet entered; it closes its pool when it is left.

    `metrics`: of the process, where it has some already.

    Raises:
        OSError, asyncpg.PostgresError: the database can't be reached.
    """
    pool = await open_pool(dsn, min_size=2, max_size=10, schema="runtime", application_name="autopilot-runtime")
    return Runtime(pool, dsn, settings, clock or SystemClock(), metrics or Metrics(process=True))

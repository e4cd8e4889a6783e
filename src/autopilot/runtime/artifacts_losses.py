"""When nobody is expected to bring the rest of an artifact any more.

Another machine executes its worker, its own was signed out, or a month went by.

Plain statements inside whatever transaction their caller has. Nothing is thrown away: what arrived stays, and whoever
brings the rest after all is taken at his word (artifacts_store.py). Source: docs/protocol.md, "Artifacts".
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from autopilot.contract import ArtifactLoss
from autopilot.runtime.artifacts_events import SQL
from autopilot.runtime.ledger_rows import Worker

OVERDUE = timedelta(days=30)
"""A machine that has not brought the rest of an artifact by then is not expected to."""


async def with_worker(conn: Any, worker: Worker, machine_id: str) -> None:
    """This machine is about to execute the worker: what another one announced and did not bring is lost."""
    if worker.lease is not None and worker.lease.machine_id != machine_id:
        await conn.execute(SQL.lost, worker.worker_no, ArtifactLoss.MACHINE_REPLACED)


async def with_machine(conn: Any, machine_id: str) -> None:
    """This machine was signed out: what it announced and did not bring is lost."""
    await conn.execute(SQL.lost_with_machine, machine_id, ArtifactLoss.MACHINE_REVOKED)


async def overdue(conn: Any) -> None:
    """What was announced long ago and did not come is lost."""
    await conn.execute(SQL.overdue, OVERDUE, ArtifactLoss.OVERDUE)

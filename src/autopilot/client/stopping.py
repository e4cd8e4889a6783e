"""Stopping everything: which sessions that reaches. What it is called and means is in presenters/stops.py."""

from __future__ import annotations

from autopilot.client.client import RuntimeCodexClient
from autopilot.contract import WorkerSummary

METHOD = "worker/stop"
"""Of the receipts that stops have."""
MOST = 200
_OPEN = ("running", "starting", "stopping")
_MAY_STOP = frozenset({None, "owner", "operator"})


async def within_reach(client: RuntimeCodexClient) -> list[WorkerSummary]:
    """Those that a stop would reach, as the server says now; of each status the latest `MOST`.

    Raises:
        AutopilotError: they can't be had.
    """
    found: list[WorkerSummary] = []
    for status in _OPEN:
        page = await client.list_workers(status=status, limit=MOST)
        found += [worker for worker in page.workers if worker.role in _MAY_STOP]
    return found

"""Stopping everything: which sessions that reaches, and what becomes of each. Words are in presenters/stops.py.

Relies on the overview for the receipts of stops, and asks for those it does not tell. Never says stopped before a
machine, or the server where it was forced, has said so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from autopilot.client.backoff import is_final
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.observable import Observable
from autopilot.client.overview_store import OverviewStore
from autopilot.client.presenters import rights, standing, stops
from autopilot.client.presenters.labels import Label
from autopilot.client.workers import has_ended
from autopilot.contract import Receipt, StopAllWorker, StoppedAll, WorkerSummary
from autopilot.contract.errors import AutopilotError

METHOD = "worker/stop"
"""Of the receipts that stops have."""
MOST = 200
AGAIN_SECONDS = 3.0
AT_ONCE = 20
"""Receipts that are asked for in one round."""
_FIRST = {"bad": 0, "warn": 1, "busy": 2, "good": 3}
_OPEN = ("running", "starting", "stopping")


async def within_reach(client: RuntimeCodexClient) -> list[WorkerSummary]:
    """Those that a stop would reach, as the server says now; of each status the latest `MOST`.

    Raises:
        AutopilotError: they can't be had.
    """
    found: list[WorkerSummary] = []
    for status in _OPEN:
        page = await client.list_workers(status=status, limit=MOST)
        found += [worker for worker in page.workers if rights.may_operate(worker)]
    return found


@dataclass(frozen=True, slots=True)
class StopRow:
    """What became of one session."""

    worker_id: str
    title: str
    label: Label
    request_id: str | None


@dataclass(frozen=True, slots=True)
class StopView:
    """One moment of an emergency stop."""

    workers: tuple[WorkerSummary, ...] | None = None
    """What it would reach; None: not known yet."""
    is_asking: bool = False
    """Whether it is on its way to the server."""
    done: StoppedAll | None = None
    """What the server did; None: nothing was stopped yet."""
    rows: tuple[StopRow, ...] = ()
    """Each session's answer, what could not be stopped first."""
    error: AutopilotError | None = None
    """Why it was not done, or why it is not known what it would reach."""


class EmergencyStop(Observable[StopView]):
    """One emergency stop, from what it would reach to the last answer of a machine."""

    def __init__(self, client: RuntimeCodexClient, overview: OverviewStore) -> None:
        super().__init__()
        self._client = client
        self._overview = overview
        self._titles: dict[str, str] = {}
        self._receipts: dict[tuple[str, str], Receipt] = {}
        """By worker and request: another worker's stop may have the same id."""
        self._now = StopView()

    async def run(self) -> None:
        """Say what it would reach; when it was done, follow each session's answer, until cancelled."""
        if self._now.done is None:
            await self.look()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask_again())
            async for view in self._overview.changes():
                self._take(view.overview.receipts)

    async def look(self) -> None:
        """What it would reach now."""
        try:
            found = await within_reach(self._client)
        except AutopilotError as error:
            self._became(error=error)
            return
        self._titles = {worker.worker_id: standing.title(worker) for worker in found}
        self._became(workers=tuple(found), error=None)

    async def stop(self, reason: str, *, force: bool) -> None:
        """Stop everything. What goes wrong is said in the view; again is safe."""
        if self._now.is_asking:
            return
        self._became(is_asking=True, error=None)
        try:
            words = reason.strip()[: stops.REASON_CHARACTERS] or None
            done = await self._client.stop_all(reason=words, force=force)
        except AutopilotError as error:
            self._became(error=error)
            return
        finally:
            self._became(is_asking=False)
        self._became(done=done)
        self._take(self._overview.view.overview.receipts)

    async def _ask_again(self) -> None:
        """What the stream did not tell of those that are not over."""
        while True:
            await self._client.clock.sleep(AGAIN_SECONDS)
            for one in self._open()[:AT_ONCE]:
                try:
                    self._take([await self._client.receipt(one.worker_id, one.request_id or "")])
                except AutopilotError as error:  # the connection's state says so already
                    if not is_final(error):
                        break

    def _open(self) -> list[StopAllWorker]:
        done = self._now.done
        asked = [one for one in (done.workers if done else ()) if one.request_id and one.status != "stopped"]
        known = {one.worker_id: self._receipts.get(_key(one)) for one in asked}
        return [one for one in asked if (receipt := known[one.worker_id]) is None or not has_ended(receipt)]

    def _take(self, receipts: Iterable[Receipt]) -> None:
        done = self._now.done
        if done is None:
            return
        asked = {_key(one) for one in done.workers}
        for receipt in receipts:
            key = (receipt.worker_id or "", receipt.request_id)
            known = self._receipts.get(key)
            if key in asked and (known is None or not has_ended(known)):
                self._receipts[key] = receipt
        rows = [self._row(one) for one in done.workers]
        self._became(rows=tuple(sorted(rows, key=lambda row: _FIRST.get(row.label.tone, len(_FIRST)))))

    def _row(self, one: StopAllWorker) -> StopRow:
        receipt = self._receipts.get(_key(one))
        label = stops.began(one) if receipt is None or one.status == "stopped" else stops.ended(receipt)
        return StopRow(one.worker_id, self._titles.get(one.worker_id, "Session"), label, one.request_id)

    def _became(self, **changed: object) -> None:
        now = replace(self._now, **changed)  # type: ignore[arg-type]  # fields of the view, by name
        if now != self._now:
            self._now = now
            self._change()

    def _seen(self) -> StopView:
        return self._now


def _key(one: StopAllWorker) -> tuple[str, str]:
    return (one.worker_id, one.request_id or "")

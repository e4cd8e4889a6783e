"""Group commit: appends that arrive while one transaction runs become the next one.

Owns the bounded queue between callers and the one committer. No waiting when idle: the first append goes at once.
Relies on `commit` to decide about each batch by itself. A caller that goes away does not take its batch back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from autopilot.contract.errors import Problem, Unavailable
from autopilot.db.away import AWAY
from autopilot.runtime.append_plan import STOPPED
from autopilot.runtime.ledger_rows import Batch, Outcome
from autopilot.runtime.settings import RuntimeSettings

Commit = Callable[[Sequence[Batch]], Awaitable[Sequence[list[Outcome] | Problem]]]


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    size_bytes: int
    done: asyncio.Future[list[Outcome]]


class Group:
    """Collects batches and commits them in groups."""

    def __init__(self, settings: RuntimeSettings, commit: Commit) -> None:
        self._settings = settings
        self._commit = commit
        self._queue: deque[_Waiting] = deque()
        self._events = 0
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._ended = False

    async def append(self, batch: Batch) -> list[Outcome]:
        """Queue a batch and wait for what becomes of it.

        Raises:
            Problem: it was refused; `Unavailable` also where the queue is full.
        """
        if self._ended:
            raise _unavailable("not_recorded")
        size = batch.size_bytes
        settings = self._settings
        if self._queue and (
            self._events + len(batch.drafts) > settings.queued_events or self._bytes + size > settings.queued_bytes
        ):
            raise Unavailable(
                "too many events are waiting", reason_code="busy", outcome="not_recorded", retry_after_seconds=1
            )
        waiting = _Waiting(batch, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._events += len(batch.drafts)
        self._bytes += size
        self._arrived.set()
        return await waiting.done

    async def run(self) -> None:
        """Commit groups until cancelled; whoever still waits then is told that the outcome is unknown."""
        loop = asyncio.get_running_loop()
        group: list[_Waiting] = []
        try:
            while True:
                await self._arrived.wait()
                while self._queue:
                    loop.call_soon(group.clear)  # to free the one before takes a while: the database's, then
                    group = self._take()
                    await self._settle(group)
                self._arrived.clear()
        finally:
            self._ended = True
            for waiting in [*group, *self._queue]:
                _fail(waiting, _unavailable("unknown"))
            self._queue.clear()

    def _take(self) -> list[_Waiting]:
        """The next group: bounded, and a batch that stops its worker goes alone."""
        group: list[_Waiting] = []
        events = size = 0
        while self._queue:
            following = self._queue[0]
            alone = STOPPED in following.batch.event_types
            events += len(following.batch.drafts)
            size += following.size_bytes
            full = events > self._settings.group_events or size > self._settings.group_bytes
            if group and (alone or full):
                break
            group.append(self._queue.popleft())
            self._events -= len(following.batch.drafts)
            self._bytes -= following.size_bytes
            if alone:
                break
        return group

    async def _settle(self, group: list[_Waiting]) -> None:
        """Commit a group; what fails as a whole is tried once more one by one, since ids make that safe."""
        results: Sequence[list[Outcome] | Exception]
        try:
            results = await self._commit([waiting.batch for waiting in group])
        except Problem as problem:
            results = [problem] if len(group) == 1 else await self._one_by_one(group)
        except Exception:  # noqa: BLE001 - a supervisor: one poisonous batch must not end the committer
            results = await self._one_by_one(group)
        for waiting, result in zip(group, results, strict=True):
            if isinstance(result, Exception):
                _fail(waiting, result)
            elif not waiting.done.done():
                waiting.done.set_result(result)

    async def _one_by_one(self, group: list[_Waiting]) -> list[list[Outcome] | Exception]:
        results: list[list[Outcome] | Exception] = []
        for waiting in group:
            try:
                results += await self._commit([waiting.batch])
            except AWAY:
                results.append(_unavailable("unknown"))
            except Exception as error:  # noqa: BLE001 - handed to the one caller it concerns
                results.append(error)
        return results


def _unavailable(outcome: str) -> Unavailable:
    return Unavailable(
        "the database can't do this now; repeat with the same event_id",
        reason_code="database",
        outcome=outcome,
        retry_after_seconds=1,
    )


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)

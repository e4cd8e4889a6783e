"""The outbox's way to the ledger: batches by worker, in order, until the ledger has them; then they go.

Owns what the ledger's answers mean for what waits. Repeating is always safe (ids and numbers are kept), so every doubt
is resolved by sending again. Sends only for workers whose lease we hold.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import structlog

from autopilot.client import RuntimeCodexClient
from autopilot.companion import owed
from autopilot.companion.codex import translate
from autopilot.companion.codex.translate import Event
from autopilot.companion.database import Database
from autopilot.companion.leases import Leases
from autopilot.companion.outbox import Outbox, Waiting
from autopilot.companion.outcomes import REFUSED, RESPONSE_ID
from autopilot.companion.threads import Threads
from autopilot.contract.errors import AutopilotError, Conflict, Forbidden, NotFound, PayloadTooLarge, Problem
from autopilot.ops.clock import Clock

SENDING_AT_ONCE = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 20.0
NOT_THE_EVENTS = frozenset({401, 408, 429, 503})
"""Statuses that say nothing about the events: the same again later."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Course:
    """How one worker's events are to be sent next."""

    batch_events: int | None = None
    """At most so many at once; None: as many as the outbox gives."""
    gaps: int = 0
    """So often the ledger expected another number since it took anything."""


class Mirror:
    """Keep `run` running; `wake` it when there is something new."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        *,
        database: Database,
        outbox: Outbox,
        threads: Threads,
        leases: Leases,
        clock: Clock,
    ) -> None:
        self._client = client
        self._database = database
        self._outbox = outbox
        self._threads = threads
        self._leases = leases
        self._clock = clock
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._sending: set[str] = set()
        self._slots = asyncio.Semaphore(SENDING_AT_ONCE)
        self.settled: Callable[[], None] = lambda: None
        """Called when the ledger has more events, or will never have some."""
        self.trouble: str | None = None
        """Why the last attempt did not reach the ledger; None: it did."""

    def wake(self) -> None:
        """There may be something to send."""
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Send, forever."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                waiting = await self._database.run(self._outbox.workers)
                ready = [one for one in waiting if self._leases.generation(one) is not None]
                for worker_id in ready:
                    if worker_id not in self._sending:
                        self._sending.add(worker_id)
                        tasks.create_task(self._send(worker_id), name=f"mirror-{worker_id}")
                if len(ready) < len(waiting):
                    self._leases.wake()
                if not waiting and not self._sending:
                    self._idle.set()
                await self._wake.wait()

    async def drained(self, within_seconds: float) -> bool:
        """Wait until nothing is left to be sent; False when that takes longer."""
        self.wake()
        try:
            async with asyncio.timeout(within_seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _send(self, worker_id: str) -> None:
        """Send what waits for one worker until nothing does, or its lease is gone."""
        pause = FIRST_PAUSE_SECONDS
        course = _Course()
        try:
            while (generation := self._leases.generation(worker_id)) is not None:
                batch = await self._database.run(lambda db: self._outbox.take(db, worker_id))
                if not batch:
                    return
                batch = batch[: course.batch_events]
                try:
                    async with self._slots:
                        await self._send_batch(worker_id, generation, batch)
                except AutopilotError as error:
                    if await self._resolve(worker_id, batch, error, course, generation):
                        continue
                    self.trouble = f"{error.code}: {error.message}"
                    log.warning("mirror.waiting", worker_id=worker_id, error=self.trouble, seconds=pause)
                    await self._clock.sleep(pause * random.uniform(0.5, 1))
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                else:
                    pause, self.trouble = FIRST_PAUSE_SECONDS, None
                    course = _Course()
        finally:
            self._sending.discard(worker_id)
            self._wake.set()

    async def _send_batch(self, worker_id: str, generation: int, batch: Sequence[Waiting]) -> None:
        body: dict[str, Any] = {"events": [_wire(one) for one in batch], "generation": generation}
        answers = await self._client.append_encoded(worker_id, msgspec.json.encode(body))
        await self._settle(batch)
        repeated = sum(answer.duplicate for answer in answers)
        log.debug("mirror.sent", worker_id=worker_id, events=len(batch), repeated=repeated)
        if any(one.event_type == "worker.stopped" for one in batch):
            self._leases.drop(worker_id, generation)  # it ended with the log

    async def _resolve(
        self, worker_id: str, batch: Sequence[Waiting], error: AutopilotError, course: _Course, generation: int
    ) -> bool:
        """Do what the ledger's refusal asks for; False: nothing but waiting helps."""
        if not isinstance(error, Problem) or error.status in NOT_THE_EVENTS:
            return False
        log.info("mirror.refused", worker_id=worker_id, code=error.code, reason=error.reason_code, events=len(batch))
        if isinstance(error, Conflict) and await self._conflict(worker_id, batch, error, generation):
            course.gaps += error.reason_code == "gap"
            return course.gaps <= 1  # numbered as it asked, and a gap again: who else counts for this machine?
        if isinstance(error, NotFound):
            await self._leases.lost(worker_id, "unknown", generation)
        elif isinstance(error, Forbidden) and error.reason_code in {"lease", "machine"}:
            await self._leases.lost(worker_id, "fenced", generation)
        elif len(batch) > 1:
            course.batch_events = max(1, len(batch) // 2)  # find out which of them it is
        else:
            await self._give_up(worker_id, batch[0], error)
        return True

    async def _conflict(self, worker_id: str, batch: Sequence[Waiting], conflict: Conflict, generation: int) -> bool:
        """True when this conflict is resolved."""
        reason = conflict.reason_code
        if reason == "fenced":
            await self._leases.lost(worker_id, "fenced", generation)
        elif reason == "gap" and isinstance(conflict.fact("expected"), int):
            await self._count_from(worker_id, conflict.fact("expected"), batch[0].producer_seq)
        elif reason in {"worker_stopped", "worker_not_running"}:
            await self._leases.lost(worker_id, "stopped", generation)
        elif reason == "different_content":
            named = [one for one in batch if one.event_id == conflict.fact("event_id")]
            if not named:
                return False
            await self._known_already(worker_id, named)
        else:
            return False
        return True

    async def _count_from(self, worker_id: str, expected: int, sent: int) -> None:
        """The ledger expects another number than it was sent."""
        thread = self._threads.of_worker(worker_id)
        is_lost = thread is not None and expected < sent  # a ledger restored from a backup: it had more of us once

        def renumber(db: sqlite3.Connection) -> None:
            self._outbox.renumber(db, worker_id, expected)
            if thread is not None and is_lost:
                owed.owe(db, "reread", thread.thread_id)

        await self._database.run(renumber)
        if is_lost:
            self._leases.forgotten()

    async def _known_already(self, worker_id: str, named: Sequence[Waiting]) -> None:
        """The ledger has this very event in other words: it keeps its own, and the count goes on without ours."""

        def settle(db: sqlite3.Connection) -> None:
            self._outbox.settle(db, [one.position for one in named])
            self._outbox.renumber(db, worker_id, named[0].producer_seq)

        await self._database.run(settle)
        self.settled()

    async def _give_up(self, worker_id: str, refused: Waiting, error: Problem) -> None:
        """The ledger will never take this event: say so in its place."""
        log.error(
            "mirror.gave_up", worker_id=worker_id, event_id=refused.event_id, code=error.code, error=error.message
        )
        thread = self._threads.of_worker(worker_id)
        assert thread is not None
        now = self._clock.now()
        said = [_refusal(thread.thread_id, refused, error, now)]
        if refused.event_type == "worker.response":
            said.append(_end_of_request(thread.thread_id, refused, error, now))

        def replace(db: sqlite3.Connection) -> None:
            self._outbox.settle(db, [refused.position])
            self._outbox.renumber(db, worker_id, refused.producer_seq)
            if not refused.event_id.startswith("refused:"):
                self._outbox.put(db, worker_id, said)

        await self._database.run(replace)

    async def _settle(self, batch: Sequence[Waiting]) -> None:
        await self._database.run(lambda db: self._outbox.settle(db, [one.position for one in batch]))
        self.settled()


def _refusal(thread_id: str, refused: Waiting, error: Problem, now: datetime) -> Event:
    """What stands in the place of an event that the ledger refuses."""
    told = {
        "threadId": thread_id,
        "refused": {"event_id": refused.event_id, "event_type": refused.event_type, "method": refused.method},
        "bytes": len(refused.payload),
        "error": {"code": error.code, "message": error.message},
    }
    method = "desktop/event_too_large" if isinstance(error, PayloadTooLarge) else "desktop/event_refused"
    payload = translate.encode_payload(method, told, now)
    return Event(thread_id, "worker.event", method, f"refused:{refused.event_id}"[:160], payload)


def _end_of_request(thread_id: str, refused: Waiting, error: Problem, now: datetime) -> Event:
    """The end of a request whose answer the ledger refuses: without it whoever asked would wait for ever."""
    request_id = refused.event_id.removeprefix(RESPONSE_ID)
    words = f"the machine did it, and the ledger does not take the answer: {error.message}"
    body = {
        "source": translate.SOURCE,
        "request_id": request_id,
        "method": refused.method,
        "ok": False,
        "error": {"code": REFUSED, "message": words, "bytes": len(refused.payload)},
        "occurred_at": translate.timestamp(now),
    }
    event_id = f"refused-end:{request_id}"
    return Event(thread_id, "worker.error", refused.method, event_id, msgspec.json.encode(body))


def _wire(event: Waiting) -> dict[str, Any]:
    """The event as the append body has it; its payload stays the text that was put."""
    wire: dict[str, Any] = {
        "event_type": event.event_type,
        "payload": msgspec.Raw(event.payload),
        "event_id": event.event_id,
        "producer_seq": event.producer_seq,
    }
    if event.late:
        wire["late"] = True
    return wire

"""Workers and leases at the runtime: made, claimed, kept alive, given back.

Owns what this companion holds (worker id -> generation). Relies on `Threads` for what should be held. A lease that was
lost is claimed anew under a new generation; the mirror then sends its backlog under that one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from autopilot.client import RuntimeCodexClient
from autopilot.companion import owed
from autopilot.companion.database import Database
from autopilot.companion.identity import Machine
from autopilot.companion.outbox import Outbox
from autopilot.companion.presence import Presence
from autopilot.companion.threads import Thread, Threads
from autopilot.contract import HeartbeatWorker
from autopilot.contract.errors import (
    AutopilotError,
    Conflict,
    NotFound,
    Problem,
)
from autopilot.ops.clock import Clock

ADAPTER = "desktop_bridge"
TTL_MS = 60_000
RETRY_SECONDS = 3.0
HELD_ELSEWHERE_SECONDS = 15.0
"""How often a lease that another machine holds is asked for: soon enough after that machine is gone."""
LOST_AT_ONCE = 2
"""Who loses a lease so often within `RETRY_SECONDS` of claiming it waits before the next claim: somebody else claims
it back each time, for example a copy of this machine that goes by the same identity."""
NOT_OURS_SECONDS = 60.0
"""A thread that Codex does not let us write is asked for again after so long: each attempt is in its log."""
RELEASES_AT_ONCE = 8
NEWS_SECONDS = 2.0
"""What is new about the machine is gathered for so long: rate limits change with every answer of a model."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who speaks for a worker instead of us, as the runtime told."""

    machine_id: str
    since: str
    """When it got the lease, by the server's clock."""


class Leases:
    """Keep `run` and `beat` running."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        machine: Machine,
        presence: Presence,
        *,
        threads: Threads,
        database: Database,
        outbox: Outbox,
        clock: Clock,
        heartbeat_seconds: float,
    ) -> None:
        self._client = client
        self._machine = machine
        self.presence = presence
        self._threads = threads
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._ttl_ms = max(TTL_MS, int(heartbeat_seconds * 2000))
        self._held: dict[str, int] = {}
        self.elsewhere: dict[str, Holder] = {}
        """Workers of threads that we know, for which another machine's companion speaks."""
        self._not_before: dict[str, float] = {}
        self._claimed_at: dict[str, float] = {}
        self._lost_at_once: dict[str, int] = {}
        """How often in a row."""
        self._wake = asyncio.Event()
        self._claimed = asyncio.Condition()
        self._ended = False
        """Whether all was given back: nothing is claimed any more."""
        self.forgotten: Callable[[], None] = lambda: None
        """Called when the runtime has lost what it had of a thread; which, is owed (owed.py)."""
        self.closed: Callable[[], None] = lambda: None
        """Called when the log of a thread was closed by others; what it runs is owed an end."""
        self._unasked: set[str] = set()
        """Workers that were given back because Codex could not be asked."""
        self.write: Callable[[Thread], Awaitable[bool | None]] = _nobody_asks
        """Become the writer of a thread that another machine spoke for: whether Codex let us; None: it can't be asked
        now."""
        self.others_changed: Callable[[], None] = lambda: None
        """Called when `elsewhere` has changed."""
        self.gained: Callable[[], None] = lambda: None
        """Called when something can be sent that could not before."""

    def generation(self, worker_id: str) -> int | None:
        """Of the lease we hold, or None."""
        return self._held.get(worker_id)

    def wake(self, *, codex_version: str | None = None) -> None:
        """There may be something to claim, or to say about the machine."""
        if codex_version is not None:  # a session began: Codex can be asked who writes
            self.presence.codex_version = codex_version
            for worker_id in self._unasked:
                self._not_before.pop(worker_id, None)
            self._unasked.clear()
        self._wake.set()

    async def until_held(self, worker_id: str, within_seconds: float) -> bool:
        """Wait until the runtime knows this worker as ours; False when that takes longer."""
        self._wake.set()
        try:
            async with asyncio.timeout(within_seconds), self._claimed:
                await self._claimed.wait_for(lambda: worker_id in self._held)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Register the machine, and claim what should be held, forever."""
        while True:
            self._wake.clear()
            try:
                await self.register()
                again = not await self._claim_all()
            except AutopilotError as error:
                log.warning("leases.trouble", error=str(error), code=error.code)
                again = True
            try:
                async with asyncio.timeout(RETRY_SECONDS if again else None):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def beat(self) -> None:
        """Say that the machine lives and renew its leases, forever."""
        pause = self._heartbeat_seconds
        while True:
            await self._clock.sleep(pause)
            pause = self._heartbeat_seconds
            try:
                await self.heartbeat()
            except AutopilotError as error:
                log.warning("heartbeat.failed", error=str(error), code=error.code)
                pause = min(RETRY_SECONDS, pause)  # whoever misses one must not be taken for away
                self._wake.set()

    async def tell_facts(self) -> None:
        """Say what is new about the machine without waiting for the next sign of life, forever."""
        while True:
            await self.presence.facts.news.wait()
            await self._clock.sleep(NEWS_SECONDS)
            self.presence.facts.news.clear()
            try:
                if self.presence.registered:
                    await self.heartbeat()
            except AutopilotError as error:  # the next heartbeat says it
                log.info("facts.not_told", error=str(error), code=error.code)

    async def register(self) -> None:
        """Say that this machine exists and what runs here, unless that is known."""
        if await self.presence.register():
            self.gained()

    async def heartbeat(self) -> None:
        """One sign of life for everything held, and what the answer means."""
        sent = dict(self._held)
        held = [HeartbeatWorker(worker_id=worker, generation=number) for worker, number in sent.items()]
        answer = await self.presence.beat(held)
        for lease in answer.workers:
            if lease.state == "renewed" or lease.worker_id not in sent:
                continue
            log.info("lease.not_renewed", worker_id=lease.worker_id, state=lease.state)
            await self.lost(lease.worker_id, lease.state, sent[lease.worker_id])
        self._wake.set()

    def drop(self, worker_id: str, generation: int) -> bool:
        """Hold this lease no more; False where another one is held by now, of which this says nothing."""
        if self._held.get(worker_id, generation) != generation:
            return False
        self._held.pop(worker_id, None)
        return True

    async def lost(self, worker_id: str, state: str, generation: int) -> None:
        """The lease is gone: `fenced` or `expired` are claimed again, `stopped` stops, `unknown` is made anew."""
        if not self.drop(worker_id, generation):
            return
        thread = self._threads.of_worker(worker_id)
        if thread is None:
            return
        if state == "stopped":
            await self.stopped(thread)
        elif state == "unknown":
            thread.registered = False
            await self._database.run(
                lambda db: (self._threads.save(db, thread), owed.owe(db, "reread", thread.thread_id))
            )
            self.forgotten()
        self._note_loss(worker_id)
        self._wake.set()

    def _note_loss(self, worker_id: str) -> None:
        """Claim it again at once, unless that has just been tried, and tried again."""
        now = self._clock.monotonic()
        if now - self._claimed_at.get(worker_id, -RETRY_SECONDS) >= RETRY_SECONDS:
            self._lost_at_once.pop(worker_id, None)
            return
        self._lost_at_once[worker_id] = lost = self._lost_at_once.get(worker_id, 0) + 1
        if lost >= LOST_AT_ONCE:
            log.warning("lease.lost_at_once", worker_id=worker_id, times=lost)
            self._not_before[worker_id] = now + RETRY_SECONDS

    async def stopped(self, thread: Thread) -> None:
        """The worker's log was closed by others: what it runs is to be ended, what comes now waits for a reattach."""
        self._held.pop(thread.worker_id, None)
        is_news, thread.state = thread.is_open, "stopped"

        def park(db: sqlite3.Connection) -> int:
            self._threads.save(db, thread)
            if is_news:
                owed.owe(db, "end", thread.thread_id)
            return self._outbox.park(db, thread.worker_id)

        waiting = await self._database.run(park)
        log.info("worker.stopped", worker_id=thread.worker_id, parked=waiting)
        self.closed()

    async def reopened(self, thread: Thread) -> None:
        """The worker was reattached: claim it, and send what waited."""
        thread.state = "open"

        def unpark(db: sqlite3.Connection) -> int:
            self._threads.save(db, thread)
            return self._outbox.unpark(db, thread.worker_id)

        waiting = await self._database.run(unpark)
        log.info("worker.reopened", worker_id=thread.worker_id, unparked=waiting)
        self._not_before.pop(thread.worker_id, None)
        self._wake.set()

    async def release_all(self) -> None:
        """A clean end: give back what is held, and claim nothing again: what still waits would ask for it."""
        self._ended = True
        held = dict(self._held)
        self._held.clear()
        slots = asyncio.Semaphore(RELEASES_AT_ONCE)

        async def release(worker_id: str, generation: int) -> None:
            async with slots:
                try:
                    await self._client.release_lease(worker_id, self._machine.machine_id, generation)
                except AutopilotError as error:
                    log.info("lease.not_released", worker_id=worker_id, error=str(error))

        async with asyncio.TaskGroup() as tasks:
            for worker_id, generation in held.items():
                tasks.create_task(release(worker_id, generation))

    async def _claim_all(self) -> bool:
        """Claim what should be held and is not; False when something has to be tried again."""
        waiting = set(await self._database.run(self._outbox.workers))
        wanted = [
            thread
            for thread in self._threads
            if thread.worker_id not in self._held
            and (thread.worker_id in waiting or (thread.is_open and self._wanted(thread)))
        ]
        done = True
        for thread in wanted:
            if self._ended:
                return True
            postponed = self._not_before.get(thread.worker_id, 0) > self._clock.monotonic()
            if postponed or not await self._claim(thread):
                done = False
        return done

    def _wanted(self, thread: Thread) -> bool:
        return thread.subscribed or not thread.registered or thread.worker_id in self.elsewhere

    async def _claim(self, thread: Thread) -> bool:
        """Hold this worker; False: not now."""
        try:
            if not thread.registered:
                await self._create(thread)
            grant = await self._client.claim_lease(thread.worker_id, self._machine.machine_id, ttl_ms=self._ttl_ms)
        except NotFound:
            thread.registered = False
            await self._save(thread)
            return False
        except Conflict as conflict:
            return await self._conflict(thread, conflict)
        except Problem as problem:
            if problem.status == 503:  # noqa: PLR2004  # the status itself
                raise
            log.warning("lease.refused", worker_id=thread.worker_id, code=problem.code, error=problem.message)
            self._not_before[thread.worker_id] = self._clock.monotonic() + self._heartbeat_seconds
            return False
        if self._ended:  # meanwhile
            await self._client.release_lease(thread.worker_id, self._machine.machine_id, grant.generation)
            return False
        if _was_anothers(thread, grant.generation) or thread.worker_id in self.elsewhere:
            may_write = await self.write(thread)
            if not may_write:
                return await self._give_back(thread, grant.generation, was_asked=may_write is not None)
        self._held[thread.worker_id] = thread.generation = grant.generation
        self._claimed_at[thread.worker_id] = self._clock.monotonic()
        if self.elsewhere.pop(thread.worker_id, None) is not None:
            self.others_changed()
        expires = datetime.fromisoformat(grant.expires_at)
        self.presence.heard_at(expires - timedelta(milliseconds=self._ttl_ms))
        await self._save(thread)
        log.info("lease.claimed", worker_id=thread.worker_id, generation=grant.generation)
        async with self._claimed:
            self._claimed.notify_all()
        self.gained()
        return True

    async def _create(self, thread: Thread) -> None:
        about = thread.introduction
        made = await self._client.create_worker(
            thread.worker_id,
            workspace_ref=about.workspace_ref,
            codex_home_ref=about.codex_home_ref,
            adapter=ADAPTER,
            metadata=about.metadata,
        )
        thread.registered = True
        await self._save(thread)
        log.info("worker.created", worker_id=thread.worker_id, status=made.status, replay=made.idempotentReplay)

    async def _conflict(self, thread: Thread, conflict: Conflict) -> bool:
        log.info("lease.conflict", worker_id=thread.worker_id, reason=conflict.reason_code)
        if conflict.reason_code == "worker_stopped":
            await self.stopped(thread)
            return True
        if conflict.reason_code == "leased":
            await self._told_holder(thread, conflict)
            self._not_before[thread.worker_id] = self._clock.monotonic() + HELD_ELSEWHERE_SECONDS
        else:
            self._not_before[thread.worker_id] = self._clock.monotonic() + RETRY_SECONDS
        return False

    async def _told_holder(self, thread: Thread, conflict: Conflict) -> None:
        """Another machine speaks for this worker: say so once. What we only watched, that machine tells."""
        holder = Holder(str(conflict.fact("machine_id")), str(conflict.fact("since")))
        if self.elsewhere.get(thread.worker_id) != holder:
            log.warning(
                "lease.held_elsewhere", worker_id=thread.worker_id, machine_id=holder.machine_id, since=holder.since
            )
        self.elsewhere[thread.worker_id] = holder
        self.others_changed()
        if thread.generation is None:
            thread.whole = thread.compared = False  # read from the beginning when it is ours to tell
            # At one moment: who believed that all of it was put, and had it no more, would never tell it.
            await self._database.run(
                lambda db: (self._outbox.drop(db, thread.worker_id), self._threads.save(db, thread))
            )

    async def _give_back(self, thread: Thread, generation: int, *, was_asked: bool) -> bool:
        """The lease was free, but Codex lets another process write: whoever spoke for it before comes back to it.

        Where Codex could not be asked it may as well be ours: the answer to our own last claim may have been lost.
        """
        log.info("lease.given_back", worker_id=thread.worker_id, generation=generation, codex_was_asked=was_asked)
        if not was_asked:
            self._unasked.add(thread.worker_id)
        pause_seconds = NOT_OURS_SECONDS if was_asked else HELD_ELSEWHERE_SECONDS
        self._not_before[thread.worker_id] = self._clock.monotonic() + pause_seconds
        await self._client.release_lease(thread.worker_id, self._machine.machine_id, generation)
        return False

    async def _save(self, thread: Thread) -> None:
        await self._database.run(lambda db: self._threads.save(db, thread))


def _was_anothers(thread: Thread, generation: int) -> bool:
    """Whether a lease of another machine lies between our last one and this one."""
    return generation > (thread.generation or 0) + 1


async def _nobody_asks(_thread: Thread) -> bool | None:
    return False

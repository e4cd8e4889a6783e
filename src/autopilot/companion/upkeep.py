"""What is done beside the work, a little at a time: adopt, read again, make up for lost room, say how things are.

Owns the bounded queue of threads that somebody else opened; what finds no place in it is met again when a session with
Codex begins. What the ledger has lost is owed (owed.py) until it was read again. Each method named for a task runs for
ever, under a supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3

import structlog

from autopilot.companion import owed
from autopilot.companion.codex.messages import CodexError, CodexRefused
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.database import Database
from autopilot.companion.leases import Leases
from autopilot.companion.mirror import Mirror
from autopilot.companion.outbox import Outbox
from autopilot.companion.recorder import Recorder
from autopilot.companion.recovery import Recovery
from autopilot.companion.standing import Standing
from autopilot.companion.threads import Threads
from autopilot.ops.clock import Clock

STATUS_SECONDS = 60.0
ROOM_SECONDS = 5.0
WAITING_THREADS = 1000

log = structlog.get_logger(__name__)


class Upkeep:
    """One for each companion."""

    def __init__(
        self,
        codex: Codex,
        *,
        database: Database,
        outbox: Outbox,
        threads: Threads,
        recovery: Recovery,
        recorder: Recorder,
        leases: Leases,
        mirror: Mirror,
        standing: Standing,
        clock: Clock,
    ) -> None:
        self._codex = codex
        self._database = database
        self._outbox = outbox
        self._threads = threads
        self._recovery = recovery
        self._recorder = recorder
        self._leases = leases
        self._mirror = mirror
        self._standing = standing
        self._clock = clock
        self._strangers: asyncio.Queue[str] = asyncio.Queue(WAITING_THREADS)
        self._waiting: set[str] = set()
        """Those in it: one that says much takes no place from the others."""
        self._forgotten = asyncio.Event()

    def stranger(self, thread_id: str) -> None:
        """A thread lives of which we don't hear everything."""
        if thread_id not in self._waiting:
            with contextlib.suppress(asyncio.QueueFull):
                self._strangers.put_nowait(thread_id)
                self._waiting.add(thread_id)

    def forgotten(self) -> None:
        """The ledger has less of a thread than it was sent, or what it has less of may be read by now."""
        self._forgotten.set()

    async def adopt(self) -> None:
        """Hear of threads that others opened on this Codex."""
        while True:
            thread_id = await self._strangers.get()
            self._waiting.discard(thread_id)
            try:
                await self._recovery.adopt(thread_id)
                self._leases.wake()
            except CodexError as error:
                log.info("thread.not_adopted", thread_id=thread_id, error=str(error))
                if isinstance(error, CodexRefused):
                    await self._recorder.refuse_unplaced(thread_id)

    async def reread(self) -> None:
        """Send again what the ledger has lost: at once, else when the next session with Codex begins."""
        while True:
            await self._forgotten.wait()
            self._forgotten.clear()
            for thread_id in await self._database.run(lambda db: owed.owed(db, "reread")):
                if await self._reread(thread_id):
                    await self._database.run(lambda db, one=thread_id: owed.pay(db, "reread", one))

    async def _reread(self, thread_id: str) -> bool:
        """Whether this one is done with."""
        thread = self._threads.get(thread_id)
        if thread is None:
            return True
        try:
            await self._recovery.reread(thread)
        except CodexError as error:
            log.warning("thread.not_sent_again", thread_id=thread_id, error=str(error))
            return isinstance(error, CodexRefused)  # Codex has nothing of it, and will have nothing
        log.warning("thread.sent_again", thread_id=thread_id)
        return True

    async def room(self) -> None:
        """Wipe what is done with. Where the outbox was full and has room: say what was left out, read it from Codex."""
        while True:
            await self._clock.sleep(ROOM_SECONDS)
            await self._database.wipe()
            left_out = await self._database.run(self._outbox.left_out)
            if left_out:
                log.warning("outbox.was_full", left_out=left_out)
                await self._recovery.refill(left_out)

    async def status(self) -> None:
        """One line a minute: how things are."""
        while True:
            await self._clock.sleep(STATUS_SECONDS)
            waiting = await self._database.run(self._tend)
            session = self._codex.session
            log.info(
                "companion.status",
                codex=self._codex.trouble or (session.connection.version if session else "not connected"),
                ledger=self._mirror.trouble or "reached",
                server=self._standing.codex().server,
                others=self._standing.owners().message,
                workers=sum(thread.is_open for thread in self._threads),
                waiting_events=waiting,
                waiting_bytes=self._outbox.bytes,
            )

    def _tend(self, db: sqlite3.Connection) -> int:
        self._outbox.load(db)
        self._outbox.trim(db)
        return self._outbox.depth(db)

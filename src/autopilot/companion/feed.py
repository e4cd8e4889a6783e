"""Read this machine's feed: what others put into its workers' logs, and what is asked of it.

Owns the acknowledgement: an entry is acknowledged when what it means is on the companion's file, so that a companion
that dies is told again. Relies on the SDK's follower for everything between two entries.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import structlog

from autopilot.client import RuntimeCodexClient
from autopilot.companion import handshake, inbox
from autopilot.companion.approvals_answers import Answers
from autopilot.companion.database import Database
from autopilot.companion.desk import Desk
from autopilot.companion.identity import Machine
from autopilot.companion.leases import Leases
from autopilot.companion.recorder import Recorder
from autopilot.companion.threads import Thread, Threads
from autopilot.contract import ApprovalAnswer, FeedEntry, FeedRequest, decode
from autopilot.contract.errors import AutopilotError, StaleCursor
from autopilot.ops.clock import Clock
from autopilot.ops.log import correlated

ACK_SECONDS = 0.2
"""Acknowledgements are gathered this long."""
UNREGISTERED_SECONDS = 0.2
CURSOR = "feed_cursor"

log = structlog.get_logger(__name__)


class Feed:
    """Keep `run` and `acknowledge` running."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        machine: Machine,
        *,
        database: Database,
        threads: Threads,
        recorder: Recorder,
        leases: Leases,
        desk: Desk,
        answers: Answers,
        clock: Clock,
        session_id: str,
    ) -> None:
        self._client = client
        self._machine = machine
        self._database = database
        self._threads = threads
        self._recorder = recorder
        self._leases = leases
        self._desk = desk
        self._answers = answers
        self._clock = clock
        self._session_id = session_id
        self._durable = 0
        self._more = asyncio.Event()
        self.heard_at: float | None = None
        """When the last entry came, on the monotonic clock."""

    async def run(self) -> None:
        """Take entries, forever.

        Raises:
            AutopilotError: the feed can't be read on (begin again from what is acknowledged).
        """
        while not self._leases.presence.registered:
            await self._clock.sleep(UNREGISTERED_SECONDS)
        cursor = await self._database.run(_acknowledged)
        while True:
            try:
                await self._follow(cursor)
            except StaleCursor as stale:
                # Acknowledged further than we remember, or a runtime that was restored: it says where it begins.
                cursor = max(0, int(stale.fact("oldest_seq") or 1) - 1)
                log.warning("feed.cursor_lost", reason=stale.reason_code, cursor=cursor)

    async def _follow(self, cursor: int) -> None:
        self._durable = cursor
        async with self._client.follow_feed(self._machine.machine_id, cursor=cursor) as entries:
            async for entry in entries:
                await self.take(entry)
                if entry.feed_seq == self._durable + 1:  # one that was sent ahead comes again in its place
                    self._durable = entry.feed_seq
                    entries.ack(entry.feed_seq)
                    self._more.set()

    async def acknowledge(self) -> None:
        """Tell the runtime what is durable here, forever."""
        told = 0
        while True:
            await self._more.wait()
            self._more.clear()
            await self._clock.sleep(ACK_SECONDS)
            if self._durable == told:
                continue
            try:
                cursor = self._durable
                await self._client.ack_feed(self._machine.machine_id, cursor)
                await self._database.run(lambda db, cursor=cursor: _remember(db, cursor))
                told = cursor
            except AutopilotError as error:
                log.warning("feed.not_acknowledged", cursor=self._durable, error=str(error))
                self._more.set()

    async def take(self, entry: FeedEntry) -> None:
        """Make what an entry means durable, and set it going."""
        self.heard_at = self._clock.monotonic()
        if entry.kind == "request" and entry.body is not None:
            await self._request(entry.body)
        elif entry.kind == "request" and entry.request_id is not None:
            await self._forget(entry.worker_id, entry.request_id)
        elif entry.kind == "decision":
            if entry.body is not None:  # None: the question has ended meanwhile
                await self._answers.decide(decode(ApprovalAnswer, entry.body))
        elif entry.kind == "event" and entry.body is not None and entry.worker_id is not None:
            thread = self._threads.of_worker(entry.worker_id)
            if thread is not None:
                await self._event(thread, entry.body)
        else:
            log.info("feed.passed_over", kind=entry.kind, feed_seq=entry.feed_seq)

    async def _request(self, body: dict[str, Any]) -> None:
        asked = decode(FeedRequest, body)
        with correlated(x_request_id=asked.x_request_id, traceparent=asked.traceparent):
            new = await self._database.run(lambda db: inbox.receive(db, asked))
            log.info("request.received", request_id=asked.request_id, method=asked.method, new=new)
        if new:
            self._desk.wake()

    async def _forget(self, worker_id: str | None, request_id: str) -> None:
        """The request ended meanwhile: it is not begun any more."""
        now = self._clock.now().timestamp()
        forgotten = await self._database.run(lambda db: inbox.forget(db, worker_id, request_id, now))
        log.info("request.is_over", request_id=request_id, worker_id=worker_id, forgotten=forgotten)

    async def _event(self, thread: Thread, envelope: dict[str, Any]) -> None:
        kind = envelope.get("eventType")
        with correlated(x_request_id=envelope.get("xRequestId")):
            if kind == "worker.started" and not thread.is_open:
                await self._leases.reopened(thread)
            elif kind == "worker.stopped" and thread.is_open:
                log.info("worker.stopped_by_others", worker_id=thread.worker_id)
                await self._leases.stopped(thread)
            elif kind in {"worker.approval.expired", "worker.approval.closed"}:
                await self._approval_over(kind, envelope.get("payload") or {})
            else:
                ack = handshake.ack(
                    thread, envelope, session_id=self._session_id, now=self._leases.presence.server_now()
                )
                if ack is not None and await self._recorder.record([ack]):
                    log.info("handshake.acknowledged", worker_id=thread.worker_id, event_id=ack.event_id)

    async def _approval_over(self, kind: str, payload: dict[str, Any]) -> None:
        """The runtime ended a question: nobody decided in time, or its Codex is not asked any more."""
        approval_id = str(payload.get("approval_id"))
        if kind == "worker.approval.expired":
            await self._answers.expire(approval_id)
        else:
            await self._answers.forget(approval_id)


def _acknowledged(db: sqlite3.Connection) -> int:
    row = db.execute("select value from setting where name = ?", (CURSOR,)).fetchone()
    return 0 if row is None else int(row["value"])


def _remember(db: sqlite3.Connection, cursor: int) -> None:
    db.execute("insert or replace into setting values (?, ?)", (CURSOR, str(cursor)))

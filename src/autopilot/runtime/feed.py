"""A machine's feed as its companion reads it: pages of frames, urgent ones ahead, and acknowledgements.

Owns the moment a request is handed over: it is marked `delivered` in a transaction that commits before its frame
exists: a receipt that says `accepted` has been seen by no machine. Relies on tail.py for following live, on
delivery.py for the exact params, which leave the runtime here and nowhere else; on approvals_delivery.py for answers.
Source: docs/runtime-contract.md, "The feed".
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import asyncpg
import structlog

from autopilot.contract.errors import StaleCursor
from autopilot.db import queries
from autopilot.ops.clock import Clock
from autopilot.runtime import receipts
from autopilot.runtime.approvals_delivery import Answers, Place
from autopilot.runtime.delivery import DeliveryKeys, SealBroken, Target
from autopilot.runtime.ledger import Ledger
from autopilot.runtime.ledger_rows import instant, text
from autopilot.runtime.receipts_states import HANDED
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.stream import RETRY_MS, control_frame
from autopilot.runtime.tail import Feed, Follower, Hub, Page
from autopilot.runtime.tail_wakeups import Wakeups

log = structlog.get_logger("autopilot.runtime.feed")

TOPIC = "machine"
PAGE_ROWS = 500
AHEAD_ROWS = 100

_SQL = queries.load("autopilot.runtime", "feed")


class Feeds:
    """The feeds of all machines."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        ledger: Ledger,
        *,
        keys: DeliveryKeys,
        wakeups: Wakeups,
        settings: RuntimeSettings,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._keys = keys
        self._wakeups = wakeups
        self._page_bytes = settings.page_bytes
        self._answers = Answers(pool, ledger, keys)
        self.hub = Hub(self.read_page, self.read_heads, settings, clock)
        wakeups.subscribe(TOPIC, self.hub.hint, self.hub.resumed)

    def tell(self, feeds: Mapping[str, int]) -> None:
        """Call after the commit that brought these feeds so far."""
        for machine_id, feed_seq in feeds.items():
            self.hub.hint(machine_id, feed_seq)
            self._wakeups.announce(TOPIC, machine_id, feed_seq)

    async def start(self, machine_id: str, cursor: int | None) -> int:
        """Where to read on from: the cursor given, or the last acknowledged entry.

        Raises:
            StaleCursor: the entries after it are gone, or it is ahead of the feed.
        """
        head = await self._pool.fetchrow(_SQL.head, machine_id)
        latest, acked = (0, 0) if head is None else (head["latest_feed_seq"], head["acked_feed_seq"])
        if cursor is None:
            return acked
        if acked <= cursor <= latest:
            return cursor
        raise StaleCursor(
            "the cursor is behind what was acknowledged" if cursor < acked else "the cursor is ahead of the feed",
            reason_code="below_floor" if cursor < acked else "ahead_of_log",
            **_standing(head),
        )

    async def follow(
        self, machine_id: str, cursor: int, *, tail_seconds: float | None = None, control: bool = False
    ) -> AsyncIterator[bytes]:
        """SSE chunks from the cursor on, until the tail is over, the runtime stops, or the place is lost.

        Where more than one entry waits, urgent ones of them go ahead, once in this response, without an id.
        `control`: also the frames without id that say where the stream stands.
        """
        bye = "stale_cursor"
        with self.hub.follow(machine_id) as feed:
            follower = Follower(self.hub, feed, cursor, tail_seconds=tail_seconds)
            try:
                async for chunk in self._chunks(machine_id, feed, follower, control=control):
                    yield chunk
                bye = "shutdown" if self.hub.stopping else "tail_ended"
            except StaleCursor:
                # Another connection of this machine acknowledged what this one had not sent: it has the place now.
                log.info("feed.overtaken")
            finally:
                follower.close()
        if control:
            yield control_frame("bye", {"reason": bye, "retry_ms": RETRY_MS})

    async def _chunks(self, machine_id: str, feed: Feed, follower: Follower, *, control: bool) -> AsyncIterator[bytes]:
        ahead, untold = follower.cursor, control
        if control:
            yield control_frame("open", _standing(await self._pool.fetchrow(_SQL.head, machine_id)))
        while True:
            if not follower.caught_up or feed.head > follower.cursor + 1:
                frames, ahead = await self._ahead(machine_id, max(ahead, follower.cursor + 1))
                if frames:
                    yield frames
            chunk = await follower.next()
            if chunk is None:
                return
            if chunk:
                yield chunk
            if untold and follower.caught_up:
                untold = False
                yield control_frame("caught_up", {"seq": follower.cursor})

    async def acknowledge(self, machine_id: str, cursor: int) -> int:
        """Forget what the machine has durably; returns how far it has acknowledged.

        Raises:
            StaleCursor: the cursor is ahead of the feed.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            record = await connection.fetchrow(_SQL.ack, machine_id, cursor)
            if record is None:
                raise StaleCursor(
                    "the cursor is ahead of the feed",
                    reason_code="ahead_of_log",
                    **_standing(await connection.fetchrow(_SQL.head, machine_id)),
                )
            acked: int = record["acked_feed_seq"]
            await connection.execute(_SQL.prune, machine_id, acked)
            return acked

    async def read_page(self, machine_id: str, cursor: int) -> Page:
        """The next frames of a feed after `cursor`; their requests are handed over by this.

        Raises:
            StaleCursor: they were acknowledged, and are gone.
        """
        entries = await self._hand_over(machine_id, cursor, PAGE_ROWS, urgent_only=False)
        head = await self._pool.fetchrow(_SQL.head, machine_id)
        latest, acked = (cursor, cursor) if head is None else (head["latest_feed_seq"], head["acked_feed_seq"])
        first = entries[0]["feed_seq"] if entries else max(cursor, acked) + 1
        if first != cursor + 1:
            raise StaleCursor("the feed begins later than that", reason_code="below_floor", oldest_seq=acked + 1)
        last = entries[-1]["feed_seq"] if entries else cursor
        body = await self._frames(machine_id, entries, with_id=True)
        return Page(body, last, at_end=last >= latest)

    async def read_heads(self, machine_ids: Sequence[str]) -> Mapping[str, int]:
        """Where these feeds stand."""
        records = await self._pool.fetch(_SQL.heads, list(machine_ids))
        return {record["machine_id"]: record["latest_feed_seq"] for record in records}

    async def _ahead(self, machine_id: str, after: int) -> tuple[bytes, int]:
        """Urgent entries after a place, as frames without an id; and the place of the last of them."""
        entries = await self._hand_over(machine_id, after, AHEAD_ROWS, urgent_only=True)
        last = entries[-1]["feed_seq"] if entries else after
        return await self._frames(machine_id, entries, with_id=False), last

    async def _hand_over(
        self, machine_id: str, cursor: int, limit: int, *, urgent_only: bool
    ) -> Sequence[asyncpg.Record]:
        """Read entries; requests among them that nobody was handed yet are delivered from this commit on."""
        arguments = (machine_id, cursor, urgent_only, limit, self._page_bytes)
        entries = await self._pool.fetch(_SQL.entries, *arguments)
        fresh = [entry for entry in entries if entry["state"] == "accepted"]
        if not fresh:
            return entries
        async with self._ledger.transaction() as tx:
            workers = await tx.lock_workers({entry["worker_id"] for entry in fresh if entry["worker_id"] is not None})
            own = [entry["request_id"] for entry in fresh if entry["worker_id"] is None]
            await receipts.lock_machines(tx.conn, machine_id, own)
            for entry in fresh:
                target = Target(entry["target_kind"], entry["target_id"])
                record = await receipts.find_locked(tx.conn, target, entry["request_id"])
                if record is None or record["state"] != "accepted" or record["machine_id"] != machine_id:
                    continue
                worker = workers.get(target.id) if target.kind == "worker" else None
                if worker is not None:
                    await receipts.step_and_tell(tx, worker, record, "delivered")
                elif target.kind == "machine":
                    now = await tx.conn.fetchval("select clock_timestamp()")
                    await receipts.step(tx, record, "delivered", now=now)
        # As committed: what was taken back or ended in between has lost its params; what is newer was not handed over.
        handed = {entry["feed_seq"] for entry in entries}
        again = await self._pool.fetch(_SQL.entries, *arguments)
        return [entry for entry in again if entry["feed_seq"] in handed]

    async def _frames(self, machine_id: str, entries: Sequence[asyncpg.Record], *, with_id: bool) -> bytes:
        """The entries as frames; decisions among them are delivered from now on."""
        answers = await self._answers.hand_over(machine_id, entries)
        return b"".join(_frame(entry, self._body(entry, answers), with_id=with_id) for entry in entries)

    def _body(self, entry: asyncpg.Record, answers: Mapping[Place, str]) -> str | None:
        if entry["kind"] == "decision":
            return answers.get((entry["worker_id"], entry["worker_seq"]))
        return self._request(entry) if entry["kind"] == "request" else entry["frame"]

    def _request(self, entry: asyncpg.Record) -> str | None:
        """The request as its executor needs it; None where it has ended, or is another machine's now."""
        if entry["state"] not in HANDED or entry["ciphertext"] is None:
            return None
        target = Target(entry["target_kind"], entry["target_id"])
        try:
            params = self._keys.open(target, entry["request_id"], entry["key_id"], entry["ciphertext"])
        except SealBroken:
            log.exception("feed.request_does_not_open", request_id=entry["request_id"])
            return None
        expires = entry["expires_at"]
        return (
            f'{{"request_id":{text(entry["request_id"])},"target":"{target.kind}",'
            f'"worker_id":{_text(entry["worker_id"])},"method":{text(entry["method"])},"params":{params.decode()},'
            f'"x_request_id":{_text(entry["x_request_id"])},"traceparent":{_text(entry["traceparent"])},'
            f'"expires_at":{_text(None if expires is None else instant(expires))}}}'
        )


def _frame(entry: asyncpg.Record, body: str | None, *, with_id: bool) -> bytes:
    kind = entry["kind"]
    place = f"id: {entry['feed_seq']}\n" if with_id else ""
    data = (
        f'{{"feed_seq":{entry["feed_seq"]},"kind":"{kind}","worker_id":{_text(entry["worker_id"])},'
        f'"seq":{_number(entry["worker_seq"])},"request_id":{_text(entry["request_id"])},"body":{body or "null"}}}'
    )
    return f"{place}event: codex.feed.{kind}\ndata: {data}\n\n".encode()


def _standing(head: asyncpg.Record | None) -> dict[str, Any]:
    """What a feed has, as clients are told it."""
    latest, acked = (0, 0) if head is None else (head["latest_feed_seq"], head["acked_feed_seq"])
    return {"oldest_seq": acked + 1, "latest_seq": latest}


def _text(value: str | None) -> str:
    return "null" if value is None else text(value)


def _number(value: Any) -> str:
    return "null" if value is None else str(value)

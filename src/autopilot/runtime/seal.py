"""The sealer: closes ranges of append-only logs into one signed chain, some seconds behind the appends.

A round looks at what has moved since a mark that it keeps, and at a few logs more, in turn, so that whatever the mark
might miss is found too: it costs what has changed, not how many logs there are.

Owns the tables `seal` and `seal_floor`. One sealer works at a time in the whole installation, by an advisory lock of
its transaction: one that is killed leaves nothing, and nobody waits for it. Takes no lock of a log and waits for none:
it reads what is committed. A round is bounded; what it did not reach comes in the next. Relies on a `Source`.
Source: docs/protocol.md, "Tamper evidence".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from autopilot.db.away import AWAY
from autopilot.db.queries import load
from autopilot.ops.clock import Clock
from autopilot.runtime.seal_audit import AuditLog
from autopilot.runtime.seal_chain import FIRST, Floor, Head, Seal, fold, genesis, written
from autopilot.runtime.seal_keys import SealKey
from autopilot.runtime.seal_sources import Log, Source
from autopilot.runtime.seal_workers import WorkerLogs

log = structlog.get_logger("autopilot.runtime.seal")

SQL = load("autopilot.runtime", "seal")
SOURCES: Sequence[Source] = (AuditLog(), WorkerLogs())
"""All that is sealed."""
INTERVAL_SECONDS = 10.0
ROUND_LOGS = 100
ROUND_ENTRIES = 5000
"""Of one round, which is one transaction."""
WALK_LOGS = 200
"""Looked at in each round, whether or not they moved."""
SLACK = timedelta(minutes=1)
"""How far the time that an append stamps may be behind the beginning of its transaction."""
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
REST = 19
"""After a round, so many times its own length is rest: sealing takes a twentieth of a core from appends at most."""
_TURN = (0x4155544F, 11)
"""Key of the advisory lock."""


class _Mark(msgspec.Struct, frozen=True):
    """How far a source was looked through."""

    since: datetime = BEGINNING
    """What moved before is sealed."""
    walked_no: int = 0
    """The last log of the walk."""


class ChainBroken(Exception):
    """The chain no longer holds the seal that this process saw last: sealing on would paper over it."""


class Sealer:
    """Seals what is committed."""

    def __init__(
        self, pool: asyncpg.Pool, seed: bytes | Callable[[], bytes], clock: Clock, sources: Sequence[Source] = SOURCES
    ) -> None:
        """`seed`: the secret half of an Ed25519 key, 32 bytes; or what says it, asked for each seal."""
        self._pool = pool
        self._clock = clock
        self._sources = sources
        self._seen: Head | None = None
        self._told: set[tuple[str, int]] = set()
        self._marks: dict[str, _Mark] = {}
        """By source."""
        self._seed = seed
        self._keys: dict[bytes, SealKey] = {}
        """The one in use, by its seed."""

    @property
    def key(self) -> SealKey:
        """What signs now."""
        seed = self._seed if isinstance(self._seed, bytes) else self._seed()
        if seed not in self._keys:
            self._keys = {seed: SealKey(seed)}
        return self._keys[seed]

    async def run(self) -> None:
        """Seal every few seconds until cancelled, sooner while much waits; what fails is made up for by the next."""
        while True:
            began, pause = self._clock.monotonic(), INTERVAL_SECONDS
            try:
                if await self.seal_round():
                    pause = min(pause, REST * (self._clock.monotonic() - began))
            except ChainBroken:
                log.error("seal.chain_broken", seal_no=self._seen and self._seen.seal_no)  # noqa: TRY400 - no news in the traceback
            except (asyncpg.PostgresError, *AWAY):
                log.warning("seal.round_failed", exc_info=True)
            await self._clock.sleep(pause)

    async def seal_all(self) -> int:
        """Seal everything that is committed now, unless another sealer is at it; how many entries were sealed.

        Raises:
            ChainBroken: the chain was cut back, or made anew.
        """
        total = 0
        while sealed := await self.seal_round():
            total += sealed
        return total

    async def seal_round(self) -> int:
        """The same, of at most ROUND_ENTRIES entries.

        Raises:
            ChainBroken: as `seal_all`.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            if not await conn.fetchval(SQL.try_turn, *_TURN):
                return 0
            sealed, marks = await self._round(conn)
        self._marks = marks
        return sealed

    async def seal_log(self, source: Source, log_id: str, up_to_seq: int) -> int:
        """Seal one log at least up to a seq that is committed, waiting for the turn; the last seq that is sealed.

        It ends earlier only where the log itself is broken. The caller holds no lock of the log.
        """
        while True:
            async with self._pool.acquire() as conn, conn.transaction():
                await conn.execute(SQL.take_turn, *_TURN)
                found = await source.log(conn, log_id)
                if found is None:
                    return 0
                last = await conn.fetchrow(SQL.last_of_log, source.name, found.log_no)
                after = last["to_seq"] if last else 0
                if after >= up_to_seq or await self._seal(conn, source, found, after, ROUND_ENTRIES) == 0:
                    return after

    async def _round(self, conn: Any) -> tuple[int, dict[str, _Mark]]:
        """How many entries were sealed, and where the next round may begin once this one is committed."""
        room = ROUND_ENTRIES
        marks: dict[str, _Mark] = {}
        for source in self._sources:
            mark = self._marks.get(source.name, _Mark())
            settled = await conn.fetchval(SQL.horizon, SLACK)
            found = await source.waiting(conn, mark.since, ROUND_LOGS)
            if len(found) == ROUND_LOGS:
                settled = min(settled, found[-1].moved_at)
            strays = await source.walk(conn, mark.walked_no, WALK_LOGS)
            for one in found:
                sealed = await self._seal(conn, source, one.log, one.sealed_seq, room) if room > 0 else 0
                room -= sealed
                reached = max(one.sealed_seq, one.log.oldest_seq - 1) + sealed
                is_done = reached >= one.log.latest_seq or (source.name, one.log.log_no) in self._told
                settled = settled if is_done else min(settled, one.moved_at)
            known = {one.log.log_no for one in found}
            for one in strays:
                if room > 0 and one.log.log_no not in known and one.sealed_seq < one.log.latest_seq:
                    room -= await self._seal(conn, source, one.log, one.sealed_seq, room)
            walked_no = strays[-1].log.log_no if strays else 0
            marks[source.name] = _Mark(max(mark.since, settled), walked_no)
        return ROUND_ENTRIES - room, marks

    async def _seal(self, conn: Any, source: Source, found: Log, sealed_seq: int, most: int) -> int:
        """Add one seal over what follows the last one of this log; how many entries it covers."""
        last = await conn.fetchrow(SQL.last_of_log, source.name, found.log_no)
        state = last["state"] if last else genesis(source.name, found.log_id)
        after = sealed_seq or found.oldest_seq - 1  # what retention took before there were seals was never sealed
        to_seq, state = await advance(
            conn, source, found, after=after, state=state, up_to=min(found.latest_seq, after + most)
        )
        if to_seq < min(found.latest_seq, after + most) and (source.name, found.log_no) not in self._told:
            self._told.add((source.name, found.log_no))
            log.error("seal.log_broken", source=source.name, log_id=found.log_id, missing_seq=to_seq + 1)
        if to_seq > after:
            await self._add(conn, source, found, from_seq=after + 1, to_seq=to_seq, state=state)
        return to_seq - after

    async def _add(self, conn: Any, source: Source, found: Log, *, from_seq: int, to_seq: int, state: bytes) -> None:
        head, now = await self._head(conn)
        key = self.key
        seal = Seal(
            seal_no=head.seal_no + 1,
            source=source.name,
            log_no=found.log_no,
            log_id=found.log_id,
            from_seq=from_seq,
            to_seq=to_seq,
            state=state,
            sealed_at=now,
            previous=head.digest,
            key_id=key.key_id,
        )
        digest = seal.computed()
        signature = key.sign(written("signature", digest))
        seal = msgspec.structs.replace(seal, digest=digest, signature=signature)
        columns = ("seal_no", "source", "log_no", "log_id", "from_seq", "to_seq", "state", "sealed_at", "previous")
        values = [getattr(seal, name) for name in (*columns, "digest", "key_id", "signature")]
        await conn.execute(SQL.add, *values)
        # Should the transaction fail after all, this head was never there: the next round must not look for it.
        self._seen = Head(head.seal_no, head.digest) if head.seal_no else None

    async def _head(self, conn: Any) -> tuple[Head, datetime]:
        """The latest seal and the database's time, once it is sure that the chain still has what was seen before."""
        if self._seen is not None and await conn.fetchval(SQL.digest_at, self._seen.seal_no) != self._seen.digest:
            raise ChainBroken
        record = await conn.fetchrow(SQL.head)
        if record is None:
            return Head(0, FIRST), await conn.fetchval("select clock_timestamp()")
        return Head(record["seal_no"], record["digest"]), record["now"]


async def advance(conn: Any, source: Source, found: Log, *, after: int, state: bytes, up_to: int) -> tuple[int, bytes]:
    """The state of a log after the entries from `after` + 1 to `up_to`, and the last of them: less where one lacks."""
    while after < up_to:
        entries = await source.entries(conn, found, after)
        if not entries or entries[0].seq != after + 1 or entries[0].trouble:
            break
        for entry in entries:
            if entry.seq != after + 1 or entry.seq > up_to or entry.trouble:
                break
            after, state = entry.seq, fold(state, entry.leaf)
    return after, state


async def head_of(conn: Any) -> Head | None:
    """The latest seal, or None before the first."""
    record = await conn.fetchrow(SQL.head)
    return None if record is None else Head(record["seal_no"], record["digest"])


async def set_floor(conn: Any, key: SealKey, source: Source, found: Log, floor_seq: int) -> bool:
    """Say that a log is about to lose everything below a seq, all of which is sealed; False where some is missing.

    In the transaction that deletes it, which holds the log's lock.
    """
    record = await conn.fetchrow(SQL.floor, source.name, found.log_no)
    last = await conn.fetchrow(SQL.state_before, source.name, found.log_no, floor_seq)
    after, state = found.oldest_seq - 1, genesis(source.name, found.log_id)
    if record is not None:
        after, state = record["floor_seq"] - 1, record["state"]
    if last is not None and last["to_seq"] > after:
        after, state = last["to_seq"], last["state"]
    reached, state = await advance(conn, source, found, after=after, state=state, up_to=floor_seq - 1)
    if reached != floor_seq - 1:
        return False
    signature = key.sign(Floor.signed(source.name, found.log_id, floor_seq, state))
    await conn.execute(SQL.set_floor, source.name, found.log_no, floor_seq, state, key.key_id, signature)
    return True

"""Artifacts on their way to the ledger: put with the event that refers to them, stored after it, then they go.

Owns the table `artifact` of the companion's file. Repeating is always safe: the ledger says how far it has come, and
knows an artifact by its content. Events go first (mirror.py): what no event in the ledger refers to yet waits for its
event, and what none will is dropped. Sends one piece at a time, so that memory and network stay with the events.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from autopilot.client import RuntimeCodexClient
from autopilot.companion.codex.large import Artifact
from autopilot.companion.database import Database
from autopilot.contract import ArtifactPart, StoredPart
from autopilot.contract.errors import AutopilotError, Conflict, Problem
from autopilot.ops.clock import Clock

PIECE_BYTES = 512 * 1024
CALL_BYTES = 1024 * 1024
PARTS = 32
LEAST_PIECE_BYTES = 64 * 1024
"""Shorter ones the ledger takes only at the end."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
NOT_OURS = frozenset({"fenced", "lease", "machine", "role", "scope", "no_such_worker"})
"""Why the ledger takes nothing of a worker for now: another claim, or another companion, settles it."""
NOT_THE_CONTENT = frozenset({401, 408, 429, 503})
"""Statuses that say nothing about what was sent: the same again later."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """What is to be sent next of one artifact."""

    artifact_id: str
    offset: int
    text: str


def put(db: sqlite3.Connection, worker_id: str, artifacts: Iterable[Artifact]) -> int:
    """Keep what an event refers to, in the transaction that puts the event; how many bytes are new."""
    new = 0
    for one in artifacts:
        inserted = db.execute(
            "insert into artifact (worker_id, artifact_id, content) values (?, ?, ?) on conflict do nothing",
            (worker_id, one.artifact_id, one.content),
        ).rowcount
        new += len(one.content) * inserted
    return new


def settle(db: sqlite3.Connection, worker_id: str, artifact_ids: Iterable[str] | None = None) -> int:
    """Let go of these, or of all of a worker's; how many bytes that were."""
    if artifact_ids is None:
        rows = db.execute("delete from artifact where worker_id = ? returning length(content)", (worker_id,))
        return sum(row[0] for row in rows.fetchall())
    gone = 0
    for artifact_id in artifact_ids:
        row = db.execute(
            "delete from artifact where worker_id = ? and artifact_id = ? returning length(content)",
            (worker_id, artifact_id),
        ).fetchone()
        gone += row[0] if row is not None else 0
    return gone


def workers(db: sqlite3.Connection) -> list[str]:
    """Workers of which something is to be stored, the longest waiting first."""
    return [row[0] for row in db.execute("select worker_id from artifact group by worker_id order by min(position)")]


def pieces(db: sqlite3.Connection, worker_id: str, offsets: dict[str, int], most: int = PARTS) -> list[Piece]:
    """What to send next of a worker, the oldest first, bounded in number and bytes."""
    rows = db.execute(
        "select position, artifact_id, length(content) as size from artifact where worker_id = ? order by position"
        " limit ?",
        (worker_id, most),
    ).fetchall()
    found: list[Piece] = []
    room = CALL_BYTES
    for row in rows:
        offset = offsets.get(row["artifact_id"], 0)
        size = min(PIECE_BYTES, row["size"] - offset)
        if row["size"] - offset - size < LEAST_PIECE_BYTES:
            size = row["size"] - offset
        if found and size > room:
            break
        room -= size
        with db.blobopen("artifact", "content", row["position"], readonly=True) as blob:  # substr would read all of it
            blob.seek(offset)
            content = blob.read(size)
        found.append(Piece(row["artifact_id"], offset, content.decode(errors="ignore")))
    return found


class Uploads:
    """Keep `run` running; `wake` it when an event reached the ledger, or a lease was gained."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        *,
        database: Database,
        generation: Callable[[str], int | None],
        settled: Callable[[sqlite3.Connection, str, Sequence[str]], None],
        waiting: Callable[[sqlite3.Connection, str], bool],
        clock: Clock,
    ) -> None:
        """`generation`: of the lease of a worker that is held, or was last. `settled` lets go of artifacts.

        `waiting`: whether events of this worker are still to be sent, now or after a reattach.
        """
        self._client = client
        self._database = database
        self._generation = generation
        self._settled = settled
        self._waiting = waiting
        self._clock = clock
        self._wake = asyncio.Event()
        self._offsets: dict[str, dict[str, int]] = {}
        self._refused: set[tuple[str, str]] = set()
        self._alone: set[str] = set()

    def wake(self) -> None:
        """Something may be stored that could not before."""
        self._wake.set()

    async def run(self) -> None:
        """Store, forever."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._wake.clear()
            try:
                for worker_id in await self._database.run(workers):
                    while await self._store_some(worker_id):
                        pause = FIRST_PAUSE_SECONDS
            except AutopilotError as error:
                log.warning("artifacts.waiting", error=f"{error.code}: {error.message}", seconds=pause)
                await self._clock.sleep(pause * random.uniform(0.5, 1))
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                await self._wake.wait()

    async def _store_some(self, worker_id: str) -> bool:
        """Store the next pieces of a worker; whether to go on with it now.

        Raises:
            AutopilotError: the ledger can't be reached, or takes no more now.
        """
        generation = self._generation(worker_id)
        offsets = self._offsets.setdefault(worker_id, {})
        most = 1 if worker_id in self._alone else PARTS
        # Both at one moment: an event that is sent while the ledger looks is not to be taken for one that never comes.
        found, is_awaited = await self._database.run(
            lambda db: (pieces(db, worker_id, offsets, most), self._waiting(db, worker_id))
        )
        if generation is None or not found:
            return False
        parts = [ArtifactPart(artifact_id=one.artifact_id, offset=one.offset, text=one.text) for one in found]
        try:
            told = await self._client.store_artifacts(worker_id, parts, generation=generation)
        except Problem as problem:
            if problem.status in NOT_THE_CONTENT:
                raise
            return await self._resolve(worker_id, found, problem)
        self._alone.discard(worker_id)
        return await self._note(worker_id, found, told, is_awaited=is_awaited)

    async def _note(
        self, worker_id: str, sent: Sequence[Piece], told: Sequence[StoredPart], *, is_awaited: bool
    ) -> bool:
        """Keep in mind what the ledger has; whether any of it went on. `is_awaited`: events were to be sent before."""
        ended = [one.artifact_id for one in told if one.state not in {"pending", "unknown"}]
        unknown = [one.artifact_id for one in told if one.state == "unknown"]
        offsets = self._offsets[worker_id]
        moved = bool(ended)
        for piece, one in zip(sent, told, strict=True):
            if one.state == "pending":
                offsets[one.artifact_id] = one.next_offset
                moved = moved or one.next_offset != piece.offset
        if unknown and not is_awaited:
            log.warning("artifacts.unwanted", worker_id=worker_id, artifact_ids=unknown)
            ended += unknown  # its event was refused, or is told by another companion
        if ended:
            await self._let_go(worker_id, ended)
        return moved

    async def _resolve(self, worker_id: str, sent: Sequence[Piece], problem: Problem) -> bool:
        """Do what the refusal asks for; whether to go on with this worker now."""
        log.info("artifacts.refused", worker_id=worker_id, code=problem.code, reason=problem.reason_code)
        if problem.reason_code in NOT_OURS:
            return False
        named = problem.fact("artifact_id")
        if isinstance(problem, Conflict) and isinstance(named, str) and (worker_id, named) not in self._refused:
            self._refused.add((worker_id, named))
            self._offsets[worker_id].pop(named, None)
            return True  # once more from the beginning
        if len(sent) > 1:
            self._alone.add(worker_id)  # find out which of them it is
            return True
        log.error("artifacts.gave_up", worker_id=worker_id, artifact_id=sent[0].artifact_id, error=problem.message)
        await self._let_go(worker_id, [sent[0].artifact_id])
        return True

    async def _let_go(self, worker_id: str, artifact_ids: Sequence[str]) -> None:
        await self._database.run(lambda db: self._settled(db, worker_id, artifact_ids))
        for artifact_id in artifact_ids:
            self._offsets[worker_id].pop(artifact_id, None)
            self._refused.discard((worker_id, artifact_id))
        if not self._offsets[worker_id]:
            del self._offsets[worker_id]

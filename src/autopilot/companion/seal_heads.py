"""The head of the server's chain of seals, as this machine keeps it: outside the database that it is to vouch for.

Owns the table `seal_head`: one head that is kept now, and every head that a chain was shown without. A head moves
forward only, and only along a chain that still holds it. One that is lost stays as evidence, and is a fact of the
machine, `desktop/seals`, until a person accepts that (`autopilot audit accept`). Never speaks to anybody itself:
heartbeats carry what is kept and shown (leases.py). Source: docs/protocol.md, "Tamper evidence".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from autopilot.companion.codex import translate
from autopilot.companion.database import FILE, Database
from autopilot.companion.facts import MachineFacts
from autopilot.contract import HeartbeatResult, SealHead
from autopilot.ops.clock import Clock

FACT = "desktop/seals"
MOST_LOST = 50
"""A server that shows another chain each time fills no disk: beyond so many, lost heads are only logged."""
NAMED = 10
"""So many lost heads are named in the fact."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """One head, and what became of it. Times are RFC 3339, by this machine's clock."""

    position: int
    seal_no: int
    digest: str
    shown_by: str
    """The API that showed it."""
    kept_at: str
    lost_at: str | None = None
    """When a chain was shown that does not hold it; None: every chain since did."""
    shown_seal_no: int | None = None
    """The latest seal of that chain; None: it had none."""
    shown_digest: str | None = None
    lost_to: str | None = None
    """The API that showed that chain."""
    accepted_at: str | None = None
    """When a person said that this is as it should be."""

    @property
    def name(self) -> str:
        """`NUMBER:DIGEST`."""
        return f"{self.seal_no}:{self.digest}"

    @property
    def head(self) -> SealHead:
        """As the contract has it."""
        return SealHead(seal_no=self.seal_no, digest=self.digest)

    @property
    def is_lost(self) -> bool:
        """Whether a chain was shown without it, and nobody has accepted that."""
        return self.lost_at is not None and self.accepted_at is None

    def sentence(self) -> str:
        """What is told of one that was lost."""
        there = "no seals" if self.shown_seal_no is None else f"its latest is {self.shown_seal_no}"
        moved = self.lost_to != self.shown_by
        where = f" It was shown by {self.shown_by}, the other chain by {self.lost_to}." if moved else ""
        cause = ", or this is another server" if moved else ""
        return (
            f"The server's chain of seals does not hold seal {self.seal_no}, kept here since {self.kept_at}: its"
            f" database was restored from an older backup, or rewritten{cause} (seen {self.lost_at}; {there}).{where}"
        )


class SealHeads:
    """What `Leases` sends with each heartbeat, and what it makes of the answer."""

    def __init__(self, database: Database, facts: MachineFacts, clock: Clock, *, server: str) -> None:
        """`server`: the URL of the API."""
        self._database = database
        self._facts = facts
        self._clock = clock
        self._server = server
        self._said: Sequence[Kept] | None = None

    async def kept(self) -> Kept | None:
        """The head to ask for; None before the first was shown."""
        rows = await self._database.run(_rows)
        self._say(rows)
        return next((row for row in rows if row.lost_at is None), None)

    async def answered(self, asked: Kept | None, answer: HeartbeatResult) -> None:
        """Keep what a heartbeat's answer shows: the first head, a later one, or that the one asked for is lost."""
        now, latest = translate.timestamp(self._clock.now()), answer.latest_seal

        def settle(db: sqlite3.Connection) -> bool:
            if asked is None:
                _keep_first(db, latest, self._server, now)
            elif answer.seal_there == asked.head:
                _keep_later(db, asked, latest, self._server, now)
            else:
                return _lose(db, asked, latest, self._server, now)
            return False

        if await self._database.run(settle):
            assert asked is not None
            log.error(
                "seals.lost",
                kept=asked.name,
                kept_at=asked.kept_at,
                there=answer.seal_there and answer.seal_there.digest,
                latest=latest and f"{latest.seal_no}:{latest.digest}",
            )
        self._say(await self._database.run(_rows))

    def _say(self, rows: Sequence[Kept]) -> None:
        """The fact, where it is another than the one said last; nothing as long as nothing was ever kept."""
        lost = [row for row in rows if row.is_lost]
        if lost == self._said or not rows:
            return
        self._said = lost
        self._facts.say(FACT, standing(lost), self._clock.now())


def standing(lost: Sequence[Kept]) -> dict[str, Any]:
    """What is said of the machine's kept heads: `state` is `held` or `lost`."""
    if not lost:
        return {
            "message": "the server's chain of seals holds what this machine keeps of it",
            "state": "held",
            "lost": [],
        }
    return {
        "message": " ".join(row.sentence() for row in lost[:NAMED]),
        "state": "lost",
        "lost": [
            {
                "kept": row.name,
                "kept_at": row.kept_at,
                "lost_at": row.lost_at,
                "latest": None if row.shown_seal_no is None else f"{row.shown_seal_no}:{row.shown_digest}",
            }
            for row in lost[:NAMED]
        ],
    }


def read(data: Path) -> list[Kept]:
    """All heads that the companion of this folder keeps or has kept, the oldest first; also while it runs."""
    file = data / FILE
    if not file.exists():
        return []
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        try:
            return _rows(db)
        except sqlite3.OperationalError:  # written by a version that kept none
            return []


def accept(data: Path, head: str, now: str) -> bool:
    """Say that a lost head (`NUMBER:DIGEST`) is lost by right; False where none of that name is. It stays on record."""
    with closing(sqlite3.connect(data / FILE, timeout=5, isolation_level=None)) as db:
        changed = db.execute(
            "update seal_head set accepted_at = ?"
            " where seal_no || ':' || digest = ? and lost_at is not null and accepted_at is null",
            (now, head),
        )
        return changed.rowcount > 0


def _rows(db: sqlite3.Connection) -> list[Kept]:
    return [Kept(**dict(row)) for row in db.execute("select * from seal_head order by position")]


def _keep_first(db: sqlite3.Connection, latest: SealHead | None, server: str, now: str) -> None:
    if latest is not None and db.execute("select 1 from seal_head where lost_at is null").fetchone() is None:
        db.execute(
            "insert into seal_head (seal_no, digest, shown_by, kept_at) values (?, ?, ?, ?)",
            (latest.seal_no, latest.digest, server, now),
        )


def _keep_later(db: sqlite3.Connection, asked: Kept, latest: SealHead | None, server: str, now: str) -> None:
    """Forward only: answers may overtake each other."""
    if latest is not None:
        db.execute(
            "update seal_head set seal_no = ?, digest = ?, shown_by = ?, kept_at = ?"
            " where position = ? and lost_at is null and seal_no < ?",
            (latest.seal_no, latest.digest, server, now, asked.position, latest.seal_no),
        )


def _lose(db: sqlite3.Connection, asked: Kept, latest: SealHead | None, server: str, now: str) -> bool:
    """Put the head aside, and keep the other chain's from now on; False where an earlier answer had it done."""
    shown = (None, None) if latest is None else (latest.seal_no, latest.digest)
    lost = db.execute(
        "update seal_head set lost_at = ?, shown_seal_no = ?, shown_digest = ?, lost_to = ?"
        " where position = ? and lost_at is null",
        (now, *shown, server, asked.position),
    )
    if lost.rowcount == 0:
        return False
    db.execute(
        "delete from seal_head where lost_at is not null and position not in"
        " (select position from seal_head where lost_at is not null"
        " order by position = ? desc, accepted_at is not null, position limit ?)",
        (asked.position, MOST_LOST),
    )
    _keep_first(db, latest, server, now)
    return True

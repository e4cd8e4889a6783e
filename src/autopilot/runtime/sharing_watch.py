"""Who reads through a team, and has to stop when what they read is shared with them no more.

Owns nothing that is stored. Every change of who shares what raises one version (sharing_rows.py); each process reads it
once a second, and at once where it heard of a change. Then every open stream that hangs on a role is judged anew,
streams of everything look again, and what the ledger remembers of workers is forgotten. One's own workers are never
taken away: their streams are not here, and cost nothing. Source: docs/protocol.md, "Teams".
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import asyncpg
import structlog

from autopilot.contract.port import Claims
from autopilot.db.away import AWAY
from autopilot.runtime import permissions
from autopilot.runtime.ledger import LedgerTx
from autopilot.runtime.permissions import Belonging
from autopilot.runtime.sharing_rows import SQL
from autopilot.runtime.tail_wakeups import Wakeups

LOOK_SECONDS = 1.0
"""A stream that may be read no more ends within two: this long until it is noticed, and a little to end it."""
TOPIC = "sharing"

log = structlog.get_logger("autopilot.runtime.sharing")


@dataclass(eq=False, slots=True)
class Reader:
    """An open stream of one worker, by whoever does not own it."""

    claims: Claims
    worker_no: int
    lose: Callable[[], None]
    """Ends it."""
    is_new: bool = True
    """Whether it was not judged since it was opened: something may have changed in between."""


class SharingWatch:
    """Judges open streams anew when something is shared otherwise."""

    def __init__(self, pool: asyncpg.Pool, wakeups: Wakeups) -> None:
        self.on_change: list[Callable[[], None]] = []
        """Called when something is shared otherwise, in whatever process that was done."""
        self._pool = pool
        self._wakeups = wakeups
        self._readers: set[Reader] = set()
        self._version: int | None = None
        self._heard = asyncio.Event()
        wakeups.subscribe(TOPIC, lambda _key, _seq: self._heard.set())

    @contextlib.contextmanager
    def reading(self, claims: Claims, worker_no: int, lose: Callable[[], None]) -> Iterator[None]:
        """Within it, `lose` is called once the role is gone."""
        reader = Reader(claims, worker_no, lose)
        self._readers.add(reader)
        try:
            yield
        finally:
            self._readers.discard(reader)

    def committed(self, tx: LedgerTx) -> None:
        """Call after each commit."""
        if tx.teams_moved:
            self._heard.set()
            self._wakeups.announce(TOPIC, "changed", 0)

    async def run(self) -> None:
        """Look once a second, and whenever something was heard, until cancelled."""
        while True:
            self._heard.clear()
            try:
                await self.look()
            except (asyncpg.PostgresError, *AWAY):  # a supervisor: it looks again
                log.warning("sharing.not_looked_at", exc_info=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._heard.wait()

    async def look(self) -> None:
        """End what may be read no more.

        Raises:
            asyncpg.PostgresError, or what AWAY names: the database can't be asked.
        """
        version = await self._pool.fetchval(SQL.version)
        if version != self._version:
            for tell in self.on_change:
                tell()
            judged = list(self._readers)
        else:
            judged = [reader for reader in self._readers if reader.is_new]
        if judged:
            await self._judge(judged)
        self._version = version

    async def _judge(self, readers: list[Reader]) -> None:
        rows = await self._pool.fetch(SQL.belongings, list({reader.worker_no for reader in readers}))
        found = {row["worker_no"]: Belonging.of(row) for row in rows}
        for reader in readers:
            belonging = found.get(reader.worker_no)
            reader.is_new = False
            if belonging is None or permissions.role_of(reader.claims, belonging) is None:
                reader.lose()

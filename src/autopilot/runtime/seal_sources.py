"""What can be sealed: a named kind of append-only logs whose entries have seqs 1, 2, 3.

Relies on nothing but the leaves that a source makes of its rows. A source never writes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from autopilot.runtime.seal_keys import PublicKeys

MALFORMED = "is not in the form it was written in"
"""The trouble of a row of which no leaf can be made: retention can't empty it either, and leaves its log alone."""


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """One log as it stands."""

    log_no: int
    log_id: str
    oldest_seq: int
    latest_seq: int


class Waiting(msgspec.Struct, frozen=True):
    """A log, as the sealer looks at it."""

    log: Log
    sealed_seq: int
    """The last seq that a seal covers; 0: none."""
    moved_at: datetime
    """When an entry was last added."""


class Entry(msgspec.Struct, gc=False):
    """One row of a log, as the sealer and the verifier see it."""

    seq: int
    leaf: bytes
    occurred_at: datetime
    trouble: str | None = None
    """What is wrong with the row by itself; only where proofs are asked for."""
    pruned: bool = False


class Source(Protocol):
    """A kind of logs. Connections have the runtime's search path."""

    name: str
    """Of its seals; never changes."""

    async def waiting(self, conn: Any, since: datetime, limit: int) -> Sequence[Waiting]:
        """Logs that have moved since then, with entries that no seal covers: at most `limit`, in the order they moved.

        By an index: what has not moved since then costs nothing.
        """
        ...

    async def walk(self, conn: Any, after_no: int, limit: int) -> Sequence[Waiting]:
        """The next logs by number, sealed or not."""
        ...

    async def log(self, conn: Any, log_id: str) -> Log | None:
        """One log, or None where there is none."""
        ...

    def logs(self, conn: Any) -> AsyncIterator[Log]:
        """All logs; in a transaction, and in bounded memory."""
        ...

    async def gone(self, conn: Any, limit: int) -> Sequence[str]:
        """Ids of logs that were sealed, and are not there any more."""
        ...

    async def entries(self, conn: Any, log: Log, after: int, proofs: PublicKeys | None = None) -> Sequence[Entry]:
        """The next entries after a seq, in order: a page bounded in rows and bytes; empty at the end.

        With `proofs`, each row is looked at for itself too, and signatures of retention are checked.
        """
        ...

"""What a worker_id looks like, and how a caller's worker is found."""

from __future__ import annotations

import re

import asyncpg

from autopilot.contract.errors import Unprocessable
from autopilot.db.queries import load
from autopilot.runtime.ledger import no_such_worker
from autopilot.runtime.ledger_rows import Worker, worker_of
from autopilot.runtime.router import Match

SQL = load("autopilot.runtime", "ledger")
WORKER_ID = re.compile(r"[A-Za-z0-9._:~-]{1,160}")


def worker_id_of(match: Match) -> str:
    """The path's worker_id.

    Raises:
        Unprocessable: not in the charset, or too long.
    """
    worker_id = match["worker_id"]
    if not WORKER_ID.fullmatch(worker_id):
        raise Unprocessable(
            "worker_id must be 1 to 160 of A-Z a-z 0-9 . _ : ~ -", reason_code="invalid_value", field="worker_id"
        )
    return worker_id


async def find_worker(database: asyncpg.Pool, worker_id: str) -> Worker:
    """The worker as it stands, without a lock.

    Raises:
        NotFound: there is none.
    """
    record = await database.fetchrow(SQL.find_worker, worker_id)
    if record is None:
        raise no_such_worker()
    return worker_of(record)

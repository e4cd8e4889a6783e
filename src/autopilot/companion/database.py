"""The companion's one SQLite file: outbox, inbox, threads, …. One thread owns it; every change is one transaction.

WAL with `synchronous=FULL`: what was committed survives a power cut, not only a killed process. Changes come in batches
(everything that Codex said since the last one), so a commit's fsync is paid about ten times a second, not per message.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TypeVar

FILE = "outbox.sqlite"
SCHEMA_VERSION = 8
WAIT, WAIT_NOT = "pragma busy_timeout = 5000", "pragma busy_timeout = 0"
"""How long somebody else's transaction is waited for, in milliseconds."""
UPGRADES = {
    2: "alter table inbox add column expires_at text;",
    3: """alter table thread add column incarnation text;
        update thread set incarnation = (select value from setting where name = 'codex_incarnation');
        delete from setting where name = 'codex_incarnation';""",
    4: "alter table thread add column elsewhere text;",
    5: """alter table open_item add column told blob;
        create table approval (
            approval_id text primary key, thread_id text not null, turn_id text, item_id text,
            incarnation text not null, codex_id text not null, method text not null, params blob not null,
            state text not null default 'open', option_id text, content blob, message text, seen text,
            resolved_at real, words text, ended_at real
        ) without rowid;
        create index approval_open on approval (thread_id) where state <> 'ended';""",
    6: """create table seal_head (
            position integer primary key autoincrement, seal_no integer not null, digest text not null,
            shown_by text not null, kept_at text not null, lost_at text, shown_seal_no integer, shown_digest text,
            lost_to text, accepted_at text
        );""",
    7: """create table artifact (
            position integer primary key autoincrement, worker_id text not null, artifact_id text not null,
            content blob not null, unique (worker_id, artifact_id)
        );""",
    8: "alter table approval add column told_in text;",
}
"""What brings an older file to each version; a new one is made by schema.sql alone."""
Result = TypeVar("Result")
Work = Callable[[sqlite3.Connection], Result]


class Database:
    """Runs work on the file, in the order asked, one transaction each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="companion-db")
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Open the file, made where it is missing.

        Raises:
            RuntimeError: it was written by a newer version.
        """
        loop = asyncio.get_running_loop()
        self._connection = await loop.run_in_executor(self._owner, open_file, self._path)

    async def run(self, work: Work[Result]) -> Result:
        """Do `work` in a transaction; committed when this returns. A cancelled caller's work is done nevertheless."""
        assert self._connection is not None, "the database is not open"
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._owner, partial(transact, self._connection, work))

    async def wipe(self) -> bool:
        """Let nothing that was deleted stay behind in the write-ahead log; the file itself overwrites it at once.

        False: somebody else reads the file, and keeps it there for as long; to be tried again.
        """
        assert self._connection is not None, "the database is not open"
        return await asyncio.get_running_loop().run_in_executor(self._owner, wipe, self._connection)

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        if self._connection is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._owner, self._connection.close)
            self._connection = None
        self._owner.shutdown()


def transact(connection: sqlite3.Connection, work: Work[Result]) -> Result:
    """`work` in one transaction."""
    connection.execute("begin immediate")
    try:
        result = work(connection)
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
    return result


def wipe(connection: sqlite3.Connection) -> bool:
    """Bring the write-ahead log into the file, and empty it; False where somebody else is reading it.

    Without waiting for that: what Codex says comes through the same thread.
    """
    connection.execute(WAIT_NOT)
    try:
        return connection.execute("pragma wal_checkpoint(truncate)").fetchone()[0] == 0
    finally:
        connection.execute(WAIT)


def open_file(path: Path) -> sqlite3.Connection:
    """A connection to the file, with the schema in place. To be used on one thread only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")
    connection.execute(WAIT)
    connection.execute("pragma secure_delete = on")  # tokens and answers pass through here; their pages are used again
    version = connection.execute("pragma user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        connection.close()
        raise RuntimeError(
            f"{path} was written by a newer Autopilot (schema {version}); this one knows {SCHEMA_VERSION}"
        )
    if version < SCHEMA_VERSION:
        schema = resources.files("autopilot.companion").joinpath("schema.sql").read_text()
        later = "".join(UPGRADES[step] for step in range(version + 1, SCHEMA_VERSION + 1)) if version else schema
        connection.executescript(f"begin; {later} pragma user_version = {SCHEMA_VERSION}; commit;")
    return connection

"""A SQLite file of sealed records, bounded, of one account: what `offline_cache` keeps its values in.

Owns the file. Everything in it is sealed with `SecretBox`, the names of records too; what remains to be seen is how
many there are of each kind, how large, and in which order they were written. A file that is damaged, of another
account or of another key is thrown away and begun anew, and that is logged. For one thread: it blocks.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autopilot.client import log
from autopilot.client.secret_box import SecretBox, Unreadable

FORM = 1
"""Of the file: one of another form is not read."""
LEFTOVERS = ("", "-journal", "-wal", "-shm")
_BUSY_SECONDS = 2.0
_SCHEMA = f"""
create table if not exists records (
    name blob primary key, kind integer not null, used integer not null, body blob not null);
create index if not exists records_by_use on records (kind, used);
pragma user_version = {FORM};
"""
_CHECK, _LIST, _TIMELINE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a file may come to."""

    timelines: int = 50
    """The least recently kept go first."""
    record_bytes: int = 4 << 20
    file_bytes: int = 64 << 20
    """Of all records together; timelines go first."""


def discard(path: Path) -> None:
    """Delete the file and all that SQLite may have left beside it."""
    for suffix in LEFTOVERS:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


class SealedFile:
    """Open one by `opened`. Names of records are any strings; `account` is whose they are."""

    def __init__(self, path: Path, box: SecretBox, account: tuple[str, ...], bounds: Bounds) -> None:
        self._path = path
        self._box = box
        self._account = account
        self._bounds = bounds
        self._db = self._connected()

    @classmethod
    def opened(cls, path: Path, key: bytes, account: tuple[str, ...], bounds: Bounds) -> SealedFile:
        """The file as it is, or a new one where it can't be used.

        Raises:
            OSError, sqlite3.Error: there is no place for one.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        box = SecretBox(key)
        try:
            return cls(path, box, account, bounds)
        except sqlite3.OperationalError:  # in use, or no room: it is as good as it was
            raise
        except (sqlite3.DatabaseError, Unreadable):
            pass
        log.record("offline_cache.discarded", level=30, reason="damaged, or of another account or key")
        discard(path)
        return cls(path, box, account, bounds)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def read(self, kind: str, key: str) -> bytes | None:
        """A record; None: there is none, or it can't be read any more, and then it is deleted.

        Raises:
            sqlite3.Error: the file is damaged.
        """
        name = self._box.name(*self._account, kind, key)
        row = self._db.execute("select body from records where name = ?", (name,)).fetchone()
        if row is None:
            return None
        try:
            return self._box.open(row[0], *self._account, kind, key)
        except Unreadable:
            log.record("offline_cache.unreadable", level=30, kind=kind)
            self._db.execute("delete from records where name = ?", (name,))
            return None

    def write(self, kind: str, key: str, plain: bytes, *, is_timeline: bool) -> None:
        """Put a record in place of the one before; older timelines go where there is no more room.

        Raises:
            sqlite3.Error: the file is damaged, or the disk is full.
        """
        name, number = self._box.name(*self._account, kind, key), _TIMELINE if is_timeline else _LIST
        body = self._box.seal(plain, *self._account, kind, key)
        with self._transaction():
            self._db.execute(
                "insert into records (name, kind, used, body) select ?, ?, coalesce(max(used), 0) + 1, ? from records"
                " where true on conflict (name) do update set used = excluded.used, body = excluded.body",
                (name, number, body),
            )
            self._evict()

    def delete(self, kind: str, key: str) -> None:
        """Forget a record.

        Raises:
            sqlite3.Error: the file is damaged.
        """
        self._db.execute("delete from records where name = ?", (self._box.name(*self._account, kind, key),))

    def _evict(self) -> None:
        rows = self._db.execute("select kind, length(body), name from records order by kind, used desc").fetchall()
        room, timelines = self._bounds.file_bytes, 0
        for kind, size, name in rows:  # the check and the lists first, then timelines, the newest first
            timelines += kind == _TIMELINE
            room -= size
            if room < 0 or timelines > self._bounds.timelines:
                self._db.execute("delete from records where name = ?", (name,))

    def _connected(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | getattr(os, "O_CLOEXEC", 0), 0o600))
        db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Make the tables, and look whether the file is of this account and key.

        Raises:
            Unreadable, sqlite3.Error: it isn't.
        """
        if db.execute("pragma user_version").fetchone()[0] not in (0, FORM):
            raise Unreadable("a file of another form")
        db.execute("pragma auto_vacuum = full")
        db.execute("pragma journal_mode = truncate")
        db.execute("pragma temp_store = memory")
        db.executescript(_SCHEMA)
        context = (*self._account, "check", "")
        row = db.execute("select body from records where kind = ?", (_CHECK,)).fetchone()
        if row is not None:
            self._box.open(row[0], *context)
        else:
            body = self._box.seal(b"", *context)
            values = (self._box.name(*context), _CHECK, body)
            db.execute("insert into records (name, kind, used, body) values (?, ?, 0, ?)", values)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

"""The file of a backup: a zip with a manifest, in which every part has its length and SHA-256.

    manifest.json               what it is, of when, of which versions; rows, bytes and digest of every part
    data/<schema>/<table>.copy  the rows, as Postgres' COPY writes them (text, UTF-8)
    secrets/<name>              keys without which the rows lose their meaning (optional)

Written under another name first, mode 0600, then renamed: a file with a backup's name is a whole backup. The manifest
is written last. Never interprets the rows.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from autopilot.db.errors import BackupRefused

FORMAT = "autopilot-backup"
VERSION = 1
DAMAGE = (KeyError, EOFError, OSError, ValueError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile)
"""What reading a file raises that is no whole zip: whichever byte of it is wrong."""
CHUNK_BYTES = 256 * 1024


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One member of the archive, as the manifest knows it."""

    bytes: int
    sha256: str


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one table."""

    columns: list[str]
    rows: int
    part: Part


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """Where a sequence stood."""

    last_value: int
    is_called: bool


class AppliedMigration(msgspec.Struct, frozen=True, kw_only=True):
    """One migration the schema had."""

    number: int
    name: str
    digest: str


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """One Postgres schema."""

    migrations: list[AppliedMigration]
    tables: dict[str, Table]
    sequences: dict[str, Sequence]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself."""

    format: str
    version: int
    made_at: str
    """RFC 3339, the database's clock."""
    autopilot: str
    server: str
    """Version of Postgres it came from."""
    rooms: dict[str, Room]
    secrets: dict[str, Part] = {}

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for room in self.rooms.values() for table in room.tables.values())


class PartWriter:
    """Takes the bytes of one part, in order."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._bytes = 0

    def write(self, chunk: bytes) -> None:
        """Add `chunk`."""
        self._file.write(chunk)
        self._digest.update(chunk)
        self._bytes += len(chunk)

    async def take(self, chunk: bytes) -> None:
        """`write`, in the form that asyncpg's COPY wants."""
        self.write(chunk)

    @property
    def part(self) -> Part:
        """Length and digest of what was written."""
        return Part(bytes=self._bytes, sha256=self._digest.hexdigest())


class ArchiveWriter:
    """Parts go in one after the other, then the manifest."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._zip = file

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[PartWriter]:
        """Write one part; its facts are complete when the block ends."""
        with self._zip.open(name, "w", force_zip64=True) as file:
            yield PartWriter(file)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest."""
        self._zip.writestr("manifest.json", msgspec.json.format(msgspec.json.encode(manifest)))


class ArchiveReader:
    """A backup that has been opened and whose manifest is one."""

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._path = path
        self._zip = file
        self.manifest = self._read_manifest()

    def chunks(self, name: str, part: Part) -> Iterator[bytes]:
        """The bytes of a part.

        Raises:
            BackupRefused: at the latest at its end, when it is not what the manifest says.
        """
        digest, size = hashlib.sha256(), 0
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except DAMAGE as error:
            raise self._damaged(name) from error
        if (size, digest.hexdigest()) != (part.bytes, part.sha256):
            raise self._damaged(name)

    def check(self) -> None:
        """Read everything once.

        Raises:
            BackupRefused: a part is damaged or missing.
        """
        for name, part in parts(self.manifest):
            for _ in self.chunks(name, part):
                pass

    def _read_manifest(self) -> Manifest:
        try:
            text = self._zip.read("manifest.json")
            manifest = msgspec.json.decode(text, type=Manifest)
        except (*DAMAGE, msgspec.MsgspecError) as error:
            raise BackupRefused(f"{self._path} is not a whole backup: {error}.") from error
        if manifest.format != FORMAT or manifest.version > VERSION:
            raise BackupRefused(f"{self._path} was made by a newer Autopilot ({manifest.autopilot}): update first.")
        return manifest

    def _damaged(self, name: str) -> BackupRefused:
        return BackupRefused(f"{self._path} is damaged: {name} is not what was written. Nothing was restored.")


def data_name(schema: str, table: str) -> str:
    """The member with a table's rows."""
    return f"data/{schema}/{table}.copy"


def parts(manifest: Manifest) -> Iterator[tuple[str, Part]]:
    """Every member but the manifest."""
    for schema, room in manifest.rooms.items():
        for table, facts in room.tables.items():
            yield data_name(schema, table), facts.part
    for name, part in manifest.secrets.items():
        yield f"secrets/{name}", part


@contextlib.contextmanager
def writing(path: Path) -> Iterator[ArchiveWriter]:
    """Write a backup to `path`; it appears when the block ends without an exception.

    Raises:
        BackupRefused: the file exists, or its folder doesn't.
    """
    if path.exists():
        raise BackupRefused(f"{path} exists already: a backup is never overwritten.")
    if not path.parent.is_dir():
        raise BackupRefused(f"There is no folder {path.parent}.")
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    made = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                yield ArchiveWriter(archive)
            file.flush()
            os.fsync(file.fileno())
        made.rename(path)
    finally:
        made.unlink(missing_ok=True)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[ArchiveReader]:
    """Open the backup in `path`.

    Raises:
        BackupRefused: it is none, or of a newer form.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise BackupRefused(f"There is no file {path}.") from error
    except PermissionError as error:
        raise BackupRefused(f"{path} can't be read: this user has no right to.") from error
    except DAMAGE as error:
        raise BackupRefused(f"{path} is not a whole backup: {error}.") from error
    with archive:
        yield ArchiveReader(path, archive)

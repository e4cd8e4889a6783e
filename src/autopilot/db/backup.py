"""Backup and restore of a whole installation's database, of any Postgres, into one file.

A backup is one snapshot (repeatable read) of every room's tables, taken while everything runs. A restore makes the
rooms anew by their own migrations, up to the one the backup had, puts the rows in, checks them, and then migrates on:
so it may go to another version of Postgres and to a newer Autopilot. It is one transaction: all or nothing. Needs no
programs of Postgres and no superuser. Relies on nothing of our domain but the names in rooms.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg

from autopilot import __version__
from autopilot.db import cluster
from autopilot.db.archive import (
    FORMAT,
    VERSION,
    AppliedMigration,
    ArchiveReader,
    ArchiveWriter,
    Manifest,
    Part,
    Room,
    Sequence,
    Table,
    data_name,
    reading,
    writing,
)
from autopilot.db.errors import BackupRefused
from autopilot.db.migrate import migrate, migrations, preflight
from autopilot.db.pool import connect
from autopilot.db.rooms import ROOMS

Say = Callable[[str, int], None]
"""Told a table ("runtime.event") and its rows, when it is done."""
HISTORY = "schema_migration"
"""Not data: a restore writes it by migrating."""
PASSWORDS = frozenset({cluster.ADMIN, "autopilot"})
"""Of the embedded cluster, which has its own at the other end."""
OUR_SESSIONS = "autopilot%"


async def backup(dsn: str, path: Path, *, secrets_dir: Path | None = None, say: Say | None = None) -> Manifest:
    """Write all rooms of the database to `path` (a new file, mode 0600), with the keys in `secrets_dir` if given.

    Raises:
        BackupRefused: `path` exists, or the database has none of our rooms.
    """
    with writing(path) as archive:
        return await _save(dsn, archive, secrets_dir, say)


async def _save(dsn: str, archive: ArchiveWriter, secrets_dir: Path | None, say: Say | None) -> Manifest:
    async with _snapshot(dsn) as connection:
        rooms = {}
        for schema in ROOMS:
            if await _exists(connection, schema):
                rooms[schema] = await _save_room(connection, schema, archive, say)
        if not rooms:
            raise BackupRefused("There is nothing of Autopilot in this database.")
        manifest = Manifest(
            format=FORMAT,
            version=VERSION,
            made_at=(await connection.fetchval("select now()")).isoformat(),
            autopilot=__version__,
            server=await connection.fetchval("show server_version"),
            rooms=rooms,
            secrets=_save_secrets(secrets_dir, archive) if secrets_dir else {},
        )
        archive.finish(manifest)
    return manifest


async def restore(path: Path, dsn: str, *, secrets_dir: Path | None = None, say: Say | None = None) -> Manifest:
    """Put the backup in `path` into an empty database, and its keys into `secrets_dir` if given.

    Empty means: without our rooms, or with rooms that hold no row. Keys that are there already are kept beside as
    `<name>.replaced`.

    Raises:
        BackupRefused: damaged; of a newer Autopilot; the database holds data or is in use by a running Autopilot.
        DatabaseUnfit: as migrate.preflight.
    """
    with reading(path) as archive:
        manifest = archive.manifest
        _check_known(manifest)
        archive.check()
        connection = await connect(dsn)
        try:
            await preflight(connection)
            async with connection.transaction():
                await _check_empty(connection)
                for schema in manifest.rooms:
                    await _load_room(connection, schema, archive, say)
                if secrets_dir is not None:
                    _load_secrets(archive, secrets_dir)
            for schema, package in ROOMS.items():
                await migrate(connection, schema, package)
            await connection.execute("analyze")
        finally:
            await connection.close()
    return manifest


@contextlib.asynccontextmanager
async def _snapshot(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(dsn, server_settings={"timezone": "UTC"})
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection
    finally:
        await connection.close()


async def _exists(connection: asyncpg.Connection, schema: str) -> bool:
    return await connection.fetchval("select to_regclass($1) is not null", f"{schema}.{HISTORY}")


async def _save_room(connection: asyncpg.Connection, schema: str, archive: ArchiveWriter, say: Say | None) -> Room:
    tables = {}
    for table in await _tables(connection, schema):
        columns = await _columns(connection, schema, table)
        with archive.part(data_name(schema, table)) as part:
            done = await connection.copy_from_table(table, schema_name=schema, columns=columns, output=part.take)
        rows = int(done.split()[-1])
        tables[table] = Table(columns=columns, rows=rows, part=part.part)
        if say:
            say(f"{schema}.{table}", rows)
    applied = await connection.fetch(f'select number, name, digest from "{schema}".{HISTORY} order by number')  # noqa: S608 - a room's name, from code
    return Room(
        migrations=[AppliedMigration(**dict(row)) for row in applied],
        tables=tables,
        sequences={name: await _sequence(connection, schema, name) for name in await _sequences(connection, schema)},
    )


async def _load_room(connection: asyncpg.Connection, schema: str, archive: ArchiveReader, say: Say | None) -> None:
    room = archive.manifest.rooms[schema]
    await connection.execute(f'drop schema if exists "{schema}" cascade')
    await migrate(connection, schema, ROOMS[schema], up_to=len(room.migrations))
    constraints = await _foreign_keys(connection, schema)
    for table, name, _ in constraints:
        await connection.execute(f'alter table "{schema}"."{table}" drop constraint "{name}"')
    for table in room.tables:  # what a trigger would refuse or add anew is in the archive as it was
        await connection.execute(f'alter table "{schema}"."{table}" disable trigger user')
    for table, facts in room.tables.items():
        await connection.execute(f'delete from "{schema}"."{table}"')  # noqa: S608 - rows that a migration put in
        done = await connection.copy_to_table(
            table,
            schema_name=schema,
            columns=facts.columns,
            source=_rows(archive.chunks(data_name(schema, table), facts.part)),
        )
        if int(done.split()[-1]) != facts.rows:
            raise BackupRefused(f"{schema}.{table}: {done}, but it had {facts.rows} rows. Nothing was restored.")
        if say:
            say(f"{schema}.{table}", facts.rows)
    for table, name, definition in constraints:
        await connection.execute(f'alter table "{schema}"."{table}" add constraint "{name}" {definition}')
    for table in room.tables:
        await connection.execute(f'alter table "{schema}"."{table}" enable trigger user')
    for name, at in room.sequences.items():
        await connection.execute("select setval($1::regclass, $2, $3)", f"{schema}.{name}", at.last_value, at.is_called)


async def _rows(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def _check_empty(connection: asyncpg.Connection) -> None:
    others = await connection.fetchval(
        """select count(*) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid() and application_name like $1""",
        OUR_SESSIONS,
    )
    if others:
        raise BackupRefused("An Autopilot is using this database: stop it first.")
    for schema in ROOMS:
        for table in await _tables(connection, schema):
            if await connection.fetchval(f'select exists (select from "{schema}"."{table}")'):  # noqa: S608 - names from the catalogue
                raise BackupRefused(
                    f"The database is not empty ({schema}.{table} has rows): restore into a new one. "
                    "For the embedded one, stop Autopilot and move the folder `postgres` of AUTOPILOT_HOME away."
                )


def _check_known(manifest: Manifest) -> None:
    for schema, room in manifest.rooms.items():
        ours = migrations(ROOMS[schema]) if schema in ROOMS else []
        for migration in room.migrations:
            if migration.number > len(ours):
                raise BackupRefused(
                    f"The backup is of a newer Autopilot ({manifest.autopilot}: {schema} {migration.number:04}), "
                    f"this is {__version__}: update first."
                )
            if ours[migration.number - 1].digest != migration.digest:
                raise BackupRefused(
                    f"The backup's migration {migration.number:04} of {schema!r} is another than this Autopilot's."
                )


async def _tables(connection: asyncpg.Connection, schema: str) -> list[str]:
    rows = await connection.fetch(
        """select relname from pg_class join pg_namespace n on n.oid = relnamespace
           where nspname = $1 and relkind = 'r' and relname <> $2 order by relname""",
        schema,
        HISTORY,
    )
    return [row["relname"] for row in rows]


async def _columns(connection: asyncpg.Connection, schema: str, table: str) -> list[str]:
    rows = await connection.fetch(
        """select column_name from information_schema.columns
           where table_schema = $1 and table_name = $2 and is_generated = 'NEVER' order by ordinal_position""",
        schema,
        table,
    )
    return [row["column_name"] for row in rows]


async def _sequences(connection: asyncpg.Connection, schema: str) -> list[str]:
    rows = await connection.fetch("select sequencename from pg_sequences where schemaname = $1 order by 1", schema)
    return [row["sequencename"] for row in rows]


async def _sequence(connection: asyncpg.Connection, schema: str, name: str) -> Sequence:
    row = await connection.fetchrow(f'select last_value, is_called from "{schema}"."{name}"')  # noqa: S608 - from the catalogue
    assert row is not None
    return Sequence(last_value=row["last_value"], is_called=row["is_called"])


async def _foreign_keys(connection: asyncpg.Connection, schema: str) -> list[tuple[str, str, str]]:
    """(table, name, definition): they are checked all at once at the end, whatever the order of the tables."""
    rows = await connection.fetch(
        """select c.relname, conname, pg_get_constraintdef(k.oid) as definition
           from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
           where n.nspname = $1 and contype = 'f' and conparentid = 0 order by c.relname, conname""",
        schema,
    )
    return [(row["relname"], row["conname"], row["definition"]) for row in rows]


def _save_secrets(secrets_dir: Path, archive: ArchiveWriter) -> dict[str, Part]:
    saved = {}
    for file in sorted(secrets_dir.iterdir()):
        if file.is_file() and not file.name.startswith(".") and file.name not in PASSWORDS:
            with archive.part(f"secrets/{file.name}") as part:
                part.write(file.read_bytes())
            saved[file.name] = part.part
    return saved


def _load_secrets(archive: ArchiveReader, secrets_dir: Path) -> None:
    secrets_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, part in archive.manifest.secrets.items():
        if Path(name).name != name or name in PASSWORDS:
            raise BackupRefused(f"The backup wants to write a secret called {name!r}. Nothing was restored.")
        text = b"".join(archive.chunks(f"secrets/{name}", part))
        file, made = secrets_dir / name, secrets_dir / f".{name}.restored"
        if file.exists() and file.read_bytes() == text:
            continue
        made.touch(mode=0o600)
        made.write_bytes(text)
        if file.exists():
            file.rename(secrets_dir / f"{name}.replaced")
        made.rename(file)

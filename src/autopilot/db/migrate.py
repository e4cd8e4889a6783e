"""Forward-only numbered migrations: one Postgres schema a room, each file applied once, in order, in its transaction.

A room's files are `<package>/migrations/NNNN_name.sql`, from 0001 without gaps. What was applied is in the room's table
`schema_migration` with a digest of the file, so that an edited file or a newer database is noticed
before anything runs. Two programs that start together are serialized by an advisory lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from importlib import resources

import asyncpg

from autopilot.db.errors import DatabaseUnfit, MigrationRefused
from autopilot.db.pool import connect

OLDEST_SERVER = 15
_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LOCK_SPACE = 0x4155544F  # "AUTO": the first key of our advisory locks

Database = str | asyncpg.Connection


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file's text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(database: Database, schema: str, package: str, *, up_to: int | None = None) -> list[Migration]:
    """Bring `schema` up to the newest migration of `package` (or `up_to`) and return those that were applied now.

    Raises:
        DatabaseUnfit: as `preflight`.
        MigrationRefused: as `pending`.
        asyncpg.PostgresError: a migration failed; it left nothing, the ones before it stand.
    """
    async with _connected(database) as connection:
        await preflight(connection, schema)
        await connection.execute("select pg_advisory_lock($1, $2)", _LOCK_SPACE, _lock_key(schema))
        try:
            await _make_room(connection, schema)
            missing = await pending(connection, schema, package)
            missing = [migration for migration in missing if up_to is None or migration.number <= up_to]
            for migration in missing:
                await _apply(connection, schema, migration)
            return missing
        finally:
            await connection.execute("select pg_advisory_unlock($1, $2)", _LOCK_SPACE, _lock_key(schema))


async def pending(database: Database, schema: str, package: str) -> list[Migration]:
    """The migrations of `package` that `schema` lacks, in order.

    Raises:
        MigrationRefused: the schema has migrations we don't know, or one of another content.
    """
    ours = migrations(package)
    async with _connected(database) as connection:
        known = await connection.fetchval("select to_regclass($1) is not null", f"{schema}.schema_migration")
        rows = await connection.fetch(f"select number, name, digest from {schema}.schema_migration") if known else []  # noqa: S608 - a room's name, from code
    applied = {row["number"]: row for row in rows}
    _refuse_newer(schema, applied, len(ours))
    for migration in ours:
        row = applied.get(migration.number)
        if row is not None and row["digest"] != migration.digest:
            raise MigrationRefused(
                f"Migration {migration.number:04} ({migration.name}) of {schema!r} was edited after it was applied: "
                "restore the file and put the change into a new migration.",
                number=migration.number,
            )
    return [migration for migration in ours if migration.number not in applied]


async def preflight(database: Database, schema: str | None = None) -> None:
    """Find out, before anything is changed, whether this database will do.

    Raises:
        DatabaseUnfit: older than 15, not UTF8, read-only, or we may not create the schema.
    """
    async with _connected(database) as connection:
        major = connection.get_server_version().major
        if major < OLDEST_SERVER:
            raise DatabaseUnfit(f"The database server is Postgres {major}; Autopilot needs {OLDEST_SERVER} or newer.")
        facts = await connection.fetchrow(
            """select current_database() as database, current_user as role, pg_is_in_recovery() as is_replica,
                   current_setting('default_transaction_read_only')::boolean as read_only,
                   pg_encoding_to_char(encoding) as encoding,
                   has_database_privilege(oid, 'CREATE') as may_create,
                   (select pg_has_role(nspowner, 'USAGE') from pg_namespace where nspname = $1) as owns_schema
               from pg_database where datname = current_database()""",
            schema,
        )
    assert facts is not None
    name, role = facts["database"], facts["role"]
    if facts["encoding"] != "UTF8":
        raise DatabaseUnfit(
            f"The database {name!r} is encoded in {facts['encoding']}: make another with encoding 'UTF8'."
        )
    if facts["is_replica"] or facts["read_only"]:
        raise DatabaseUnfit(f"The database {name!r} is read-only here (a replica?): point DATABASE_URL to the primary.")
    if facts["owns_schema"] is None and not facts["may_create"]:
        raise DatabaseUnfit(f'The role {role!r} may not create schemas: grant create on database "{name}" to "{role}".')
    if facts["owns_schema"] is False:
        raise DatabaseUnfit(f"The schema {schema!r} belongs to another role than {role!r}: connect as its owner.")


def migrations(package: str) -> list[Migration]:
    """The files of `package`, in order; empty where it has none.

    Raises:
        ValueError: the numbers don't run 1, 2, 3.
    """
    folder = resources.files(package).joinpath("migrations")
    files = sorted(item.name for item in folder.iterdir()) if folder.is_dir() else []
    found = [
        Migration(number=int(match[1]), name=match[2], sql=folder.joinpath(name).read_text(encoding="utf-8"))
        for name in files
        if (match := _FILE.fullmatch(name))
    ]
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"The migrations of {package} must be numbered 0001, 0002, … without gaps: {files}")
    return found


async def _apply(connection: asyncpg.Connection, schema: str, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(f"set local search_path = {schema}")
        await connection.execute(migration.sql)
        await connection.execute(
            "insert into schema_migration (number, name, digest) values ($1, $2, $3)",
            migration.number,
            migration.name,
            migration.digest,
        )


async def _make_room(connection: asyncpg.Connection, schema: str) -> None:
    async with connection.transaction():
        if not await connection.fetchval("select true from pg_namespace where nspname = $1", schema):
            await connection.execute(f"create schema {schema}")
        await connection.execute(
            f"""create table if not exists {schema}.schema_migration (
                number integer primary key,
                name text not null,
                digest text not null,
                applied_at timestamptz not null default now()
            )"""
        )


def _refuse_newer(schema: str, applied: Sequence[int] | dict[int, asyncpg.Record], newest_of_ours: int) -> None:
    newest = max(applied, default=0)
    if newest > newest_of_ours:
        raise MigrationRefused(
            f"The schema {schema!r} was migrated to {newest:04} by a newer Autopilot, this one knows up to "
            f"{newest_of_ours:04}: update Autopilot, or restore a backup of the older one.",
            newest=newest,
        )


def _lock_key(schema: str) -> int:
    return zlib.crc32(schema.encode()) - 2**31


@contextlib.asynccontextmanager
async def _connected(database: Database) -> AsyncIterator[asyncpg.Connection]:
    if not isinstance(database, str):
        yield database
        return
    connection = await connect(database)
    try:
        yield connection
    finally:
        await connection.close()

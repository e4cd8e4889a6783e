"""Postgres for tests: one real cluster a session, a fresh migrated database a test.

Databases are copied from a template that was migrated once. The cluster is the embedded one (PG_BIN chooses other
programs) without fsync, in memory where the machine has room: a copy is some 700 files, which is 20 ms of work there
and twenty times as much on a disk. Only what is tested elsewhere, with its own cluster, needs the disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from autopilot.db.embedded import EmbeddedPostgres
from autopilot.db.migrate import migrate, migrations
from autopilot.db.rooms import ROOMS

SCHEMAS = ROOMS
"""Schema -> package of its migrations."""
TEMPLATE = "template_migrated"
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "min_wal_size": "32MB",
    "max_wal_size": "128MB",
}
MEMORY = Path("/dev/shm")  # noqa: S108 - each cluster makes a private folder of its own in it
ROOM_BYTES = 2 << 30
"""Free memory that several clusters side by side never need."""
PREFIX = "autopilot-test-"


@dataclass(slots=True)
class TestCluster:
    """A running cluster and its numbered databases."""

    __test__ = False  # pytest: not a test class

    admin_dsn: str
    dsn: str
    made: int = 0

    def dsn_of(self, database: str) -> str:
        """The owner's dsn of another database of this cluster."""
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{database}"))

    @contextlib.asynccontextmanager
    async def database(self, *, template: str = TEMPLATE) -> AsyncIterator[str]:
        """The dsn of a fresh copy of `template`, dropped at the end, connections or not."""
        self.made += 1
        name = f"test_{self.made}"
        await self._do(f"create database {name} template {template} strategy file_copy")
        try:
            yield self.dsn_of(name)
        finally:
            # As the superuser: Postgres 15 lets nobody else cut short an autovacuum that has just come by.
            await self._do(f"drop database {name} with (force)", self.admin_dsn)

    async def make_template(self) -> None:
        """Make TEMPLATE: a database with every schema that has migrations."""
        await self._do(f"create database {TEMPLATE}")
        for schema, package in SCHEMAS.items():
            if migrations(package):
                await migrate(self.dsn_of(TEMPLATE), schema, package)

    async def _do(self, statement: str, dsn: str | None = None) -> None:
        connection = await asyncpg.connect(dsn or self.dsn_of("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def running_cluster() -> AsyncIterator[TestCluster]:
    """A cluster in a temporary folder, with its template ready; gone at the end, also when this process is killed."""
    bin_dir = os.environ.get("PG_BIN")
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=_memory()) as home:
        server = EmbeddedPostgres(Path(home), bin_dir=Path(bin_dir) if bin_dir else None, settings=FAST)
        async with server:
            cluster = TestCluster(admin_dsn=server.admin_dsn, dsn=server.dsn)
            await cluster.make_template()
            yield cluster


def _memory() -> Path | None:
    """Where files are in memory; None: nowhere, or there is too little of it. What a killed process left goes."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ROOM_BYTES:
        return None
    for left in MEMORY.glob(f"{PREFIX}*-*"):
        if not Path("/proc", left.name.removeprefix(PREFIX).partition("-")[0]).exists():
            shutil.rmtree(left, ignore_errors=True)
    return MEMORY

"""Clusters of their own, with real durability, and processes that own one and can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from autopilot.db import cluster, leftovers
from autopilot.db.binaries import find_bin_dir
from autopilot.db.embedded import EmbeddedPostgres

PROGRAM = """
import asyncio, json, os, sys
from pathlib import Path
from autopilot.db.embedded import EmbeddedPostgres

async def main():
    bin_dir = os.environ.get("PG_BIN")
    server = EmbeddedPostgres(Path(sys.argv[1]), bin_dir=Path(bin_dir) if bin_dir else None)
    dsn = await server.start()
    print(json.dumps({"dsn": dsn, "server": server.process.pid, "owner": os.getpid()}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()
asyncio.run(main())
"""


@dataclass(slots=True)
class Owner:
    """Another process that owns a cluster."""

    process: asyncio.subprocess.Process
    dsn: str = ""
    server_pid: int = 0

    async def kill(self) -> None:
        self.process.kill()
        await self.process.wait()


Make = Callable[..., EmbeddedPostgres]


def bin_dir() -> Path | None:
    return Path(os.environ["PG_BIN"]) if "PG_BIN" in os.environ else None


def other_bin_dir() -> Path:
    """Programs of another major version: the wheel has Postgres 16 beside 18."""
    return find_bin_dir().parent.parent / "pginstall" / "bin"


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes EmbeddedPostgres objects; all are stopped at the end."""
    made: list[EmbeddedPostgres] = []

    def make(home: Path | None = None, **options: object) -> EmbeddedPostgres:
        made.append(EmbeddedPostgres(home or tmp_path / "home", **{"bin_dir": bin_dir(), **options}))
        return made[-1]

    yield make
    for server in made:
        await server.stop()


@contextlib.asynccontextmanager
async def owner(home: Path, *, ordinary: bool = False) -> AsyncIterator[Owner]:
    """A process that owns the cluster in `home`. `ordinary`: it is not root (in a namespace, if we are)."""
    arguments = [sys.executable, "-c", PROGRAM, str(home)]
    if ordinary:
        arguments = cluster.command(Path(sys.executable), *arguments[1:])
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Owner(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        assert process.stdin is not None
        process.stdin.close()


async def ready(running: Owner) -> Owner:
    """Wait until the cluster is up."""
    assert running.process.stdout is not None
    said = json.loads(await running.process.stdout.readline())
    running.dsn, running.server_pid = said["dsn"], said["server"]
    return running


async def run(dsn: str, *statements: str) -> object:
    """The last statement's first value."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await connection.execute(statement)
        return await connection.fetchval(statements[-1])
    finally:
        await connection.close()


async def until(true: Callable[[], bool]) -> None:
    """Wait for a fact about other processes, which nobody tells us."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.005)


async def until_gone(data: Path) -> None:
    """Wait until no Postgres works in `data`."""
    await until(lambda: not leftovers.processes_in(data))


def kill_all(data: Path) -> None:
    for pid in leftovers.processes_in(data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

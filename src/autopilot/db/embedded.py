"""Our own Postgres: a child in the foreground, behind a unix socket that only this user can reach.

Owns `<home>/postgres`, the owner lock, the socket and the server process. Relies on cluster.py for the data folder and
on leftovers.py to clear what a violent end left. Never listens on TCP, never trusts a connection without a password,
never outlives the thread that started it (launch.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

import asyncpg

from autopilot.db import binaries, cluster, leftovers, sockets
from autopilot.db.errors import ClusterFailed, ClusterRefused

log = logging.getLogger("autopilot.db")

OWNER = "autopilot"
"""The role that owns the database: not a superuser."""
START_PATIENCE_SECONDS = 600.0
"""Recovery after a crash replays at most `max_wal_size`; on a slow disk that takes minutes, and is no failure."""
SAY_SECONDS = 5.0
STOP_STEPS = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 3.0))
MAX_LOG_BYTES = 10_000_000
_POLL_SECONDS = 0.02


class EmbeddedPostgres:
    """The server of one AUTOPILOT_HOME. `start` and `stop` may be repeated; also an async context manager."""

    def __init__(
        self,
        home: Path,
        *,
        bin_dir: Path | None = None,
        database: str = "autopilot",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`settings` are added to (or replace) those of cluster.SETTINGS, by their names in postgresql.conf."""
        self.home = home.absolute()
        self.data = self.home / "postgres"
        self.database = database
        self.process: asyncio.subprocess.Process | None = None
        self._bin_dir = bin_dir
        self._settings = {**cluster.SETTINGS, **(settings or {})}
        self._lock: IO[str] | None = None
        self._socket_dir: Path | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def dsn(self) -> str:
        """How the programs connect: as the owner of the database."""
        return self._dsn(OWNER, self.database)

    @property
    def admin_dsn(self) -> str:
        """How databases and roles are made: as the cluster's superuser."""
        return self._dsn(cluster.ADMIN, "postgres")

    async def start(self) -> str:
        """Bring the server up, whatever the last end was like, and return the owner's dsn.

        Raises:
            ClusterRefused: another process owns it; another version made it; there are no programs to run.
            ClusterFailed: initdb or the server failed, or recovery took longer than START_PATIENCE_SECONDS.
        """
        if self.process is not None and self.process.returncode is None:
            return self.dsn
        self._take()
        try:
            await self._bring_up()
        except BaseException:
            await self.stop()
            raise
        return self.dsn

    async def stop(self) -> None:
        """End the server (open connections are cut) and let go of the folder. Bounded by STOP_STEPS."""
        process, self.process = self.process, None
        if process is not None:
            for number, patience_seconds in STOP_STEPS:
                if process.returncode is not None:
                    break
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience_seconds):
                        await process.wait()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _take(self) -> None:
        """Become the one owner; the kernel takes the lock back when this process ends, however it does."""
        for folder in (self.home, self.home / "run", self.home / "secrets", self.home / "logs"):
            sockets.private_dir(folder)
        if self._lock is not None:
            return
        lock = (self.home / "run" / "postgres.lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise ClusterRefused(
                f"The database in {self.data} is in use by another Autopilot (process {owner}): "
                "stop that one, or set AUTOPILOT_HOME to another folder.",
                pid=owner,
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    async def _bring_up(self) -> None:
        bin_dir = binaries.find_bin_dir(self._bin_dir)
        ours = binaries.major_version(bin_dir)
        secrets_dir = self.home / "secrets"
        await cluster.remove_half_made(self.data)
        if self.data.exists():
            cluster.check_version(self.data, ours)
            if not (secrets_dir / cluster.ADMIN).exists():
                raise ClusterRefused(
                    f"The password {secrets_dir / cluster.ADMIN} of {self.data} is gone: bring it back."
                )
            await leftovers.end_processes(self.data)
        else:
            cluster.password(secrets_dir, cluster.ADMIN)
            durable = self._settings.get("fsync") != "off"
            await cluster.create(self.data, bin_dir, secrets_dir / cluster.ADMIN, durable=durable)
        self._socket_dir = sockets.socket_dir(self.home / "run")
        leftovers.remove_stale_files(self.data, self._socket_dir)
        await self._spawn(bin_dir, self._socket_dir)
        await self._prepare_database()

    async def _spawn(self, bin_dir: Path, socket_dir: Path) -> None:
        quoted = '"' + str(socket_dir).replace('"', '""') + '"'
        settings = {**self._settings, "unix_socket_directories": quoted, "port": str(sockets.PORT)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._open_log() as output:
            self.process = await asyncio.create_subprocess_exec(
                *cluster.command(bin_dir / "postgres", "-D", str(self.data), *options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=cluster.environment(),
                start_new_session=True,  # Ctrl-C in the terminal is for us: the server goes last
            )

    def _open_log(self) -> IO[bytes]:
        path = self.log_file
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.rename(path.with_suffix(".log.1"))
        output = path.open("ab")
        self._log_start = output.tell()
        return output

    @property
    def log_file(self) -> Path:
        """What the server says, appended to at every start."""
        return self.home / "logs" / "postgres.log"

    async def _prepare_database(self) -> None:
        connection = await self._first_connection()
        try:
            password = cluster.password(self.home / "secrets", OWNER)
            exists = await connection.fetchval("select true from pg_roles where rolname = $1", OWNER)
            verb = "alter" if exists else "create"
            await connection.execute(f"{verb} role {OWNER} login nosuperuser createdb password '{password}'")
            if not await connection.fetchval("select true from pg_database where datname = $1", self.database):
                await connection.execute(f'create database "{self.database}" owner {OWNER}')
        finally:
            await connection.close()

    async def _first_connection(self) -> asyncpg.Connection:
        """Wait until the server takes connections, saying now and then why that takes long."""
        assert self.process is not None
        began = said = time.monotonic()
        while True:
            if self.process.returncode is not None:
                raise ClusterFailed(f"Postgres did not start: {self._last_words()}", exit=self.process.returncode)
            try:
                return await asyncpg.connect(self.admin_dsn, timeout=10)
            except asyncpg.InvalidPasswordError as error:
                file = self.home / "secrets" / cluster.ADMIN
                raise ClusterRefused(f"{file} does not open {self.data}: bring the right password back.") from error
            except (OSError, TimeoutError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError) as error:
                now = time.monotonic()
                if now - began > START_PATIENCE_SECONDS:
                    raise ClusterFailed(f"Postgres took too long to start: {self._last_words()}") from error
                if now - said > SAY_SECONDS:
                    said = now
                    log.warning("Postgres is not ready after %.0f s, probably recovering: %s", now - began, error)
            await asyncio.sleep(_POLL_SECONDS)

    def _last_words(self) -> str:
        with self.log_file.open("rb") as said:
            said.seek(max(self._log_start, self.log_file.stat().st_size - 2000))
            return said.read().decode(errors="replace").strip()

    def _dsn(self, user: str, database: str) -> str:
        if self._socket_dir is None:
            raise ClusterRefused("The embedded Postgres has not been started.")
        word = cluster.password(self.home / "secrets", user)
        return f"postgresql://{user}:{word}@/{database}?host={quote(str(self._socket_dir))}&port={sockets.PORT}"

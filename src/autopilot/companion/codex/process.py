"""Codex's app-server as a process: start it, find the living one again, end it.

Owns the pid file, the socket and the log of the app-server in the run folder. The app-server gets a session of its own,
so that a companion that dies does not end the user's turn; the next companion adopts it by pid and start time.
Never talks to Codex.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog

from autopilot.companion import processes, whole_file
from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.messages import CodexUnavailable
from autopilot.ops.clock import Clock

READY_SECONDS = 15.0
POLL_SECONDS = 0.02
TERM_SECONDS = 1.0
"""Codex ends within 50 ms of SIGTERM; after this it is killed."""
KILL_SECONDS = 2.0
MAX_NAMES = 8
LOG_BYTES = 8 * 1024 * 1024
"""A longer log is put aside at the next start (one generation is kept)."""
ONCE_RECORDED = ("/bin/sh", "-c", 'read -r go && exec "$@" </dev/null', "codex")
"""Runs what follows in its own place, with its own pid, once it is told a line; not at all where whoever started it
dies before. So none lives that no record names: nobody would find it, and its socket would be in the way for ever."""

log = structlog.get_logger(__name__)


class Record(msgspec.Struct, frozen=True):
    """What the pid file says about the app-server we started."""

    pid: int
    started: str
    """The operating system's start time of that pid: tells it from a later process with the same number."""
    incarnation: str
    """Ours, new for every app-server process."""
    fingerprint: str
    """What it was started with; another one means that it must not be adopted."""
    version: str
    was: tuple[str, ...] = ()
    """Under what names it asked companions that lost their file; the last ones, until its questions were asked anew."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start the app-server."""

    binary: CodexBinary
    codex_home: Path
    run_dir: Path
    log_path: Path
    environ: Mapping[str, str]
    arguments: tuple[str, ...] = ()
    mark: str = ""
    """Anything else that makes it another one: what its config says, for example."""

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.run_dir / "codex.sock"

    @property
    def pid_file(self) -> Path:
        """Where its record is kept."""
        return self.run_dir / "codex.json"

    @property
    def fingerprint(self) -> str:
        """Changes when a running app-server would not be the one that we want."""
        return "|".join((str(self.codex_home), self.mark, *self.arguments))


class AppServer:
    """The one app-server of this companion."""

    def __init__(self, launch: Launch, clock: Clock) -> None:
        self.launch = launch
        self._clock = clock
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        """Of whoever starts or ends it, or writes its record: a stop must not forget whom somebody just started."""
        self.record: Record | None = None

    async def ensure(self) -> bool:
        """Have it running; True when it was started now, False when a living one was found.

        Raises:
            CodexUnavailable: it does not start, or another one is in its place and can't be ended.
        """
        async with self._turn:
            return await self._ensure()

    async def _ensure(self) -> bool:
        if self.alive:
            return False
        self.record = await asyncio.to_thread(self._read_record)
        if self.record is not None and self.alive:
            if self.record.fingerprint == self.launch.fingerprint:
                # Also one of another version: an update must not end the user's turn. The next start takes the new one.
                log.info("codex.adopted", pid=self.record.pid, version=self.record.version)
                return False
            log.info("codex.replaced", pid=self.record.pid, was=self.record.fingerprint)
            await self._stop()
            if self.alive:
                raise CodexUnavailable(f"process {self.record.pid} was started otherwise, and can't be ended")
        await self._start()
        return True

    @property
    def alive(self) -> bool:
        """Whether the process of the record still runs, or what is left of its group.

        The user's `codex` may be a script that starts the real one: where the script is gone, the real one may live.
        """
        return self.record is not None and _lives(self.record)

    async def living(self) -> bool:
        """Whether one that we, or an earlier companion, started still runs; whatever it was started with."""
        record = self.record or await asyncio.to_thread(self._read_record)
        return record is not None and _lives(record)

    async def rename(self) -> None:
        """Give one that an earlier companion left running another incarnation, and keep the former one.

        For a companion that has lost its file: it does not know what was asked, answered or said under that name.
        """
        record = await asyncio.to_thread(self._read_record)
        if record is None or not _lives(record):
            return
        was = (*record.was, record.incarnation)[-MAX_NAMES:]
        renamed = msgspec.structs.replace(record, incarnation=uuid.uuid4().hex[:16], was=was)
        await self._keep(renamed)
        log.warning("codex.renamed", pid=record.pid, was=record.incarnation, now=renamed.incarnation)

    async def former_names(self) -> tuple[str, ...]:
        """What the one that runs was called by companions that lost their file: what it asked them may be open yet."""
        record = await asyncio.to_thread(self._read_record)
        return record.was if record is not None and _lives(record) else ()

    async def forget_names(self) -> None:
        """What was asked under its former names is closed, and asked anew."""
        async with self._turn:
            if self.record is not None and self.record.was:
                self.record = msgspec.structs.replace(self.record, was=())
                await self._keep(self.record)

    async def _keep(self, record: Record) -> None:
        await asyncio.to_thread(whole_file.replace, self.launch.pid_file, msgspec.json.encode(record))

    async def stop(self) -> None:
        """End it and everything in its process group; bounded by `TERM_SECONDS` + `KILL_SECONDS`.

        One that lives on nevertheless keeps its record: whoever comes next has to know of it.
        """
        async with self._turn:
            await self._stop()

    async def _stop(self) -> None:
        record = self.record
        if record is None:
            return
        ended_by = None
        for number, seconds in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            if not self.alive:
                break
            ended_by = number.name
            with contextlib.suppress(ProcessLookupError):
                os.killpg(record.pid, number)
            await self._gone_within(seconds)
        if self.alive:
            log.error("codex.not_stopped", pid=record.pid, ended_by=ended_by)
            return
        log.info("codex.stopped", pid=record.pid, alive=False, ended_by=ended_by)
        await asyncio.to_thread(self.launch.pid_file.unlink, missing_ok=True)
        self.record = None
        self._child = None

    async def _start(self) -> None:
        try:
            self._child = await self._waiting()
        except OSError as error:
            raise CodexUnavailable(f"{self.launch.binary.path} can't be run: {error}") from error
        assert self._child.stdin is not None
        try:
            record = Record(
                pid=self._child.pid,
                started=start_time(self._child.pid) or "",
                incarnation=uuid.uuid4().hex[:16],
                fingerprint=self.launch.fingerprint,
                version=self.launch.binary.version,
            )
            await self._keep(record)
            self.record = record
            self._child.stdin.write(b"go\n")
        except OSError as error:
            raise CodexUnavailable(f"{self.launch.pid_file} can't be written: {error}") from error
        finally:
            self._child.stdin.close()
        log.info("codex.started", pid=self._child.pid, version=self.launch.binary.version)
        await self._listening()

    async def _waiting(self) -> asyncio.subprocess.Process:
        """The process that is to be Codex.

        Raises:
            OSError: there is none.
        """
        output = await asyncio.to_thread(self._prepare_files)
        try:
            return await asyncio.create_subprocess_exec(
                *ONCE_RECORDED,
                self.launch.binary.path,
                *(*self.launch.arguments, "app-server", "--listen", f"unix://{self.launch.socket}"),
                env={**self.launch.environ, "CODEX_HOME": str(self.launch.codex_home)},
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            output.close()

    async def _listening(self) -> None:
        """Wait until the socket is there."""
        deadline = self._clock.monotonic() + READY_SECONDS
        while not self.launch.socket.exists():
            if not self.alive:
                raise CodexUnavailable(f"Codex ended at its start; its words are in {self.launch.log_path}")
            if self._clock.monotonic() > deadline:
                raise CodexUnavailable(f"Codex does not listen after {READY_SECONDS:g} s")
            await self._clock.sleep(POLL_SECONDS)

    async def _gone_within(self, seconds: float) -> None:
        deadline = self._clock.monotonic() + seconds
        while self.alive and self._clock.monotonic() < deadline:
            await self._clock.sleep(POLL_SECONDS)

    def _prepare_files(self) -> BinaryIO:
        """Its folders, and the log to write to."""
        self.launch.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.launch.codex_home.mkdir(parents=True, exist_ok=True)
        self.launch.log_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The dead one's socket; Codex would replace it, but its presence must mean that the new one listens.
        self.launch.socket.unlink(missing_ok=True)
        if self.launch.log_path.exists() and self.launch.log_path.stat().st_size > LOG_BYTES:
            self.launch.log_path.replace(self.launch.log_path.with_suffix(".1"))
        return self.launch.log_path.open("ab")

    def _read_record(self) -> Record | None:
        try:
            return msgspec.json.decode(self.launch.pid_file.read_bytes(), type=Record)
        except (OSError, msgspec.DecodeError):
            return None


def _lives(record: Record) -> bool:
    started = start_time(record.pid)
    return started == record.started or (started is None and processes.group_lives(record.pid))


def start_time(pid: int) -> str | None:
    """When the process with this pid was started, by the operating system's account; None: none runs (or a zombie)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _start_time_by_ps(pid)
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _start_time_by_ps(pid: int) -> str | None:
    import subprocess  # noqa: PLC0415  # only where there is no /proc (macOS)

    told = subprocess.run(  # noqa: S603  # a fixed command with a number
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return told[1].strip() if len(told) > 1 and not told[0].startswith("Z") else None


def child_environment(environ: Mapping[str, str], codex_home: Path, scratch: Path) -> dict[str, str]:
    """The environment of Codex: the companion's, without its secrets, and with a fitting TMPDIR.

    Codex refuses to make its sandbox helpers when CODEX_HOME lies below the temporary folder, and then every sandboxed
    command fails; such a Codex gets `scratch` as its temporary folder.
    """
    ours = ("OPENAGENTS_", "AUTOPILOT_", "DATABASE_URL")
    kept = {name: value for name, value in environ.items() if not name.startswith(ours)}
    temporary = Path(environ.get("TMPDIR") or tempfile.gettempdir())
    if codex_home.resolve().is_relative_to(temporary.resolve()):
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept["TMPDIR"] = str(scratch)
    return kept

"""What a killed server leaves behind, and clearing it away: processes, sockets, lock files.

Relies on the caller holding the cluster's owner lock, so that any server found on the folder has lost its owner.
A process is taken for ours only if it runs as the same user as we do and works in exactly this data folder.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from autopilot.db.errors import ClusterRefused

log = logging.getLogger("autopilot.db")

_POLL_SECONDS = 0.05
GENTLY = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
"""Fast shutdown, immediate shutdown, the end; and how many seconds each may take."""
AT_ONCE = ((signal.SIGKILL, 5.0),)
"""For what works on data that nobody will want."""


def processes_in(data: Path) -> list[int]:
    """Pids of live Postgres processes that work in `data`: the server, or its children after its violent end."""
    if sys.platform == "linux":
        return _processes_by_proc(data)
    return _server_by_pid_file(data)


def _processes_by_proc(data: Path) -> list[int]:
    wanted = str(data.resolve())
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            ours = entry.stat().st_uid == os.geteuid() and str((entry / "cwd").readlink()) == wanted
            if ours and (entry / "exe").readlink().name.startswith(("postgres", "initdb")):
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile, or is nobody's business of ours
            continue
    return found


def _server_by_pid_file(data: Path) -> list[int]:
    """Without /proc: the pid that the server wrote, if `ps` says that it is a postgres of this folder and user."""
    try:
        pid = int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return []
    said = subprocess.run(  # noqa: S603 - fixed program and a number
        ["/bin/ps", "-ww", "-o", "uid=,command=", "-p", str(pid)], capture_output=True, check=False, text=True
    ).stdout.split(None, 1)
    is_ours = len(said) > 1 and said[0] == str(os.geteuid()) and f"postgres -D {data} " in said[1]
    return [pid] if is_ours else []


async def end_processes(data: Path, steps: Sequence[tuple[int, float]] | None = None) -> None:
    """End every process of `processes_in`, by `steps` (default GENTLY). A server without an owner serves nobody.

    Raises:
        ClusterRefused: one did not even end by SIGKILL.
    """
    for number, patience_seconds in steps or GENTLY:
        if not _signal_all(data, number):
            return
        log.warning("ending a server that lost its owner with %s", signal.Signals(number).name)
        if await _wait_until(lambda: not processes_in(data), patience_seconds):
            return
    raise ClusterRefused(f"Processes {processes_in(data)} still hold {data} and can't be ended.")


def _signal_all(data: Path, number: int) -> bool:
    pids = processes_in(data)
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
    return bool(pids)


async def _wait_until(done: Callable[[], bool], patience_seconds: float) -> bool:
    deadline = time.monotonic() + patience_seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def remove_stale_files(data: Path, socket_dir: Path) -> None:
    """Remove pid file, sockets and socket locks: their pids may by now be those of strangers, who would be believed."""
    (data / "postmaster.pid").unlink(missing_ok=True)
    for path in socket_dir.glob(".s.PGSQL.*"):
        path.unlink(missing_ok=True)

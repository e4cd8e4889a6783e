"""The processes that a thread's commands started, wherever they have gone, and their ending.

Codex marks the environment of every command with the thread it belongs to; a child that forks, leaves its group and
session and is left by its parent still carries it. Added are the descendants of what is marked, and what shares a
group or session with it, for children whose environment was cleaned. Only Linux tells (`/proc`); elsewhere nothing is
found, and that is said. What is found is named by pid and start time, so that a later process with the same number is
never touched. Never touches this process, its ancestors, or those it is told to spare.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
MARKS = (b"CODEX_THREAD_ID=", b"CODEX_SESSION_ID=")
"""The thread itself, and the one it belongs to: a sub-agent's commands are its parent's."""
MAX_COMMAND = 300


@dataclass(frozen=True, slots=True)
class Process:
    """One process, as the operating system tells of it."""

    pid: int
    started: str
    """Its start time; with the pid, its identity."""
    parent: int
    group: int
    session: int

    @property
    def lives(self) -> bool:
        """Whether this very process still runs."""
        now = _read(self.pid)
        return now is not None and now.started == self.started

    @property
    def command(self) -> str:
        """Its command line, cut to a length that a log can bear; empty where it is gone."""
        with contextlib.suppress(OSError):
            words = (PROC / str(self.pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            return words.strip()[:MAX_COMMAND]
        return ""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process; nothing where it is gone.

        Raises:
            PermissionError: it is somebody else's.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.lives:  # looked at while the handle keeps the number from being given to another
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            pass
        finally:
            os.close(handle)


def can_be_seen() -> bool:
    """Whether this system tells of processes."""
    return (PROC / "self" / "stat").exists()


def group_lives(number: int) -> bool:
    """Whether a process of this group still runs; where we can see, the dead that wait for their parent don't count."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return not can_be_seen() or any(process.group == number for process in _all())


def of_thread(thread_id: str, spare: Collection[int] = ()) -> list[Process]:
    """All that this thread's commands started and that still lives, oldest first; blocks for some milliseconds."""
    table = {process.pid: process for process in _all()}
    spared = _lineage(table, {os.getpid(), *spare})
    marks = frozenset(mark + thread_id.encode() for mark in MARKS)
    found = {pid for pid in table.keys() - spared if _carries(pid, marks)}
    while found:
        more = {pid for pid in table.keys() - spared - found if _belongs(table, table[pid], found, spared)}
        if not more:
            break
        found |= more
    return sorted((table[pid] for pid in found), key=lambda process: (int(process.started), process.pid))


def _belongs(table: dict[int, Process], process: Process, found: set[int], spared: set[int]) -> bool:
    """Whether it is a child of what was found, or in a group or session that only what was found can have made."""
    return process.parent in found or any(
        _made_by(table, found, spared, number, kind)
        for number, kind in ((process.session, _session), (process.group, _group))
    )


def _made_by(
    table: dict[int, Process], found: set[int], spared: set[int], number: int, kind: Callable[[Process], int]
) -> bool:
    """Whether the group or session of this number was made by one of `found`: its leader is one, or is gone."""
    if number in table and number not in found:
        return False
    if any(kind(table[pid]) == number for pid in spared if pid in table):
        return False
    return any(kind(table[pid]) == number for pid in found)


def _group(process: Process) -> int:
    return process.group


def _session(process: Process) -> int:
    return process.session


def _lineage(table: dict[int, Process], pids: Iterable[int]) -> set[int]:
    """These and all their ancestors."""
    spared: set[int] = set()
    for pid in pids:
        while pid in table and pid not in spared:
            spared.add(pid)
            pid = table[pid].parent  # noqa: PLW2901  # climbing is what the loop is for
    return spared


def _all() -> Iterable[Process]:
    for entry in PROC.iterdir() if can_be_seen() else ():
        process = _read(int(entry.name)) if entry.name.isdigit() else None
        if process is not None:
            yield process


def _read(pid: int) -> Process | None:
    """None: there is none, or only what its parent has not asked about yet."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return Process(pid, started=fields[19], parent=int(fields[1]), group=int(fields[2]), session=int(fields[3]))


def _carries(pid: int, marks: frozenset[bytes]) -> bool:
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return any(mark in environment for mark in marks) and not marks.isdisjoint(environment.split(b"\0"))

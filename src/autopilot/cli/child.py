"""A process of our own program as a service of the supervisor, and the promise that it never outlives it.

Owns starting `autopilot <command>` as a child: its environment, its log file, the sockets it inherits. The child's
standard output is this terminal's (what it prints is for the person there), its standard error is its log. Its standard
input is a pipe that nobody writes to: when the supervisor dies, however it dies, the pipe ends and the child with it.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

LARGEST_LOG_BYTES = 32 << 20
"""A log that is longer when its process starts becomes `<name>.1`, in place of the one before it."""
SUPERVISED = "--supervised"
"""Tells a child that its standard input is the supervisor's pipe."""


@dataclass(slots=True, kw_only=True)
class Child:
    """`autopilot <arguments>` in a process of its own."""

    name: str
    arguments: Sequence[str]
    environ: Mapping[str, str]
    log_file: Path
    pass_fds: Sequence[int] = ()
    stop_within_seconds: float = 1.0
    process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Start the process; it writes its log at the end of `log_file`."""
        with open_log(self.log_file) as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "autopilot.cli",
                *self.arguments,
                SUPERVISED,
                stdin=asyncio.subprocess.PIPE,
                stderr=log,
                env=self.environ,
                pass_fds=tuple(self.pass_fds),
                start_new_session=True,  # Ctrl-C in the terminal reaches the supervisor, which stops things in order
            )

    async def wait(self) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None, "started before it is waited for"
        return await self.process.wait()

    async def stop(self) -> None:
        """SIGTERM, and wait."""
        self._signal(signal.SIGTERM)
        await self.wait()

    async def kill(self) -> None:
        """SIGKILL, and wait."""
        self._signal(signal.SIGKILL)
        await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)


def open_log(path: Path) -> BinaryIO:
    """Open a log at its end, private to the owner; one that grew too long is set aside first."""
    if path.exists() and path.stat().st_size > LARGEST_LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")  # noqa: PTH123  the mode matters


def open_log_text(path: Path) -> TextIO:
    """The same for lines of text, each written at once."""
    return io.TextIOWrapper(open_log(path), encoding="utf-8", line_buffering=True, write_through=True)


def die_with_supervisor() -> None:
    """In a child: end at once when the supervisor is gone.

    Without asking (SIGKILL): a clean stop of the companion would end Codex, whose turn is to go on.
    """
    threading.Thread(target=_wait_for_the_end, args=(sys.stdin.fileno(),), name="supervisor", daemon=True).start()


def _wait_for_the_end(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)

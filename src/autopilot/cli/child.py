"""A process of our own program as a service of the supervisor, and the promise that it never outlives it.

Owns starting `autopilot <command>` as a child: its environment, its log file, the sockets it inherits. The child's
standard output is this terminal's (what it prints is for the person there), its standard error is its log. Its standard
input is the supervisor's pipe. Over it comes one line, the settings that were not known at the start or are secrets, so
that a child imports while the database still starts, and no secret stands in a process's environment. When the
supervisor dies, however it dies, the pipe ends and the child with it. A child that may have to ask its supervisor for
something gets a second pipe, for words in the other direction, one a line.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO

LARGEST_LOG_BYTES = 32 << 20
"""A log that is longer when its process starts becomes `<name>.1`, in place of the one before it."""
MOST_SETTINGS_BYTES = 1 << 16
MOST_WORDS_BYTES = 1 << 12
WORDS_FD = "SUPERVISOR_WORDS_FD"
"""In a child's environment: the pipe for its words, where its supervisor listens."""
SUPERVISED = "--supervised"
"""Tells a child that its standard input is the supervisor's pipe."""


@dataclass(slots=True, kw_only=True)
class Child:
    """`autopilot <arguments>` in a process of its own."""

    name: str
    arguments: Sequence[str]
    environ: Mapping[str, str]
    settings: Callable[[], Awaitable[Mapping[str, str]]]
    """Awaited once the process is started: more of its environment, handed over apart from it."""
    log_file: Path
    pass_fds: Sequence[int] = ()
    stop_within_seconds: float = 1.0
    heard: Callable[[str], None] | None = None
    """Called with each word of the child's (`tell_supervisor`); None: nobody listens."""
    process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Start the process; it writes its log at the end of `log_file`. One that gets no settings is ended again."""
        with open_log(self.log_file) as log, self._listening() as words:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "autopilot.cli",
                *self.arguments,
                SUPERVISED,
                stdin=asyncio.subprocess.PIPE,
                stderr=log,
                env={**self.environ, **({WORDS_FD: str(words[0])} if words else {})},
                pass_fds=(*self.pass_fds, *words),
                start_new_session=True,  # Ctrl-C in the terminal reaches the supervisor, which stops things in order
            )
        try:
            await self._hand_over(await self.settings())
        except BaseException:  # ended here: whoever called knows of no child
            await self.kill()
            raise

    async def _hand_over(self, settings: Mapping[str, str]) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):  # it has ended already: `wait` says so
            self.process.stdin.write(json.dumps(dict(settings)).encode() + b"\n")
            await self.process.stdin.drain()

    @contextlib.contextmanager
    def _listening(self) -> Iterator[tuple[int, ...]]:
        """What the child inherits to be heard by; listened to from then on, until its end closes it."""
        if self.heard is None:
            yield ()
            return
        ours, childs = os.pipe()
        os.set_blocking(ours, False)
        asyncio.get_running_loop().add_reader(ours, self._hear, ours, self.heard)
        try:
            yield (childs,)
        finally:
            os.close(childs)

    @staticmethod
    def _hear(ours: int, heard: Callable[[str], None]) -> None:
        said = os.read(ours, MOST_WORDS_BYTES)  # a word is written at once, and shorter than a pipe may divide
        for word in said.decode(errors="replace").splitlines():
            heard(word)
        if not said:
            asyncio.get_running_loop().remove_reader(ours)
            os.close(ours)

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


def settings_of_supervisor() -> dict[str, str]:
    """In a child: wait for the settings that the supervisor hands over, and from then on end when it is gone.

    Without asking (SIGKILL): a clean stop of the companion would end Codex, whose turn is to go on.
    """
    descriptor = sys.stdin.fileno()
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(descriptor, MOST_SETTINGS_BYTES)
        if not piece:
            os.kill(os.getpid(), signal.SIGKILL)
        line += piece
    threading.Thread(target=_wait_for_the_end, args=(descriptor,), name="supervisor", daemon=True).start()
    return dict(json.loads(line))


def tell_supervisor(environ: Mapping[str, str]) -> Callable[[str], None]:
    """In a child: what takes a word to the supervisor; nowhere, where none listens."""
    number = environ.get(WORDS_FD)
    if number is None:
        return lambda _word: None
    descriptor = int(number)
    os.set_inheritable(descriptor, False)  # Codex outlives us: it must not hold the pipe

    def tell(word: str) -> None:
        with contextlib.suppress(OSError):  # a supervisor that is gone ends us in a moment
            os.write(descriptor, f"{word}\n".encode())

    return tell


def _wait_for_the_end(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGKILL)

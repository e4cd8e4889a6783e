"""Codex's own terminal program in a tmux of the test's: typed into, and its screen read."""

from __future__ import annotations

import asyncio
import shlex
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.companion.installation import PATIENCE_SECONDS

from autopilot.companion.codex.process import Launch

COLUMNS, LINES = 120, 45
LOOK_SECONDS = 0.1
PRESS_SECONDS = 1.0
"""A key pressed right behind a pasted text counts as a part of it: it is pressed again."""


@dataclass
class Terminal:
    """One program on one screen."""

    socket: Path

    async def screen(self) -> str:
        return await self._tmux("capture-pane", "-p")

    async def shows(self, words: str) -> str:
        """The screen, once these words are on it."""
        return await self._until(lambda screen: words in screen)

    async def shows_no_more(self, words: str) -> str:
        return await self._until(lambda screen: words not in screen)

    async def say(self, text: str, *, until: Callable[[], bool]) -> None:
        """Type a message and send it off; `until` tells that it has gone."""
        await self._tmux("send-keys", "-l", text)
        await self.shows(text[:20])
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not until():
                await self._tmux("send-keys", "Enter")
                await asyncio.sleep(PRESS_SECONDS)

    async def _until(self, fits: Callable[[str], bool]) -> str:
        screen = ""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not fits(screen := await self.screen()):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise AssertionError(f"not on the screen in time:\n{screen}") from None
        return screen

    async def _tmux(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *("tmux", "-S", str(self.socket), "-f", "/dev/null", *arguments), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return output.decode()


@asynccontextmanager
async def terminal_of(launch: Launch, project: Path, *arguments: str) -> AsyncIterator[Terminal]:
    """Codex's terminal program, started in `project`, which it trusts; ended with its screen."""
    _trust(launch.codex_home, project)
    environ = {**launch.environ, "CODEX_HOME": str(launch.codex_home), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    command = shlex.join(
        ["env", "-i", *(f"{name}={value}" for name, value in environ.items()), str(launch.binary.path), *arguments]
    )
    size = ("-x", str(COLUMNS), "-y", str(LINES))
    with tempfile.TemporaryDirectory(prefix="tmux-") as folder:  # a socket's path has at most 107 bytes
        terminal = Terminal(Path(folder) / "screen")
        await terminal._tmux("new-session", "-d", *size, "-c", str(project), command)
        try:
            await terminal.shows("Ask Codex to do anything")
            yield terminal
        finally:
            await terminal._tmux("kill-server")


def _trust(codex_home: Path, project: Path) -> None:
    with (codex_home / "config.toml").open("a") as config:
        config.write(f'\n[projects."{project}"]\ntrust_level = "trusted"\n')

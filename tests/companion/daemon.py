"""A shared Codex daemon as the user's own programs start it, by hand: `codex app-server --listen unix://`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from tests.companion.installation import FULL_ACCESS, PATIENCE_SECONDS

from autopilot.companion.codex.connection import Connection, open_connection
from autopilot.companion.codex.messages import CodexUnavailable, Message
from autopilot.companion.codex.process import Launch
from autopilot.ops.clock import SystemClock
from autopilot.testing.model import script

LOOK_SECONDS = 0.02


@dataclass
class Daemon:
    """One that runs; its process group is the test's to end."""

    process: asyncio.subprocess.Process
    socket: Path

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def terminate(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            os.killpg(self.process.pid, number)
            await self.process.wait()


class Client:
    """Another program at an app-server: a terminal's, say."""

    def __init__(self, connection: Connection, said: list[Message]) -> None:
        self.connection = connection
        self.said = said

    async def start_thread(self, project: Path, **more: Any) -> str:
        told = await self.connection.call("thread/start", {"cwd": str(project), **FULL_ACCESS, **more})
        return msgspec.json.decode(told)["thread"]["id"]

    async def turn(self, thread_id: str, *steps: dict[str, Any]) -> str:
        params = {"threadId": thread_id, "input": [{"type": "text", "text": script(*steps)}]}
        return msgspec.json.decode(await self.connection.call("turn/start", params))["turn"]["id"]

    async def heard(self, method: str, times: int = 1) -> Message:
        """The last of so many messages of this method."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found := [one for one in self.said if one.method == method]) < times:  # noqa: ASYNC110  # a list
                await asyncio.sleep(LOOK_SECONDS)
        return found[-1]


async def start_daemon(launch: Launch) -> Daemon:
    """Start it, and wait until it answers."""
    socket = launch.codex_home / "app-server-control" / "app-server-control.sock"
    environ = {**launch.environ, "CODEX_HOME": str(launch.codex_home)}
    with launch.log_path.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(launch.binary.path, "app-server", "--listen", "unix://"),
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    daemon = Daemon(process, socket)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                connection = await open_connection(socket, _ignore, clock=SystemClock())
            except CodexUnavailable:
                await asyncio.sleep(LOOK_SECONDS)
            else:
                await connection.close()
                return daemon


@asynccontextmanager
async def daemon_of(launch: Launch) -> AsyncIterator[Daemon]:
    """One for the length of a block."""
    daemon = await start_daemon(launch)
    try:
        yield daemon
    finally:
        await daemon.kill()


@asynccontextmanager
async def client_of(socket: Path) -> AsyncIterator[Client]:
    """A connection of another program's."""
    said: list[Message] = []

    async def hear(message: Message) -> None:
        said.append(message)

    connection = await open_connection(socket, hear, clock=SystemClock())
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(connection.run())
        await connection.initialize("0")
        try:
            yield Client(connection, said)
        finally:
            await connection.close()
            await reading


async def _ignore(_message: Message) -> None:
    return None

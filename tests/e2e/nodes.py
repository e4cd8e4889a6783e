"""Several API processes over one runtime process and one database: each a process of its own, on a real socket.

The listening sockets are this test's own and handed down: a node that was killed comes back at the same address, and
whoever calls it meanwhile waits, as behind a proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx2
from tests.e2e.installation import environment
from tests.waiting import until

from autopilot.db.pool import open_pool

END_SECONDS = 20


@dataclass
class Node:
    """One process: `autopilot api` or `autopilot runtime`."""

    kind: str
    sock: socket.socket
    environ: dict[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = field(default=None)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.sock.getsockname()[1]}"

    async def start(self) -> None:
        """Start it, and wait until it is ready."""
        words = (sys.executable, "-m", "autopilot.cli", self.kind, "--fd", str(self.sock.fileno()))
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ,
                pass_fds=[self.sock.fileno()],
            )
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
            await until(lambda: self._is_ready(client))

    async def _is_ready(self, client: httpx2.AsyncClient) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, self.log.read_text()[-2000:]
        with contextlib.suppress(httpx2.HTTPError):
            return (await client.get(f"{self.url}/healthz")).status_code == 200
        return False

    async def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def end(self) -> None:
        """SIGTERM, and if that does not help SIGKILL."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            async with asyncio.timeout(END_SECONDS):
                await self.process.wait()
        except TimeoutError:
            await self.kill()


@dataclass
class Nodes:
    """A runtime and APIs before it."""

    runtime: Node
    apis: list[Node]
    api_pool: asyncpg.Pool
    pool: asyncpg.Pool
    """Of the runtime's schema."""
    environ: dict[str, str]


@asynccontextmanager
async def running_nodes(dsn: str, folder: Path, apis: int, **settings: str) -> AsyncIterator[Nodes]:
    """All of them ready, over this database; ended at the end. `settings`: what else they find in their environment."""
    environ = environment(folder, DATABASE_URL=dsn, AUTOPILOT_LOG_FORMAT="json", **settings)
    async with AsyncExitStack() as stack:

        def node(kind: str, name: str) -> Node:
            made = Node(kind, stack.enter_context(_listening()), environ, folder / f"{name}.log")
            stack.push_async_callback(made.end)
            return made

        runtime = node("runtime", "runtime")
        environ["AUTOPILOT_RUNTIME_URL"] = runtime.url
        await runtime.start()
        before = [node("api", f"api{number}") for number in range(apis)]
        async with asyncio.TaskGroup() as starting:
            for one in before:
                starting.create_task(one.start())
        api_pool = await stack.enter_async_context(await open_pool(dsn, max_size=2, schema="api"))
        pool = await stack.enter_async_context(await open_pool(dsn, max_size=2, schema="runtime"))
        yield Nodes(runtime, before, api_pool, pool, environ)


def _listening() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0), backlog=512)
    sock.set_inheritable(False)
    return sock

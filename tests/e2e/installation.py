"""Whole installations as real processes: `autopilot up` with its own Postgres, server, companion and Codex."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 60
COMMAND_SECONDS = 60


@dataclass
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, f"exit code {self.code}: {self.err}"
        return json.loads(self.out)


@dataclass
class Up:
    """A running `autopilot up`."""

    home: Path
    process: asyncio.subprocess.Process
    ready: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    async def cli(self, *arguments: str, **environ: str) -> Answer:
        """Run a command beside it."""
        return await command(self.home, *arguments, **environ)

    async def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    async def kill(self) -> None:
        """SIGKILL, and wait for what it started to be gone as well."""
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    def log(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines of one of its logs."""
        path = self.home / "logs" / f"{name}.log"
        return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def environment(home: Path, **environ: str) -> dict[str, str]:
    """What processes of a test see: nothing of this user's own Autopilot or Codex."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AUTOPILOT_", "OPENAGENTS_", "CODEX_"))
    }
    kept |= {"AUTOPILOT_HOME": str(home), "HOME": str(home), "NO_COLOR": "1", "PYTHONWARNINGS": "default"}
    kept |= {"AUTOPILOT_APPROVAL_TTL_MS": "1000"}  # nobody answers the demo's question: it goes on without, at once
    return kept | environ


async def command(home: Path, *arguments: str, **environ: str) -> Answer:
    """Run `autopilot …` to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "autopilot.cli",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(home, **environ),
    )
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Answer(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def running_up(home: Path, *arguments: str, **environ: str) -> AsyncIterator[Up]:
    """`autopilot up` on a free port, ready; ended at the end, however the test went."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "autopilot.cli",
        "up",
        "--json",
        "--port",
        "0",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=environment(home, **environ),
        limit=1 << 20,
    )
    up = Up(home, process)
    try:
        up.ready = await _ready(process)
        yield up
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(30):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        process._transport.close()  # its pipe: the loop may end before it notices


async def _ready(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(START_SECONDS):
        while line := await process.stdout.readline():
            if line.startswith(b"{"):
                said = json.loads(line)
                if said.get("event") == "ready":
                    return dict(said)
    raise AssertionError(f"it ended before it was ready: {await process.wait()}")

"""A server to measure: embedded Postgres and `autopilot serve` in a folder of their own, as a user would run them."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from autopilot.db.embedded import EmbeddedPostgres
from nchan import free_port, listening

AUTOPILOT = Path(sys.executable).with_name("autopilot")


@dataclass
class Lab:
    """What a bench needs to know of the running server."""

    home: Path
    port: int
    pid: int
    dsn: str
    headers: dict[str, str]


async def command(env: dict[str, str], *words: str) -> str:
    """What an autopilot command prints.

    Raises:
        RuntimeError: it ended with another code than 0.
    """
    process = await asyncio.create_subprocess_exec(
        AUTOPILOT, *words, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"autopilot {' '.join(words)}: {err.decode()[-2000:]}")
    return out.decode()


@asynccontextmanager
async def running(**environ: str) -> AsyncIterator[Lab]:
    """Start Postgres and the server (API and runtime in one process), and end them again; `environ`: settings."""
    with tempfile.TemporaryDirectory(prefix="autopilot-bench-") as folder:
        home, port = Path(folder), free_port()
        async with EmbeddedPostgres(home / "lab") as postgres:
            dsn = postgres.dsn
            env = {
                **os.environ,
                "AUTOPILOT_HOME": folder,
                "AUTOPILOT_PORT": str(port),
                "DATABASE_URL": dsn,
                "AUTOPILOT_CLIENT_RATE": "1000000",
                **environ,
            }
            log = (home / "server.log").open("wb")
            server = await asyncio.create_subprocess_exec(AUTOPILOT, "serve", env=env, stdout=log, stderr=log)
            try:
                await listening(port)
                person = ["--email", owner] if (owner := env.get("AUTOPILOT_OWNER_EMAIL")) else []
                token = (await command(env, "token", "--scope", "administer", *person)).strip()
                yield Lab(home, port, server.pid, dsn, {"Authorization": f"Bearer {token}"})
            finally:
                if server.returncode is None:
                    server.terminate()
                await server.wait()
                log.close()


def share(ours: float, theirs: float) -> str:
    """A ratio as a person reads it."""
    return f"{100 * ours / theirs:.0f} %"

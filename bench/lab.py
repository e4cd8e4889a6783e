"""A server to measure: embedded Postgres and `autopilot serve` in a folder of their own, as a user would run them."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from autopilot.db.embedded import EmbeddedPostgres
from nchan import free_port, listening

AUTOPILOT = Path(sys.executable).with_name("autopilot")
RESULTS = Path(__file__).with_name("results")


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
async def running() -> AsyncIterator[Lab]:
    """Start Postgres and the server (API and runtime in one process), and end them again."""
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
            }
            log = (home / "server.log").open("wb")
            server = await asyncio.create_subprocess_exec(AUTOPILOT, "serve", env=env, stdout=log, stderr=log)
            try:
                await listening(port)
                token = (await command(env, "token", "--scope", "administer")).strip()
                yield Lab(home, port, server.pid, dsn, {"Authorization": f"Bearer {token}"})
            finally:
                if server.returncode is None:
                    server.terminate()
                await server.wait()
                log.close()


def share(ours: float, theirs: float) -> str:
    """A ratio as a person reads it."""
    return f"{100 * ours / theirs:.0f} %"


def commit() -> str:
    """The commit that is measured, with a plus where the tree differs from it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"


def record(name: str, figures: dict[str, object]) -> None:
    """Print the figures; with BENCH_RECORD=1 keep them under bench/results/ with the commit they are of."""
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    text = json.dumps({"commit": commit(), "machine": machine, **figures}, indent=2)
    print(f"{name}: {text}", flush=True)
    if os.environ.get("BENCH_RECORD") == "1":
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(text + "\n")

"""This machine: the data folder's permissions, the disk, the port, the addresses that others reach it by."""

from __future__ import annotations

import asyncio
import errno
import shutil
import stat
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from autopilot.cli import lan
from autopilot.cli.checks.finding import Finding, note, ok, problem, warning
from autopilot.cli.home import Home, Running
from autopilot.ops.program import autopilot

OTHERS = stat.S_IRWXG | stat.S_IRWXO
LITTLE_DISK_BYTES = 1 << 30
NO_DISK_BYTES = 200 << 20
ANSWER_SECONDS = 3.0


async def permissions(home: Home) -> list[Finding]:
    """Whether anybody else could read the installation's data."""
    if not home.path.exists():
        return [note("data folder", f"{home.path} does not exist yet", f"{autopilot('up')} makes it")]
    private = [home.path, home.run, home.secrets, home.companion, home.logs, *home.secrets.glob("*")]
    open_to_others = [path for path in private if path.exists() and path.stat().st_mode & OTHERS]
    if open_to_others:
        names = ", ".join(str(path) for path in open_to_others[:5])
        return [problem("permissions", f"others may read {names}", f"chmod -R go= {home.path}")]
    return [ok("permissions", f"{home.path} is for its owner only")]


async def disk(home: Home) -> list[Finding]:
    """Whether there is room for the ledger."""
    usage = shutil.disk_usage(_existing(home.path))
    free = f"{usage.free / (1 << 30):.1f} GiB free"
    if usage.free < NO_DISK_BYTES:
        return [problem("disk", f"only {free}", "make room: a full disk stops the database")]
    if usage.free < LITTLE_DISK_BYTES:
        return [warning("disk", f"only {free}", "make room before it becomes a problem")]
    return [ok("disk", free)]


async def port(running: Running | None, number: int) -> list[Finding]:
    """Whether the port is ours, or could be."""
    if running is not None:
        return [ok("port", f"{urlsplit(running.url).port} is held by the running installation (process {running.pid})")]
    try:
        lan.listening_socket("127.0.0.1", number).close()
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        advice = lan.another_port(number) if taken else None
        return [problem("port", f"{number} is taken by another program" if taken else str(error), advice)]
    return [ok("port", f"{number} is free")]


async def reach(running: Running | None) -> list[Finding]:
    """What a phone on the same network can open."""
    if running is None:
        return []
    here = urlsplit(running.url).port
    assert here is not None, "an announced URL names its port"
    addresses = [address for address in lan.outward_addresses() if ":" not in address]
    if not addresses:
        return [note("phone", "this machine has no network address that another device could open")]
    return [await _reached(lan.url_of(address, here)) for address in addresses]


async def _reached(url: str) -> Finding:
    try:
        async with asyncio.timeout(ANSWER_SECONDS), httpx2.AsyncClient(trust_env=False) as client:
            answered = (await client.get(f"{url}/healthz")).status_code == httpx2.codes.OK
    except (httpx2.HTTPError, TimeoutError):
        answered = False
    if answered:
        return ok("phone", f"{url} answers here; a firewall of this machine or network may still keep others out")
    return note("phone", f"{url} does not answer: only this machine can open it", autopilot("up --listen"))


def _existing(path: Path) -> Path:
    """`path`, or the nearest folder above it that exists."""
    return path if path.exists() else _existing(path.parent)

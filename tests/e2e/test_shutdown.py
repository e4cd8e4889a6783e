"""SIGTERM to a server with open streams and writes under way: goodbyes, nothing lost, and an end; through nginx too."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx2
import pytest
from tests.api.proxied import running_proxy
from tests.e2e.installation import environment

from autopilot.api import tokens
from autopilot.cli.lan import listening_socket
from autopilot.db.pool import open_pool

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WORKERS = "/api/runtime/codex/workers"
FOLLOWERS, WRITERS = 50, 8


@asynccontextmanager
async def served(home: Path, dsn: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`autopilot serve`, ready, and its URL."""
    with listening_socket("127.0.0.1", 0) as sock:
        environ = environment(home, DATABASE_URL=dsn, AUTOPILOT_TRUSTED_PROXIES="127.0.0.1")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "autopilot.cli", "serve", f"--fd={sock.fileno()}",
            pass_fds=(sock.fileno(),), env=environ, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    try:
        async with asyncio.timeout(60), httpx2.AsyncClient(trust_env=False) as client:
            while (await client.get(f"{url}/readyz", timeout=60)).status_code != 200:
                pass  # each waits for its answer
        yield process, url
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def follow(client: httpx2.AsyncClient, opened: asyncio.Semaphore) -> str:
    """A stream to its end: all that it said."""
    said = ""
    async with client.stream("GET", f"{WORKERS}/w/stream?cursor=0&frames=control") as response:
        assert response.status_code == 200
        opened.release()
        async for piece in response.aiter_text():
            said += piece
    return said


async def write(client: httpx2.AsyncClient, name: int, accepted: list[str], under_way: asyncio.Event) -> None:
    """Append one after the other until the server is gone; what it took is kept in `accepted`."""
    for number in range(1_000_000):
        event_id = f"{name}-{number}"
        event = {"event_type": "worker.event", "event_id": event_id, "payload": {"n": number}}
        try:
            answer = await client.post(f"{WORKERS}/w/events", json={"event": event})
        except httpx2.TransportError:
            return
        if answer.status_code != 202:
            assert answer.status_code in {502, 503, 504}, answer.text
            return
        accepted.append(event_id)
        if len(accepted) > WRITERS:
            under_way.set()


@pytest.mark.parametrize("through", ["directly", "nginx"])
async def test_streams_end_with_bye_and_no_accepted_write_is_lost(tmp_path: Path, database: str, through: str) -> None:
    accepted: list[str] = []
    opened, under_way = asyncio.Semaphore(0), asyncio.Event()
    async with served(tmp_path / "home", database) as (process, url):
        async with await open_pool(database, schema="api", max_size=1) as pool:
            token = (await tokens.mint(pool, email="ada@example.org", scopes=("observe", "administer"))).token
        async with _client(through, url, tmp_path, token) as client, asyncio.timeout(120):
            assert (await client.post(WORKERS, json={"worker_id": "w"})).status_code == 202
            async with asyncio.TaskGroup() as tasks:
                followers = [tasks.create_task(follow(client, opened)) for _ in range(FOLLOWERS)]
                for _ in followers:
                    await opened.acquire()
                for name in range(WRITERS):
                    tasks.create_task(write(client, name, accepted, under_way))
                await under_way.wait()
                process.send_signal(signal.SIGTERM)
            said = [one.result() for one in followers]
            code = await process.wait()

    connection = await asyncpg.connect(database)
    stored = {row["event_id"] for row in await connection.fetch("select event_id from runtime.event")}
    await connection.close()
    assert code == 0
    assert set(accepted) <= stored
    assert all('event: codex.stream.bye\ndata: {"reason":"shutdown"' in words for words in said)
    for words in said:  # and whole frames before it, none left out
        seqs = [json.loads(line[6:])["seq"] for line in words.split("\n") if line.startswith('data: {"workerId"')]
        assert seqs == list(range(1, len(seqs) + 1))


@asynccontextmanager
async def _client(through: str, url: str, folder: Path, token: str) -> AsyncIterator[httpx2.AsyncClient]:
    options = {"headers": {"authorization": f"Bearer {token}"}, "timeout": 60, "trust_env": False}
    if through == "directly":
        async with httpx2.AsyncClient(base_url=url, **options) as client:
            yield client
        return
    async with running_proxy("nginx", url, folder) as proxy:
        where = f"https://127.0.0.1:{proxy.port}"
        async with httpx2.AsyncClient(base_url=where, verify=proxy.certificate.context(), **options) as client:
            yield client

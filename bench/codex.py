"""From the moment Codex says something to the moment a follower of the public API has it: p50, p95, p99.

    .venv/bin/python bench/codex.py

Runs `autopilot up` as a user would, on the demo: real Codex on the scripted model. Codex stamps each notification with
its wall clock in milliseconds (kept as the payload's `occurred_at`), and the follower reads the same clock.
Deltas are gathered for about 100 ms before they are sent, so they are counted apart from what is sent at once.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import lab
from autopilot.client import RuntimeCodexClient
from autopilot.contract import WorkerSummary
from figures import record
from nchan import free_port, listening
from wire import Wire

TURNS = 5
READY_SECONDS = 60


@asynccontextmanager
async def installation() -> AsyncIterator[tuple[str, str]]:
    """A whole installation in a folder of its own: its URL, and a token of its owner."""
    with tempfile.TemporaryDirectory(prefix="autopilot-bench-", dir=Path.home()) as folder:  # not below TMPDIR: Codex
        port = free_port()
        env = {**os.environ, "AUTOPILOT_HOME": folder, "AUTOPILOT_PORT": str(port), "AUTOPILOT_APPROVAL_TTL_MS": "1000"}
        with Path(folder, "up.log").open("wb") as log:
            up = await asyncio.create_subprocess_exec(lab.AUTOPILOT, "up", "--demo", env=env, stdout=log, stderr=log)
            try:
                await ready(port)
                token = await lab.command(env, "token", "--scope", "administer")
                yield f"http://127.0.0.1:{port}", token.strip()
            finally:
                if up.returncode is None:
                    up.terminate()
                await up.wait()


async def ready(port: int) -> None:
    """Wait until /readyz answers 200."""
    await listening(port)
    async with asyncio.timeout(READY_SECONDS), Wire(port) as wire:
        while (await wire.send("GET", "/readyz"))[0] != 200:
            await asyncio.sleep(0.1)


async def demo_worker(client: RuntimeCodexClient) -> WorkerSummary:
    """The demo's worker, as soon as there is one."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            page = await client.list_workers(status="running")
            if page.workers:
                return page.workers[0]
            await asyncio.sleep(0.1)


def percentile(values: list[float], share: float) -> float:
    """The value that `share` (0..1) of the values do not exceed."""
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 1)


async def main() -> None:
    at_once: list[float] = []
    deltas: list[float] = []
    async with installation() as (url, token), RuntimeCodexClient(url, token) as client:
        worker = await demo_worker(client)
        asked = ended = 0
        async with client.follow(worker.worker_id, cursor=worker.latest_seq) as follower:
            async for event in follower:
                now = dt.datetime.now(dt.UTC)
                method = event.payload.get("method")
                if event.payload.get("source") == "autopilot-desktop" and event.eventType == "worker.event":
                    said = dt.datetime.fromisoformat(event.payload["occurred_at"])
                    (deltas if "coalesced" in event.payload else at_once).append((now - said).total_seconds() * 1000)
                if method == "turn/completed":
                    ended += 1
                    if asked == TURNS:
                        break
                    asked += 1
                    text = [{"type": "text", "text": "Do the next task."}]
                    await client.request(worker.worker_id, "turn/start", {"input": text}, wait_ms=0)
    record(
        "codex",
        {
            "turns": ended,
            "sent_at_once": {
                "events": len(at_once),
                "p50_ms": percentile(at_once, 0.5),
                "p95_ms": percentile(at_once, 0.95),
                "p99_ms": percentile(at_once, 0.99),
            },
            "gathered_deltas": {
                "events": len(deltas),
                "p50_ms": percentile(deltas, 0.5),
                "p95_ms": percentile(deltas, 0.95),
            },
        },
    )


if __name__ == "__main__":
    asyncio.run(main())

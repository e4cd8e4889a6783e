"""From the moment an event is posted to the moment its follower has it: p50 and p99, and their share of a bare commit.

.venv/bin/python bench/latency.py
"""

from __future__ import annotations

import asyncio
import json
import time

import append
import lab
import raw
import swarm
from figures import record
from wire import Wire

EVENTS = 1000
FOLLOWERS = 1


async def main() -> None:
    async with lab.running() as at, Wire(at.port, at.headers) as wire:
        limit = 1000 / await raw.append(at.dsn, writers=1, batch=1, frame=append.frame(), seconds=3, tag="latency")
        await wire.expect((200, 202), "POST", append.WORKERS, json.dumps({"worker_id": "latency:1"}).encode())
        path = f"{append.WORKERS}/latency:1"
        tally, followers = await swarm.follow(at.port, f"{path}/stream", FOLLOWERS, headers=at.headers)
        for k in range(EVENTS + 50):
            if k == 50:
                await asyncio.sleep(0.2)
                tally.clear()
            body = (
                f'{{"event":{{"event_type":"worker.event","payload":{{"method":"tick","t":{time.monotonic_ns()}}}}}}}'
            )
            await wire.expect(202, "POST", f"{path}/events", body.encode())
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.5)
        swarm.close(followers)
    record(
        "latency",
        {
            "events": tally.deliveries,
            "p50_ms": round(tally.percentile(0.5), 2),
            "p99_ms": round(tally.percentile(0.99), 2),
            "one_raw_commit_ms": round(limit, 2),
            "p50_in_raw_commits": round(tally.percentile(0.5) / limit, 1),
        },
    )


if __name__ == "__main__":
    asyncio.run(main())

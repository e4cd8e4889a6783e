"""One worker, many followers: latency and CPU per delivery against nginx + nchan; memory per idle follower.

.venv/bin/python bench/fanout.py            1000 followers, 20 events a second, alternating with nchan
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import append
import lab
import nchan
import procfs
import swarm
from figures import record
from wire import Wire

FOLLOWERS = 1000
EVENTS_PER_SECOND = 20
SECONDS = 10
ROUNDS = 3
FILLER = "x" * 150


async def publish(send: Callable[[str], Awaitable[object]], seconds: float) -> int:
    """Send stamped payloads at a steady pace; returns how many."""
    count = round(seconds * EVENTS_PER_SECOND)
    began = time.monotonic()
    for k in range(count):
        await asyncio.sleep(max(0, began + k / EVENTS_PER_SECOND - time.monotonic()))
        await send(f'{{"method":"bench/tick","t":{time.monotonic_ns()},"pad":"{FILLER}"}}')
    return count


async def measure(
    port: int, path: str, headers: dict[str, str], pids: list[int], send: Callable[[str], Awaitable[object]]
) -> dict[str, float]:
    """Figures of one run: p50 and p99 in ms, CPU microseconds per delivery of the processes `pids`."""
    tally, followers = await swarm.follow(port, path, FOLLOWERS, headers=headers)
    await publish(send, 1)
    await asyncio.sleep(1)
    tally.clear()
    before = procfs.cpu_seconds(pids)
    sent = await publish(send, SECONDS)
    await asyncio.sleep(1)
    cpu = procfs.cpu_seconds(pids) - before
    swarm.close(followers)
    await asyncio.sleep(0.5)
    if tally.deliveries != sent * FOLLOWERS:
        raise RuntimeError(f"{tally.deliveries} deliveries, expected {sent * FOLLOWERS}")
    return {
        "p50_ms": round(tally.percentile(0.5), 2),
        "p99_ms": round(tally.percentile(0.99), 2),
        "cpu_us_per_delivery": round(cpu * 1e6 / tally.deliveries, 1),
    }


async def of_nchan() -> dict[str, float]:
    """The peer's figures."""
    async with nchan.running() as peer, Wire(peer.port) as wire:

        async def send(payload: str) -> None:
            await wire.expect((200, 201, 202), "POST", "/publish", f'{{"payload":{payload}}}'.encode())

        return await measure(peer.port, "/follow", {}, [peer.pid], send)


async def of_autopilot(at: lab.Lab, worker: str) -> dict[str, float]:
    """Our figures: durable appends over the API, delivered by the stream."""
    async with Wire(at.port, at.headers) as wire:
        await wire.expect((200, 202), "POST", append.WORKERS, json.dumps({"worker_id": worker}).encode())

        async def send(payload: str) -> None:
            body = f'{{"event":{{"event_type":"worker.event","payload":{payload}}}}}'
            await wire.expect(202, "POST", f"{append.WORKERS}/{worker}/events", body.encode())

        path = f"{append.WORKERS}/{worker}/stream"
        return await measure(at.port, path, at.headers, procfs.family(at.pid), send)


async def memory(at: lab.Lab, worker: str) -> float:
    """Kilobytes of the server's own memory per idle follower."""
    path = f"{append.WORKERS}/{worker}/stream"
    _, warm = await swarm.follow(at.port, path, 200, headers=at.headers)
    before = procfs.private_bytes(at.pid)
    _, followers = await swarm.follow(at.port, path, FOLLOWERS, headers=at.headers)
    await asyncio.sleep(1)
    grown = procfs.private_bytes(at.pid) - before
    swarm.close(warm + followers)
    await asyncio.sleep(0.5)
    return grown / FOLLOWERS / 1000


async def main() -> None:
    if packages := nchan.missing():
        raise SystemExit(f"The peer is not installed: apt-get install {packages}")
    async with lab.running() as at:
        ours, theirs = [], []
        async with Wire(at.port, at.headers) as wire:
            await wire.expect((200, 202), "POST", append.WORKERS, b'{"worker_id":"idle:1"}')
        kilobytes = await memory(at, "idle:1")
        for turn in range(ROUNDS):
            theirs.append(await of_nchan())
            ours.append(await of_autopilot(at, f"fanout:{turn}"))
    ratios = [
        {name: round(a[name] / b[name], 2) for name in ("p50_ms", "p99_ms", "cpu_us_per_delivery")}
        for a, b in zip(ours, theirs, strict=True)
    ]
    record(
        "fanout",
        {
            "followers": FOLLOWERS,
            "events_per_second": EVENTS_PER_SECOND,
            "autopilot": ours,
            "nchan": theirs,
            "ratios": ratios,
            "p50_ratio_median": sorted(r["p50_ms"] for r in ratios)[len(ratios) // 2],
            "p99_ratio_median": sorted(r["p99_ms"] for r in ratios)[len(ratios) // 2],
            "kilobytes_per_idle_follower": round(kilobytes, 1),
        },
    )


if __name__ == "__main__":
    asyncio.run(main())

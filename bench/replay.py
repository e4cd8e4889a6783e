"""Replay of 100 000 events over the stream as a share of a plain COPY ... TO STDOUT of the same rows.

.venv/bin/python bench/replay.py
"""

from __future__ import annotations

import asyncio
import json
import time

import append
import lab
import raw
from figures import record
from wire import Wire

EVENTS = 100_000
ROUNDS = 5


async def fill(at: lab.Lab, worker: str) -> None:
    """Give the worker a log of EVENTS events."""
    async with Wire(at.port, at.headers) as wire:
        await wire.expect((200, 202), "POST", append.WORKERS, json.dumps({"worker_id": worker}).encode())
        for start in range(0, EVENTS, 500):
            events = ",".join(
                f'{{"event_type":"worker.event","event_id":"e{start + n}","payload":{append.TEXT}}}' for n in range(500)
            )
            await wire.expect(202, "POST", f"{append.WORKERS}/{worker}/events", f'{{"events":[{events}]}}'.encode())


async def replay(at: lab.Lab, worker: str) -> tuple[int, float]:
    """Read the stream from cursor 0 to the last event; returns bytes and seconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", at.port, limit=2**20)
    head = "".join(f"{name}: {value}\r\n" for name, value in at.headers.items())
    began = time.monotonic()
    writer.write(f"GET {append.WORKERS}/{worker}/stream?cursor=0 HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode())
    last, tail, received = f"id: {EVENTS}\n".encode(), b"", 0
    while last not in tail:
        data = await reader.read(2**20)
        if not data:
            raise RuntimeError(f"the stream ended after {received} bytes: {tail[-300:]!r}")
        received += len(data)
        tail = tail[-2000:] + data
    took = time.monotonic() - began
    writer.close()
    return received, took


async def main() -> None:
    async with lab.running() as at:
        await fill(at, "replay:1")
        pairs = []
        for _ in range(ROUNDS):
            copied, limit = await raw.copy_out(at.dsn, "replay:1")
            streamed, ours = await replay(at, "replay:1")
            pairs.append((ours, limit))
        ours, limit = sorted(pairs, key=lambda pair: pair[1] / pair[0])[len(pairs) // 2]
    record(
        "replay",
        {
            "events": EVENTS,
            "stream_seconds": round(ours, 3),
            "copy_seconds": round(limit, 3),
            "events_per_second": round(EVENTS / ours),
            "stream_megabytes": round(streamed / 1e6, 1),
            "copy_megabytes": round(copied / 1e6, 1),
            "share": lab.share(limit, ours),
            "all_shares": [lab.share(limit, ours) for ours, limit in pairs],
        },
    )


if __name__ == "__main__":
    asyncio.run(main())

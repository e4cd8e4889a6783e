"""Appends over HTTP as a share of raw Postgres doing the same inserts: one by one, 16 writers, batches of 100.

One writer waits for the client, the server and Postgres in turn; 4 writers let them work at the same time, as raw
Postgres does with 4 connections.

.venv/bin/python bench/append.py
"""

from __future__ import annotations

import asyncio
import json
import time

import lab
import raw
from figures import record
from wire import Wire

WORKERS = "/api/runtime/codex/workers"
SECONDS = 5.0
ROUNDS = 3
SHAPES = (
    ("one_by_one", 1, 1),
    ("16_writers", 16, 1),
    ("batches_of_100", 1, 100),
    ("batches_of_100_by_4_writers", 4, 100),
)
"""Name, writers, events a batch."""
PAYLOAD = {
    "source": "autopilot-desktop",
    "method": "item/agentMessage/delta",
    "params": {
        "threadId": "01a20252-e951-7ee2-8b7f-2983c07888d5",
        "turnId": "01a20252-e96a-7992-aec7-9bf732e31699",
        "itemId": "msg_d7ef1bd94a58",
        "delta": "a sentence of the usual length, as the model streams it",
    },
    "occurred_at": "2026-11-22T07:16:00.123456Z",
}
TEXT = json.dumps(PAYLOAD, separators=(",", ":"))


def frame() -> str:
    """A frame of the size that the ledger stores for PAYLOAD."""
    actor = '{"user_id":1,"device_id":"d_0123456789abcdef","machine_id":null,"surface":"sdk"}'
    return (
        f'{{"workerId":"bench:1","seq":100000,"eventType":"worker.event","payload":{TEXT},'
        f'"occurredAt":"2026-11-22T07:16:00.123456Z","actor":{actor},"xRequestId":"{"x" * 36}","eventId":"{"e" * 40}"}}'
    )


async def over_http(at: lab.Lab, *, writers: int, batch: int, tag: str) -> float:
    """Events per second that `writers` connections append over the public API, each to its own worker."""

    async def write(k: int) -> int:
        worker = f"http:{tag}:{k}"
        path, count = f"{WORKERS}/{worker}/events", 0
        async with Wire(at.port, at.headers) as wire:
            await wire.expect((200, 202), "POST", WORKERS, json.dumps({"worker_id": worker}).encode())
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                events = ",".join(
                    f'{{"event_type":"worker.event","event_id":"item:{tag}:{k}:{count + n}","payload":{TEXT}}}'
                    for n in range(batch)
                )
                body = f'{{"events":[{events}]}}' if batch > 1 else f'{{"event":{events}}}'
                await wire.expect(202, "POST", path, body.encode())
                count += batch
        return count

    began = time.monotonic()
    counts = await asyncio.gather(*(write(k) for k in range(writers)))
    return sum(counts) / (time.monotonic() - began)


async def main() -> None:
    figures: dict[str, object] = {}
    async with lab.running() as at:
        for name, writers, batch in SHAPES:
            pairs = []
            for turn in range(ROUNDS):
                tag = f"{name}{turn}"
                limit = await raw.append(at.dsn, writers=writers, batch=batch, frame=frame(), seconds=SECONDS, tag=tag)
                pairs.append((await over_http(at, writers=writers, batch=batch, tag=tag), limit))
            ours, limit = sorted(pairs, key=lambda pair: pair[0] / pair[1])[len(pairs) // 2]
            figures[name] = {
                "events_per_second": round(ours),
                "raw_postgres": round(limit),
                "share": lab.share(ours, limit),
                "all_shares": [lab.share(*pair) for pair in pairs],
            }
    record("append", figures)


if __name__ == "__main__":
    asyncio.run(main())

"""Opening a thread of 50 000 items whose last command wrote 20 MB: its summary and the last page of its log.

Against plain SELECTs of the same rows over a connection that is open. The output lies in the log as the companion sends
it: previews of 64 kB, and an end of 1 MiB, which is all that Codex keeps.

.venv/bin/python bench/open.py
"""

from __future__ import annotations

import asyncio
import json
import time

import asyncpg

import append
import lab
import procfs
from wire import Wire

ITEMS = 50_000
OUTPUT_BYTES = 20_000_000
PREVIEW_BYTES = 64 * 1024
END_BYTES = 1024 * 1024
PAGES = (100, 500)
"""Events of the last page; the first is what a client gets that does not say."""
ROUNDS = 9
WORKER = "open:1"
BATCH_EVENTS, BATCH_BYTES = 500, 4 * 1024 * 1024

HEAD = "select * from runtime.worker_view where worker_id = $1"
LAST = """
select e.frame from runtime.event e join runtime.worker w using (worker_no)
where w.worker_id = $1 and e.seq > $2 order by e.seq
"""


def said(method: str, number: int, **params: object) -> dict[str, object]:
    """A payload about an item."""
    named = {"threadId": "t", "turnId": f"turn-{number // 50}", **params}
    return {"source": "autopilot-desktop", "method": method, "params": named}


def line(n: int) -> str:
    """Output that does not compress to nothing."""
    return f"{n:08d} {hash((n, 7)) & 0xFFFFFFFFFFFF:012x} compiled src/module_{n % 9973}.c\n"


def thread() -> list[dict[str, object]]:
    """All payloads, in order."""
    payloads = []
    for item in range(ITEMS - 1):
        message = {"type": "agentMessage", "id": f"i{item}"}
        payloads.append(said("item/started", item, item={**message, "text": ""}))
        payloads.append(said("item/completed", item, item={**message, "text": append.TEXT}))
    command = {"type": "commandExecution", "id": "last", "command": "make"}
    payloads.append(said("item/started", ITEMS, item=command))
    output = "".join(map(line, range(OUTPUT_BYTES // len(line(0)) + 1)))
    payloads += [
        said("item/commandExecution/outputDelta", ITEMS, itemId="last", delta=output[start : start + PREVIEW_BYTES])
        for start in range(0, OUTPUT_BYTES, PREVIEW_BYTES)
    ]
    payloads.append(said("item/completed", ITEMS, item={**command, "aggregatedOutput": output[:END_BYTES]}))
    return payloads


async def fill(at: lab.Lab) -> None:
    """Put the thread into a log."""
    async with Wire(at.port, at.headers) as wire:
        await wire.expect((200, 202), "POST", append.WORKERS, json.dumps({"worker_id": WORKER}).encode())
        events: list[str] = []
        size = 0
        for n, payload in enumerate(thread()):
            events.append(json.dumps({"event_type": "worker.event", "event_id": f"e{n}", "payload": payload}))
            size += len(events[-1])
            if len(events) == BATCH_EVENTS or size > BATCH_BYTES:
                await send(wire, events)
                events, size = [], 0
        if events:
            await send(wire, events)


async def send(wire: Wire, events: list[str]) -> None:
    """Append these."""
    body = f'{{"events":[{",".join(events)}]}}'.encode()
    await wire.expect(202, "POST", f"{append.WORKERS}/{WORKER}/events", body)


async def opened(at: lab.Lab, limit: int) -> tuple[int, int, float]:
    """Open it as a client does that comes by for the first time: first seq and bytes of the page, and seconds."""
    began = time.monotonic()
    async with Wire(at.port, at.headers) as wire:
        await wire.expect(200, "GET", f"{append.WORKERS}/{WORKER}")
        body = await wire.expect(200, "GET", f"{append.WORKERS}/{WORKER}/events?limit={limit}")
    took = time.monotonic() - began
    return json.loads(body)["data"][0]["seq"], len(body), took


async def selected(connection: asyncpg.Connection, after: int) -> float:
    """Seconds to SELECT the same rows."""
    began = time.monotonic()
    await connection.fetchrow(HEAD, WORKER)
    await connection.fetch(LAST, WORKER, after)
    return time.monotonic() - began


async def measure(at: lab.Lab, limit: int) -> dict[str, object]:
    """The figures of one size of page, medians."""
    connection = await asyncpg.connect(at.dsn)
    first, size, _ = await opened(at, limit)  # both sides warm: what is measured is the work, not a disk
    await selected(connection, first - 1)
    pairs, cpu = [], procfs.cpu_seconds([at.pid])
    for _ in range(ROUNDS):
        limit_seconds = await selected(connection, first - 1)
        pairs.append(((await opened(at, limit))[2], limit_seconds))
    cpu = (procfs.cpu_seconds([at.pid]) - cpu) / ROUNDS
    await connection.close()
    ours, theirs = sorted(pairs, key=lambda pair: pair[0] / pair[1])[ROUNDS // 2]
    return {
        "open_seconds": round(ours, 4),
        "slowest_seconds": round(max(pair[0] for pair in pairs), 4),
        "select_seconds": round(theirs, 4),
        "times_select": round(ours / theirs, 2),
        "server_cpu_seconds": round(cpu, 4),
        "page_megabytes": round(size / 1e6, 1),
    }


async def main() -> None:
    async with lab.running() as at:
        await fill(at)
        figures = {f"last_{limit}": await measure(at, limit) for limit in PAGES}
    lab.record("open", {"items": ITEMS, "output_megabytes": OUTPUT_BYTES / 1e6, **figures})


if __name__ == "__main__":
    asyncio.run(main())

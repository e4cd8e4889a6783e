"""Opening a thread of 50 000 items whose last command wrote 20 MB: its summary and the last page of its log.

Against plain SELECTs of the same rows over a connection that is open. The output lies in the log as the companion sends
it: previews of 64 kB, and an end with head and tail, which refers to the whole: an artifact of 20 MB beside the log.
Then that artifact is read: a range from its middle, and all of it.

.venv/bin/python bench/open.py
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time

import asyncpg

import append
import lab
import procfs
from figures import record
from wire import Wire

ITEMS = 50_000
OUTPUT_BYTES = 20_000_000
PREVIEW_BYTES = 64 * 1024
KEPT_BYTES = 16 * 1024
PIECE_BYTES = 1024 * 1024
RANGE_BYTES = 64 * 1024
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


def thread(output: str, ref: dict[str, object]) -> list[dict[str, object]]:
    """All payloads, in order."""
    payloads = []
    for item in range(ITEMS - 1):
        message = {"type": "agentMessage", "id": f"i{item}"}
        payloads.append(said("item/started", item, item={**message, "text": ""}))
        payloads.append(said("item/completed", item, item={**message, "text": append.TEXT}))
    command = {"type": "commandExecution", "id": "last", "command": "make"}
    payloads.append(said("item/started", ITEMS, item=command))
    payloads += [
        said("item/commandExecution/outputDelta", ITEMS, itemId="last", delta=output[start : start + PREVIEW_BYTES])
        for start in range(0, OUTPUT_BYTES, PREVIEW_BYTES)
    ]
    note = f"\n… {len(output) - 2 * KEPT_BYTES:,} bytes left out here: artifact {ref['artifact_id']} …\n"
    shown = {**command, "aggregatedOutput": output[:KEPT_BYTES] + note + output[-KEPT_BYTES:]}
    payloads.append({**said("item/completed", ITEMS, item=shown), "artifacts": [ref]})
    return payloads


def printed() -> str:
    """What the command wrote."""
    return "".join(map(line, range(OUTPUT_BYTES // len(line(0)) + 1)))


def reference(output: str) -> dict[str, object]:
    """What stands for it."""
    digest = hashlib.sha256(output.encode()).hexdigest()
    sizes = {"bytes": len(output), "head_bytes": KEPT_BYTES, "tail_bytes": KEPT_BYTES}
    path = "/params/item/aggregatedOutput"
    return {"artifact_id": digest[:32], "path": path, "sha256": digest, "media_type": "text/plain", **sizes}


async def fill(at: lab.Lab, output: str) -> str:
    """Put the thread into a log, and its output beside it; the artifact's id."""
    ref = reference(output)
    async with Wire(at.port, at.headers) as wire:
        await wire.expect((200, 202), "POST", append.WORKERS, json.dumps({"worker_id": WORKER}).encode())
        events: list[str] = []
        size = 0
        for n, payload in enumerate(thread(output, ref)):
            events.append(json.dumps({"event_type": "worker.event", "event_id": f"e{n}", "payload": payload}))
            size += len(events[-1])
            if len(events) == BATCH_EVENTS or size > BATCH_BYTES:
                await send(wire, events)
                events, size = [], 0
        if events:
            await send(wire, events)
        for start in range(0, len(output), PIECE_BYTES):
            await store(wire, str(ref["artifact_id"]), output, start)
    return str(ref["artifact_id"])


async def send(wire: Wire, events: list[str]) -> None:
    """Append these."""
    body = f'{{"events":[{",".join(events)}]}}'.encode()
    await wire.expect(202, "POST", f"{append.WORKERS}/{WORKER}/events", body)


async def store(wire: Wire, artifact_id: str, output: str, start: int) -> None:
    """Store the next piece; every one ends a line, so that it is taken whole."""
    at = output.rfind("\n", 0, start) + 1
    end = len(output) if start + PIECE_BYTES >= len(output) else output.rfind("\n", 0, start + PIECE_BYTES) + 1
    part = {"artifact_id": artifact_id, "offset": at, "text": output[at:end]}
    body = json.dumps({"artifacts": [part]}).encode()
    told = json.loads(await wire.expect(200, "POST", f"{append.WORKERS}/{WORKER}/artifacts", body))["data"][0]
    if told["next_offset"] != end:
        raise RuntimeError(f"the piece from {at} to {end} was taken to {told['next_offset']}")


async def read(at: lab.Lab, artifact_id: str, output: str) -> dict[str, object]:
    """Seconds to read a range and the whole of the artifact, medians; both must be what was written."""
    path = f"{append.WORKERS}/{WORKER}/artifacts/{artifact_id}"
    middle = len(output) // 2
    asked = {**at.headers, "Range": f"bytes={middle}-{middle + RANGE_BYTES - 1}"}
    parts, wholes = [], []
    cpu = procfs.cpu_seconds([at.pid])
    for _ in range(ROUNDS):
        for headers, status, expected, seconds in (
            (asked, 206, output[middle : middle + RANGE_BYTES], parts),
            (at.headers, 200, output, wholes),
        ):
            began = time.monotonic()
            async with Wire(at.port, headers) as wire:
                body = await wire.expect(status, "GET", path)
            seconds.append(time.monotonic() - began)
            if body != expected.encode():
                raise RuntimeError("what was read is not what was written")
    cpu = (procfs.cpu_seconds([at.pid]) - cpu) / ROUNDS
    return {
        "range_kilobytes": RANGE_BYTES / 1024,
        "range_seconds": round(sorted(parts)[ROUNDS // 2], 4),
        "whole_seconds": round(sorted(wholes)[ROUNDS // 2], 4),
        "server_cpu_seconds": round(cpu, 4),
    }


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
        output = printed()
        artifact_id = await fill(at, output)
        figures = {f"last_{limit}": await measure(at, limit) for limit in PAGES}
        figures["artifact"] = await read(at, artifact_id, output)
    record("open", {"items": ITEMS, "output_megabytes": OUTPUT_BYTES / 1e6, **figures})


if __name__ == "__main__":
    asyncio.run(main())

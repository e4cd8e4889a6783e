"""The iPhone app's own cost, without a phone: an event at a full window, and a cold start without network.

.venv/bin/python bench/ios.py

CPU milliseconds for an event from the fold of the timeline through drawing, Flet's own comparison and msgpack, as the
app on a phone pays them (Flutter's drawing is apart). Each event comes alone: batches are cheaper.

Seconds of a cold start from the birth of the process to the whole list, packed for Flutter, out of the sealed cache of
WORKERS workers, while no server can be reached: imports, Keychain, cache, screens. All of Python is compiled before, as
`flet build` leaves it in the app. (Flet's desktop client, which would draw it here, is a download that this bench can't
rely on.)
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "ios/src")]

import flet as ft  # noqa: E402 - found by the path above
from tests.ios.known import known  # noqa: E402 - found by the path above
from tests.ios.phone import Phone, phone, walk  # noqa: E402 - found by the path above

from autopilot.client import Timeline  # noqa: E402 - as the others
from autopilot.client.timeline_pages import Window  # noqa: E402 - as the others
from autopilot.contract import Envelope  # noqa: E402 - as the others
from autopilot_ios import memory  # noqa: E402 - as the others
from autopilot_ios.device.device import STORAGE_VARIABLE  # noqa: E402 - as the others
from autopilot_ios.timeline import Look  # noqa: E402 - found by the path above
from autopilot_ios.timeline.scroll import TimelineScroll  # noqa: E402 - found by the path above
from figures import record  # noqa: E402 - beside this file

WINDOW_EVENTS = 600
MEASURED = 400
WORKERS, STARTS = 50, 5
DELTAS = 5
"""Of what is streamed: so many times an item changes before it is whole."""


class Nowhere:
    """Touches lead nowhere here."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_arguments: None


def events() -> Iterator[Envelope]:
    """A busy session without end: messages, commands whose output streams, changes of files, calls, thoughts."""
    seq = 0
    number = 0
    while True:
        number += 1
        for method, params in _doing(number):
            seq += 1
            at = f"2026-11-23T08:{seq // 60 % 60:02}:{seq % 60:02}.000000Z"
            yield Envelope(
                workerId="w",
                seq=seq,
                eventType="worker.event",
                payload={"method": method, "params": {"threadId": "t", "turnId": "turn", **params}},
                occurredAt=at,
            )


def _doing(number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    item: dict[str, Any] = {"id": f"i{number}"}
    match number % 5:
        case 0:
            text = f"Message **{number}** says `what` was done:\n\n- one thing\n- another\n\n```py\nx = {number}\n```\n"
            yield "item/completed", {"item": item | {"type": "agentMessage", "text": text * 3}}
        case 1:
            begun = item | {"type": "commandExecution", "command": f"pytest -q tests/{number}", "status": "inProgress"}
            yield "item/started", {"item": begun}
            for part in range(DELTAS):
                delta = "".join(f"test_{number}_{part}_{n} \x1b[32mPASSED\x1b[0m\n" for n in range(6))
                yield "item/commandExecution/outputDelta", {"itemId": f"i{number}", "delta": delta}
            output = "".join(f"test_{number}_{n} \x1b[32mPASSED\x1b[0m\n" for n in range(30))
            ended = {"status": "completed", "aggregatedOutput": output, "exitCode": 0, "durationMs": 812}
            yield "item/completed", {"item": begun | ended}
        case 2:
            lines = "".join(f"-    old {n}\n+    new {n}\n     same {n}\n" for n in range(8))
            change = {
                "path": f"/project/src/a{number}.py",
                "kind": {"type": "update"},
                "diff": f"@@ -1,16 +1,16 @@\n{lines}",
            }
            yield "item/completed", {"item": item | {"type": "fileChange", "status": "completed", "changes": [change]}}
        case 3:
            yield (
                "item/completed",
                {"item": item | {"type": "reasoning", "summary": ["**Thinking** of what comes next."]}},
            )
        case _:
            call = {"type": "mcpToolCall", "server": "tracker", "tool": "search", "status": "completed"}
            yield "item/completed", {"item": item | call | {"arguments": {"q": number}, "result": {"content": []}}}


def shown(held: Phone) -> TimelineScroll:
    """An empty timeline on a phone."""

    async def older(_seq: int) -> Window:
        return Window((), None)

    scroll = TimelineScroll(Look(Nowhere()), older, now=lambda: datetime.now(UTC))
    held.page.views[:] = [ft.View(route="/", controls=[scroll.control])]
    held.page.update()
    return scroll


async def appends() -> dict[str, object]:
    """What each of many events costs at a full window."""
    held = phone()
    scroll, timeline, coming = shown(held), Timeline(), events()
    for _ in range(WINDOW_EVENTS):
        timeline.apply(next(coming))
    scroll.take(timeline.items, is_whole=True)
    while len(timeline.items) < WINDOW_EVENTS:
        timeline.apply(next(coming))
        scroll.take(timeline.items, is_whole=True)
    held.wire.sent.clear()
    costs = []
    for _ in range(MEASURED):
        event = next(coming)
        began = time.process_time()
        timeline.apply(event)
        scroll.take(timeline.items, is_whole=True)
        costs.append(1000 * (time.process_time() - began))
        await asyncio.sleep(0)
    costs.sort()
    return {
        "items_on_screen": scroll.held,
        "controls_on_screen": sum(1 for _ in walk(held.page.views[-1])),
        "events": MEASURED,
        "cpu_ms_mean": round(statistics.fmean(costs), 2),
        "cpu_ms_median": round(statistics.median(costs), 2),
        "cpu_ms_p99": round(costs[int(0.99 * len(costs))], 2),
        "cpu_ms_worst": round(costs[-1], 2),
        "bytes_per_event": round(statistics.fmean(held.wire.sent)),
    }


def cold_starts() -> dict[str, object]:
    """Several, each in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        secrets = asyncio.run(known(storage, WORKERS))
        call = [sys.executable, str(ROOT / "bench/ios_start.py"), json.dumps(secrets), str(WORKERS)]
        environ = {
            **os.environ,
            STORAGE_VARIABLE: folder,
            "PYTHONPYCACHEPREFIX": str(storage / "compiled"),
            "PYTHONDONTWRITEBYTECODE": "",
        }
        starts = []
        for _ in range(1 + STARTS):
            said = subprocess.run(call, capture_output=True, text=True, check=True, timeout=60, env=environ).stdout
            starts.append(json.loads(said.splitlines()[-1]))
        del starts[0]  # it compiled
    seconds = [start["seconds"] for start in starts]
    return {
        "workers": WORKERS,
        "starts": STARTS,
        "seconds_median": round(statistics.median(seconds), 2),
        "seconds_worst": round(max(seconds), 2),
        "cpu_seconds_median": round(statistics.median(start["cpu_seconds"] for start in starts), 2),
    }


def main() -> None:
    """Measure, and say it."""
    memory.begin()
    memory.settle()
    record("ios", {"append": asyncio.run(appends()), "cold_start": cold_starts()})


if __name__ == "__main__":
    main()

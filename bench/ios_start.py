"""One cold start of the iPhone app, for bench/ios.py: runs the app's main.py, and says how old the process is then.

FLET_APP_STORAGE_DATA=STORAGE .venv/bin/python bench/ios_start.py SECRETS WORKERS
"""

from __future__ import annotations

import asyncio
import json
import os
import runpy
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "ios/src")]

import flet as ft  # noqa: E402 - found by the path above

BEGUN: list[object] = []
ft.run = BEGUN.append  # of all that main.py does, only the opening of a window is left out
runpy.run_path(str(ROOT / "ios/src/main.py"), run_name="__main__")

from tests.ios.phone import Phone, phone  # noqa: E402 - after the app's own, which decides when they are loaded


def age_seconds() -> float:
    """Since this process was born, by the kernel's word of it."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


class Sizes(list[int]):
    """Of messages to Flutter, packed; notes when one had what is waited for."""

    def __init__(self, held: Phone, key: str) -> None:
        super().__init__()
        self.seen_at_seconds: float | None = None
        self.cpu_seconds = 0.0
        self._held = held
        self._key = key

    def append(self, size: int) -> None:
        """One was packed just now."""
        super().append(size)
        if self.seen_at_seconds is None:
            now, self.cpu_seconds = age_seconds(), time.process_time()
            self.seen_at_seconds = now if self._held.has(self._key) else None


async def main() -> None:
    """Open the app, and wait until the list shows the last of what was known."""
    secrets, workers = json.loads(sys.argv[1]), int(sys.argv[2])
    held = phone(secrets=secrets)
    held.wire.sent = sizes = Sizes(held, f"worker-desktopw:{workers - 1}")
    task = asyncio.ensure_future(BEGUN[0](held.page))  # noqa: TID251 - as Flet runs a main function
    while sizes.seen_at_seconds is None:
        await asyncio.sleep(0.001)
    print(json.dumps({"seconds": sizes.seen_at_seconds, "cpu_seconds": sizes.cpu_seconds}), flush=True)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    asyncio.run(main())

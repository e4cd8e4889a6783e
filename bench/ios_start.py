"""One cold start of the iPhone app, for bench/ios.py: loads what the app loads, and says how old the process is then.

.venv/bin/python bench/ios_start.py STORAGE SECRETS WORKERS
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "ios/src")]

from tests.ios.opening import running  # noqa: E402 - found by the path above
from tests.ios.phone import phone  # noqa: E402 - found by the path above


def age_seconds() -> float:
    """Since this process was born, by the kernel's word of it."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


async def main() -> None:
    """Open the app, and wait until the list shows the last of what was known."""
    storage, secrets, workers = Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3])
    held = phone(secrets=secrets)
    async with running(held, storage):
        while not held.has(f"worker-desktopw:{workers - 1}"):
            await asyncio.sleep(0.001)
        print(json.dumps({"seconds": age_seconds()}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())

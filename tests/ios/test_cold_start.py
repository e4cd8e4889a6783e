"""A start shows what the phone knows, and waits for nothing else: no other screen, no connection."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

from tests.ios.known import known

ROOT = Path(__file__).resolve().parents[2]
START = """
import asyncio, gc, json, os, runpy, sys
import flet as ft

begun = []
ft.run = begun.append
runpy.run_path("ios/src/main.py", run_name="__main__")
from tests.ios.phone import phone

class Sizes(list):
    seen = None

    def append(self, size):
        super().append(size)
        if self.seen is None and held.has("worker-desktopw:2"):
            self.seen = sorted(sys.modules), gc.isenabled()

async def main():
    global held
    held = phone(secrets=json.loads(sys.argv[1]))
    sizes = held.wire.sent = Sizes()
    task = asyncio.ensure_future(begun[0](held.page))
    async with asyncio.timeout(60):
        while sizes.seen is None or "httpcore2" not in sys.modules:
            await asyncio.sleep(0)
    print(json.dumps([*sizes.seen, gc.isenabled()]))
    sys.stdout.flush()
    os._exit(0)

asyncio.run(main())
"""


def test_the_first_picture_waits_for_no_other_screen_no_connection_and_no_look_for_garbage(tmp_path):
    secrets = asyncio.run(known(tmp_path, 3))
    done = subprocess.run(
        [sys.executable, "-c", START, json.dumps(secrets)],
        cwd=ROOT,
        env={"FLET_APP_STORAGE_DATA": str(tmp_path), "PYTHONPATH": f"{ROOT}:{ROOT / 'ios/src'}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert done.returncode == 0, done.stderr
    modules, looked, looks = json.loads(done.stdout)
    screens = {name for name in modules if name.startswith("autopilot_ios.screens.")}
    assert screens == {"autopilot_ios.screens.workers", "autopilot_ios.screens.more"}
    assert "httpcore2" not in modules
    assert (looked, looks) == (False, True)

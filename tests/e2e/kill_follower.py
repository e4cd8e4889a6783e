"""A follower as a process of its own, to be killed: `python kill_follower.py SEEN_FILE`, settings as JSON on stdin.

Writes each event as one line of its file, which is its cursor too: what is written was seen, what is not was not.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from autopilot.client import RuntimeCodexClient


@dataclass
class Settings:
    """Whom to follow, and where."""

    url: str
    token: str
    worker_id: str


def take_up(file: BinaryIO) -> int:
    """The last seq of the file; a line that a kill cut short goes."""
    file.seek(0)
    whole = file.read().rpartition(b"\n")[0]
    file.truncate(len(whole) + 1 if whole else 0)
    file.seek(0, 2)
    return int(json.loads(whole.rpartition(b"\n")[2])["seq"]) if whole else 0


async def follow(settings: Settings, seen: Path) -> None:
    """Follow until killed."""
    with seen.open("r+b", buffering=0) as file:  # this process does nothing else
        cursor = take_up(file)
        async with (
            RuntimeCodexClient(settings.url, settings.token) as client,
            client.follow(settings.worker_id, cursor=cursor) as events,
        ):
            async for event in events:
                file.write(json.dumps({"seq": event.seq, "event_id": event.eventId}).encode() + b"\n")


if __name__ == "__main__":
    asyncio.run(follow(Settings(**json.load(sys.stdin)), Path(sys.argv[1])))

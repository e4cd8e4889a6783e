"""Many followers of one event stream in one process, cheap enough not to be what is measured.

Each follower is a bare socket that looks for `"t":<nanoseconds>` in what it receives: the publisher's
CLOCK_MONOTONIC, which all processes of one machine share. No parsing, no dechunking.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field

STAMP = re.compile(rb'"t":\s?(\d+)')


@dataclass
class Tally:
    """What all followers of a swarm saw together; latencies in milliseconds."""

    latencies_ms: list[float] = field(default_factory=list)
    deliveries: int = 0
    opened: int = 0
    refused: list[bytes] = field(default_factory=list)
    lost: int = 0

    def percentile(self, share: float) -> float:
        """The latency that `share` (0..1) of the deliveries did not exceed."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")

    def clear(self) -> None:
        """Forget what was seen so far, keep the connections."""
        self.latencies_ms.clear()
        self.deliveries = 0


class Follower(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self.request = request
        self.tally = tally
        self.answered = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if not self.answered:
            self.answered = True
            if b" 200 " in data[:20]:
                self.tally.opened += 1
            else:
                self.tally.refused.append(data[:400])
        for stamp in STAMP.findall(data):
            self.tally.deliveries += 1
            self.tally.latencies_ms.append((now - int(stamp)) / 1e6)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.tally.lost += 1


async def follow(
    port: int, path: str, count: int, *, headers: dict[str, str] | None = None
) -> tuple[Tally, list[Follower]]:
    """Open `count` followers and wait until each was answered.

    Raises:
        RuntimeError: one was refused; its answer is in the message.
        TimeoutError: not all were answered within 60 seconds.
    """
    tally = Tally()
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: text/event-stream"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    loop = asyncio.get_running_loop()
    swarm: list[Follower] = []
    async with asyncio.timeout(60):
        for start in range(0, count, 50):
            batch = await asyncio.gather(
                *(
                    loop.create_connection(lambda: Follower(request, tally), "127.0.0.1", port)
                    for _ in range(min(50, count - start))
                )
            )
            swarm += [protocol for _, protocol in batch]
        while tally.opened + len(tally.refused) < count:
            await asyncio.sleep(0.02)
    if tally.refused:
        raise RuntimeError(f"{len(tally.refused)} of {count} followers refused: {tally.refused[0]!r}")
    return tally, swarm


def close(swarm: list[Follower]) -> None:
    """End all connections at once."""
    for follower in swarm:
        if follower.transport:
            follower.transport.abort()

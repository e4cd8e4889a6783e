"""Waiting until a server is ready. Speaks the little HTTP that takes: a whole client loads longer than it asks."""

from __future__ import annotations

import asyncio

from autopilot.ops.clock import Clock

POLL_SECONDS = 0.05
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def wait_until_ready(host: str, port: int, clock: Clock, *, within_seconds: float) -> bool:
    """Whether `GET /readyz` there answered 200 within the time."""
    give_up_at = clock.monotonic() + within_seconds
    while clock.monotonic() < give_up_at:
        if await _answers_200(host, port, give_up_at - clock.monotonic()):
            return True
        await clock.sleep(POLL_SECONDS)
    return False


async def _answers_200(host: str, port: int, within_seconds: float) -> bool:
    """One question; a server that is still starting leaves it waiting in the socket's queue."""
    try:
        async with asyncio.timeout(within_seconds):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(REQUEST)
                status_line = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status_line.split(b" ")[1:2] == [b"200"]

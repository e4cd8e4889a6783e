"""Waiting until a server says that it is ready."""

from __future__ import annotations

import asyncio

import httpx2

from autopilot.ops.clock import Clock

POLL_SECONDS = 0.05


async def wait_until_ready(url: str, clock: Clock, *, within_seconds: float) -> bool:
    """Whether `GET <url>/readyz` answered 200 within the time."""
    give_up_at = clock.monotonic() + within_seconds
    async with httpx2.AsyncClient(timeout=within_seconds, trust_env=False) as client:
        while clock.monotonic() < give_up_at:
            if await _answers_200(client, f"{url}/readyz"):
                return True
            await clock.sleep(POLL_SECONDS)
    return False


async def _answers_200(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        async with asyncio.timeout(5):
            return (await client.get(url)).status_code == httpx2.codes.OK
    except (httpx2.HTTPError, TimeoutError):
        return False

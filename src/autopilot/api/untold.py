"""Telling the runtime what a transaction of ours left to tell: until it answered, at least once.

Each kind keeps its own rows (revocations, departures, deletions, the audit), written in the transaction that is told
of, and deletes one after the runtime's answer, not before: a runtime that is away, or an API that dies in between,
makes it later, never forgotten. Here is how they ask, and how long they wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimePort, RuntimeRequest
from autopilot.db.away import AWAY
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger

RETRY_SECONDS = 2.0
"""How often what is still untold is tried again; also finds what another process left."""
ANSWER_SECONDS = 10.0
AT_ONCE = 100
OK = 200

log = get_logger("autopilot.api")


async def is_taken(port: RuntimePort, request: RuntimeRequest, what: str, **facts: object) -> bool:
    """Whether the runtime took it; `facts` say in the log what it did not take."""
    facts |= {"what": what, "x_request_id": request.headers.get("x-request-id")}
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            response = await port.call(request)
    except (Unavailable, TimeoutError) as error:
        log.warning("runtime.not_told", error=str(error), **facts)
        return False
    if response.status != OK:
        log.warning("runtime.not_told", status=response.status, **facts)
    return response.status == OK


async def keep_telling(tell: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Tell what is untold, every two seconds, until cancelled."""
    while True:
        await tell()
        await clock.sleep(RETRY_SECONDS)


async def tell_now(tell: Callable[[], Awaitable[None]], what: str) -> None:
    """The same once, for somebody who waits: what fails is left to `keep_telling`."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await tell()
    except (*AWAY, Unavailable, TimeoutError) as error:
        log.warning("runtime.left_untold", what=what, error=str(error))

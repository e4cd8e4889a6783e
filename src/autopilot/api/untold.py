"""Telling the runtime what a transaction of ours left to tell: until it answered, at least once.

Each kind keeps its own rows (revocations, departures, deletions, the audit), written in the transaction that is told
of, and deletes one after the runtime's answer, not before: a runtime that is away, or an API that dies in between,
makes it later, never forgotten. A row that the runtime refuses is told again later and later, and keeps none behind it
waiting; a log line and the metric `autopilot_untold_set_back` say so. Here is how they ask, and how long they wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from prometheus_client import Gauge

from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimePort, RuntimeRequest
from autopilot.db.away import AWAY
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger
from autopilot.ops.metrics import Metrics

RETRY_SECONDS = 2.0
"""How often what is still untold is tried again; also finds what another process left."""
ANSWER_SECONDS = 10.0
AT_ONCE = 100
OK = 200
REFUSALS = frozenset({400, 409, 410, 413, 422, 431})
"""What is about the row itself; what is about who asks, or the route, is everybody's."""
SET_BACK_SECONDS = 30.0
MOST_SECONDS = 3600.0
"""A refused row is told again after half a minute, then twice as long each time, at least once an hour."""
MOST_SET_BACK = 1000
Outcome = Literal["taken", "refused", "away"]
"""`away`: nobody answered, or not now."""

log = get_logger("autopilot.api")


async def ask(port: RuntimePort, request: RuntimeRequest, what: str, **facts: object) -> Outcome:
    """What became of telling it; `facts` say in the log what the runtime did not take."""
    facts |= {"what": what, "x_request_id": request.headers.get("x-request-id")}
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            response = await port.call(request)
    except (Unavailable, TimeoutError) as error:
        log.warning("runtime.not_told", error=str(error), **facts)
        return "away"
    if response.status == OK:
        return "taken"
    log.warning("runtime.not_told", status=response.status, **facts)
    return "refused" if response.status in REFUSALS else "away"


@dataclass(slots=True)
class Setbacks:
    """The rows of one kind that were refused: each is left out for longer and longer, in this process."""

    what: str
    clock: Clock
    gauge: Gauge
    """How many they are, by kind."""
    _set_back: dict[Any, tuple[int, float]] = field(default_factory=dict)
    """Row -> how often it was refused, and until when it is left out."""

    def left_out(self) -> list[Any]:
        """What is not to be told yet."""
        now = self.clock.monotonic()
        return [row for row, (_times, until) in self._set_back.items() if until > now]

    def refused(self, row: Any) -> None:
        """It was refused: leave it out for a while."""
        times = self._set_back.pop(row, (0, 0.0))[0] + 1
        seconds = min(SET_BACK_SECONDS * 2.0 ** min(times - 1, 32), MOST_SECONDS)
        self._set_back[row] = times, self.clock.monotonic() + seconds
        if len(self._set_back) > MOST_SET_BACK:
            del self._set_back[next(iter(self._set_back))]  # it is told again a little early
        log.error("runtime.refuses", what=self.what, row=row, times=times, again_in_seconds=seconds)
        self._count()

    def taken(self, rows: Iterable[Any]) -> None:
        """They were taken."""
        for row in rows:
            self._set_back.pop(row, None)
        self._count()

    def _count(self) -> None:
        self.gauge.labels(what=self.what).set(len(self._set_back))

    async def tell_each(self, rows: list[tuple[Any, Callable[[], Awaitable[Outcome]]]]) -> None:
        """Tell one after the other; each by its name, and by what tells it and notes that it was taken.

        What fails while others are taken is the row's own fault, whatever the status says.
        """
        failed: list[Any] = []
        is_there = False
        for row, tell in rows:
            outcome = await tell()
            if outcome == "taken":
                is_there = True
                self.taken([row])
            elif outcome == "refused":
                self.refused(row)
            else:
                failed.append(row)
        for row in failed if is_there else ():
            self.refused(row)


def setbacks_gauge(metrics: Metrics) -> Gauge:
    """The metric that all kinds share."""
    purpose = "What the runtime is to be told and refuses: left out for a while, and told again; by kind."
    return metrics.gauge("untold_set_back", purpose, ("what",))


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

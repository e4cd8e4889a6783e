"""Notices that somebody guesses codes, and says so: in the log, in the metrics, in the audit. Refuses nothing itself.

Guesses are counted by network address, by e-mail address and in all; a count over its number within the window raises
an alarm, once a window for each of them. Relies on the limits elsewhere to make guessing hopeless (docs/protocol.md,
"Signing in"); an alarm is for the operator to know. Kept in this process, as the limits are; lines of the audit are
written within seconds, apart from what was refused, and kept until that has been done: a refusal that is rolled back,
or a database that is away, loses none.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

import asyncpg

from autopilot.api import audit
from autopilot.api.audit import Caller
from autopilot.api.limits import Limit
from autopilot.contract.errors import RateLimited
from autopilot.db.away import AWAY
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger
from autopilot.ops.metrics import Metrics

WINDOW_SECONDS = 600.0
OF_AN_ADDRESS = 20
"""A household that mistypes stays far below it."""
OF_AN_EMAIL = 10
"""Two codes' worth of wrong guesses."""
OF_ALL = 200
"""Many addresses, few guesses each: nobody stands out, the sum does."""
UNWRITTEN = 100
"""Lines that are kept; what is noticed beyond them is counted in one."""
INTERVAL_SECONDS = 2.0
LAST_SECONDS = 1.0
"""How long the end of the process may take to write down what is left."""

MANY = "many"
"""In the place of an address, as of refusals."""

log = get_logger("autopilot.api")


class Alarm:
    """Counts refused sign-ins. Keep `run` running."""

    def __init__(self, metrics: Metrics, pool: asyncpg.Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        monotonic = clock.monotonic
        self._refused = metrics.counter("sign_in_refusals", "Sign-ins and steps up refused, by reason.", ("reason",))
        self._raised = metrics.counter(
            "sign_in_alarms", "Times that guessing was noticed, by what gave it away.", ("by",)
        )
        self._limits = {
            name: Limit(most / WINDOW_SECONDS, most, monotonic)
            for name, most in (("address", OF_AN_ADDRESS), ("email", OF_AN_EMAIL), ("all", OF_ALL))
        }
        self._told = Limit(1 / WINDOW_SECONDS, 1, monotonic)
        self._unwritten: deque[tuple[str, str, Caller]] = deque()
        self._beyond = 0
        self._telling = asyncio.Lock()

    def refused(self, caller: Caller, subject: str | None) -> None:
        """A code was wrong. `subject`: `email:<digest>`, where an address was named."""
        self._refused.labels("code").inc()
        self._notice(caller, subject)

    async def run(self) -> None:
        """Write down what was noticed, every two seconds, until cancelled; then what is left."""
        try:
            while True:
                await self._clock.sleep(INTERVAL_SECONDS)
                await self.tell()
        except asyncio.CancelledError:
            with contextlib.suppress(*AWAY, TimeoutError):
                async with asyncio.timeout(LAST_SECONDS):
                    await self.tell()
            raise

    async def tell(self) -> None:
        """Write it down now; what can't be written stays."""
        async with self._telling:
            due, beyond = list(self._unwritten), self._beyond
            if not due:
                return
            async with self._pool.acquire() as connection, connection.transaction():
                for by, key, caller in due:
                    await _write(connection, caller, key, {"by": by})
                if beyond:
                    await _write(connection, Caller(MANY), None, {"by": MANY, "times": beyond})
            for _ in due:
                self._unwritten.popleft()
            self._beyond -= beyond

    def admit(self, rate: Limit, caller: Caller) -> None:
        """Let a call that proves somebody by a code through its limit; who runs into it is counted too.

        Raises:
            RateLimited: `sign_in_rate`.
        """
        try:
            rate.admit(caller.address, reason_code="sign_in_rate")
        except RateLimited:
            self._refused.labels("rate").inc()
            self._notice(caller, None)
            raise

    def _notice(self, caller: Caller, subject: str | None) -> None:
        keys = {"address": f"address:{caller.address}", "all": "all"} | ({"email": subject} if subject else {})
        for by, key in keys.items():
            if self._limits[by].wait_seconds(key) and not self._told.wait_seconds(key):
                self._raised.labels(by).inc()
                log.warning("guessing_noticed", by=by, address=caller.address, window_seconds=WINDOW_SECONDS)
                if len(self._unwritten) < UNWRITTEN:
                    self._unwritten.append((by, key, caller))
                else:
                    self._beyond += 1


async def _write(connection: Any, caller: Caller, key: str | None, detail: dict[str, Any]) -> None:
    detail |= {"window_seconds": WINDOW_SECONDS}
    await audit.record(connection, "guessing_noticed", caller, outcome="refused", subject=key, detail=detail)

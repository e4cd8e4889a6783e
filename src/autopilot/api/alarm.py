"""Notices that somebody guesses codes, and says so: in the log, in the metrics, in the audit. Refuses nothing itself.

Guesses are counted by network address, by e-mail address and in all; a count over its number within the window raises
an alarm, once a window for each of them. Relies on the limits elsewhere to make guessing hopeless (docs/protocol.md,
"Signing in"); an alarm is for the operator to know. Kept in this process, as the limits are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from autopilot.api import audit
from autopilot.api.audit import Caller
from autopilot.api.limits import Limit
from autopilot.contract.errors import RateLimited
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

log = get_logger("autopilot.api")


class Alarm:
    """Counts refused sign-ins."""

    def __init__(self, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        self._refused = metrics.counter("sign_in_refusals", "Sign-ins and steps up refused, by reason.", ("reason",))
        self._raised = metrics.counter(
            "sign_in_alarms", "Times that guessing was noticed, by what gave it away.", ("by",)
        )
        self._limits = {
            name: Limit(most / WINDOW_SECONDS, most, monotonic)
            for name, most in (("address", OF_AN_ADDRESS), ("email", OF_AN_EMAIL), ("all", OF_ALL))
        }
        self._told = Limit(1 / WINDOW_SECONDS, 1, monotonic)
        # Noticed by the limit of calls, where no transaction is at hand; the next wrong code writes it down too.
        self._unwritten: deque[tuple[str, str, Caller]] = deque(maxlen=UNWRITTEN)

    async def refused(self, connection: Any, caller: Caller, subject: str | None) -> None:
        """A code was wrong; within the transaction that says so. `subject`: `email:<address>`, where one was named."""
        self._refused.labels("code").inc()
        found = [*self._unwritten, *self._noticed(caller, subject)]
        self._unwritten.clear()
        for by, key, by_whom in found:
            detail = {"by": by, "window_seconds": WINDOW_SECONDS}
            await audit.record(connection, "guessing_noticed", by_whom, outcome="refused", subject=key, detail=detail)

    def admit(self, rate: Limit, caller: Caller) -> None:
        """Let a call that proves somebody by a code through its limit; who runs into it is counted too.

        Raises:
            RateLimited: `sign_in_rate`.
        """
        try:
            rate.admit(caller.address, reason_code="sign_in_rate")
        except RateLimited:
            self._refused.labels("rate").inc()
            self._unwritten.extend(self._noticed(caller, None))
            raise

    def _noticed(self, caller: Caller, subject: str | None) -> list[tuple[str, str, Caller]]:
        keys = {"address": f"address:{caller.address}", "all": "all"} | ({"email": subject} if subject else {})
        found = []
        for by, key in keys.items():
            if self._limits[by].wait_seconds(key) and not self._told.wait_seconds(key):
                self._raised.labels(by).inc()
                log.warning("guessing_noticed", by=by, address=caller.address, window_seconds=WINDOW_SECONDS)
                found.append((by, key, caller))
        return found

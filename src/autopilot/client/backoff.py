"""When to try again: exponential backoff with full jitter. Pure: given random numbers, always the same delays.

Source of the rule: docs/protocol.md, "Errors" (`Retry-After`) and "Stream" (resuming). A server's `Retry-After` is a
floor: the jitter comes on top, so that a crowd that was told the same second doesn't come back in the same instant.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from autopilot.contract.errors import AutopilotError, NetworkError, Problem, RateLimited, RequestTimeout, Unavailable

RETRY_AFTER_LIMIT_SECONDS = 3600.0
"""A server that names more than this is believed for an hour at a time."""

GATEWAY_STATUSES = frozenset({500, 502, 503, 504, 520, 521, 522, 523, 524})
"""What proxies answer when what is behind them doesn't."""


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """Delay number n (from 0) is uniform in 0..min(cap, base * factor ** n) seconds."""

    base_seconds: float = 0.5
    factor: float = 2.0
    cap_seconds: float = 30.0

    def ceiling(self, attempt: int) -> float:
        """The largest delay that attempt number `attempt` (from 0) may wait."""
        if attempt > 64:  # noqa: PLR2004 - beyond any cap; keeps the power finite
            return self.cap_seconds
        return min(self.cap_seconds, self.base_seconds * self.factor**attempt)


class Backoff:
    """A run of failures: each `next_delay` waits longer, `reset` starts over."""

    def __init__(self, policy: BackoffPolicy | None = None, *, rng: Callable[[], float] = random.random) -> None:
        """`rng` returns floats in [0, 1)."""
        self.policy = policy or BackoffPolicy()
        self.attempt = 0
        self._rng = rng

    def next_delay(self, retry_after_seconds: float | None = None) -> float:
        """Seconds to wait before the next attempt; counts this one."""
        jitter = self._rng() * self.policy.ceiling(self.attempt)
        self.attempt += 1
        if retry_after_seconds is None:
            return jitter
        return min(max(0.0, retry_after_seconds), RETRY_AFTER_LIMIT_SECONDS) + min(jitter, self.policy.base_seconds)

    def reset(self) -> None:
        """What was tried worked: the next failure is the first again."""
        self.attempt = 0


def is_transient(error: AutopilotError) -> bool:
    """Whether the same call may work a little later, with nothing changed by us."""
    if isinstance(error, (NetworkError, Unavailable, RateLimited, RequestTimeout)):
        return True
    return error.status in GATEWAY_STATUSES


def is_final(error: AutopilotError) -> bool:
    """Whether a server of ours says no, and would again; what somebody else answered in its place says nothing."""
    return isinstance(error, Problem) and not is_transient(error)

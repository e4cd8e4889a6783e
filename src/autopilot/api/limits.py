"""Rate limits: the generic cell rate algorithm, one number a key.

A key may spend `burst` at once and `rate_per_second` in the long run; what is over is refused with the time until it
would be admitted. Kept in this process: several API processes each allow their share. Never waits, never blocks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from autopilot.contract.errors import RateLimited

KEYS = 50_000
"""Keys remembered at once."""
LOOKS = 4
"""Where there are more, so many are looked at, those of long ago first, for one that is back within its rate: whatever
floods this, a call costs no more."""


class Limit:
    """One limit over many keys."""

    def __init__(
        self, rate_per_second: float, burst: float, monotonic: Callable[[], float], *, keys: int = KEYS
    ) -> None:
        self._interval_seconds = 1.0 / rate_per_second
        self._tolerance_seconds = self._interval_seconds * max(burst, 1.0)
        self._monotonic = monotonic
        self._keys = keys
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()  # key -> when it will have paid for all it spent

    def wait_seconds(self, key: Hashable, cost: float = 1.0) -> float:
        """Spend, and return 0; or spend nothing, and return the seconds until this would be admitted."""
        now = self._monotonic()
        paid_at = max(self._full_at.get(key, now), now) + cost * self._interval_seconds
        over = paid_at - now - self._tolerance_seconds
        if over > 1e-9:  # noqa: PLR2004 - sums of floats: a billionth of a second is no excess
            return over
        self._full_at[key] = paid_at
        if len(self._full_at) > self._keys:
            self._forget(now)
        return 0.0

    def admit(self, key: Hashable, *, reason_code: str, cost: float = 1.0) -> None:
        """Spend.

        Raises:
            RateLimited: with the time after which it would be admitted.
        """
        wait = self.wait_seconds(key, cost)
        if wait:
            raise RateLimited("too many requests", reason_code=reason_code, retry_after_seconds=wait)

    def give_back(self, key: Hashable, cost: float = 1.0) -> None:
        """What was spent was not for what is limited."""
        paid_at = self._full_at.get(key)
        if paid_at is not None:
            self._full_at[key] = paid_at - cost * self._interval_seconds

    def _forget(self, now: float) -> None:
        """Forget one: who has paid, else who was first of those looked at, at worst too kindly."""
        for _look in range(LOOKS):
            key, paid_at = self._full_at.popitem(last=False)
            if paid_at <= now:
                return
            self._full_at[key] = paid_at
        self._full_at.popitem(last=False)

"""What of notifications is counted, for an operator to see that they go out (docs/guide/notifications.md).

Owns the names and label sets of these metrics; every label has few values by construction, and none names anybody.
Each process counts what it did itself; the age of the oldest is of the whole installation.
"""

from __future__ import annotations

from autopilot.ops.metrics import Metrics


class PushCounts:
    """Counts."""

    def __init__(self, metrics: Metrics) -> None:
        self._sent = metrics.counter("push_sent", "Notifications that a push service took, by kind.", ("kind",))
        self._failures = metrics.counter(
            "push_failures", "Tries to send a notification that a push service did not take, by failure.", ("failure",)
        )
        self._dropped = metrics.counter(
            "push_dropped", "Notifications that were given up or not needed any more, by reason.", ("why",)
        )
        self._oldest = metrics.gauge(
            "push_oldest_unsent_seconds", "Age of the oldest notification that is neither sent nor given up, or 0."
        )

    def sent(self, kind: str) -> None:
        """A push service took it."""
        self._sent.labels(kind).inc()

    def failed(self, failure: str) -> None:
        """A push service did not take it, this time."""
        self._failures.labels(failure).inc()

    def dropped(self, why: str, count: int = 1) -> None:
        """Nobody will send it."""
        self._dropped.labels(why).inc(count)

    def oldest_unsent(self, seconds: float) -> None:
        """Since when the oldest waits."""
        self._oldest.set(seconds)

"""What a runtime counts for its operators, beside what its HTTP server counts of itself.

Owns the names and label sets of these metrics; every label has few values by construction. Never counts what was rolled
back: the ledger tells after the commit. Source: docs/protocol.md, "Health".
"""

from __future__ import annotations

from autopilot.ops.metrics import Metrics
from autopilot.runtime.ledger import LedgerTx
from autopilot.runtime.policy import DENIED, WORDS

OTHER = "other"


class Counts:
    """The counters of one runtime."""

    def __init__(self, metrics: Metrics) -> None:
        self._denials = metrics.counter(
            "policy_denials", "Requests and answers that a policy refused, each once, by reason.", ("reason_code",)
        )
        self._broken_logs = metrics.counter(
            "retention_broken_logs", "Logs left alone in a sweep, because a row was altered or is missing."
        )
        for word in WORDS:
            self._denials.labels(f"{DENIED}{word}")

    def log_broken(self) -> None:
        """Retention has left a log alone."""
        self._broken_logs.inc()

    def committed(self, tx: LedgerTx) -> None:
        """Count what this transaction has refused."""
        for word in tx.denied:
            self._denials.labels(f"{DENIED}{word if word in WORDS else OTHER}").inc()

"""Metrics of one process, in Prometheus' text form.

A registry of its own, no globals: two apps in one test don't share counts. A label has few values by construction; one
that names an id is refused, because it would make a time series for every worker that ever was.
"""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
"""Buckets for latencies."""
FORBIDDEN_LABELS = frozenset({"id", "path", "url", "email", "user", "worker", "machine", "device", "session", "token"})


class Metrics:
    """Makes and renders the metrics of a process. Names begin with `autopilot_`."""

    def __init__(self, *, process: bool = False) -> None:
        """`process`: also report this process's memory, CPU, files and garbage collections."""
        self.registry = CollectorRegistry(auto_describe=True)
        if process:
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=self.registry)
        self.requests = self.counter(
            "http_requests", "Requests ended, by route and status.", ("method", "route", "status")
        )
        self.request_seconds = self.histogram("http_request_seconds", "Time to the end of a response.", ("route",))
        self.open_requests = self.gauge("http_requests_open", "Requests being answered now, streams included.")
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def ended(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request, by its route's name (never its path)."""
        series = self._series.get((method, route, status))
        if series is None:
            series = self.requests.labels(method, route, str(status)), self.request_seconds.labels(route)
            self._series[method, route, status] = series
        requests, request_seconds = series
        requests.inc()
        request_seconds.observe(seconds)

    def counter(self, name: str, purpose: str, labels: Sequence[str] = ()) -> Counter:
        """A count that only rises. Raises ValueError for a label that names an id."""
        return Counter(f"autopilot_{name}", purpose, _checked(labels), registry=self.registry)

    def gauge(self, name: str, purpose: str, labels: Sequence[str] = ()) -> Gauge:
        """A value that moves both ways. Raises ValueError as `counter`."""
        return Gauge(f"autopilot_{name}", purpose, _checked(labels), registry=self.registry)

    def histogram(
        self, name: str, purpose: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS
    ) -> Histogram:
        """A distribution, of seconds unless `buckets` say otherwise. Raises ValueError as `counter`."""
        return Histogram(f"autopilot_{name}", purpose, _checked(labels), registry=self.registry, buckets=buckets)

    def render(self) -> tuple[bytes, str]:
        """The body of GET /metrics and its content type."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST


def _checked(labels: Sequence[str]) -> Sequence[str]:
    for label in labels:
        if label in FORBIDDEN_LABELS or label.endswith("_id"):
            raise ValueError(f"The label {label!r} would have a value for each of them: count without it.")
    return labels

"""Metrics are per app, and their labels have few values."""

from __future__ import annotations

import pytest

from autopilot.ops.metrics import Metrics


def test_what_is_counted_is_rendered() -> None:
    metrics = Metrics(process=True)
    metrics.counter("appends", "Events appended.", ("kind",)).labels("single").inc(3)

    body, content_type = metrics.render()

    assert b'autopilot_appends_total{kind="single"} 3.0' in body
    assert b"process_resident_memory_bytes" in body
    assert content_type.startswith("text/plain")


@pytest.mark.parametrize("label", ["worker_id", "user", "path", "id"])
def test_a_label_that_names_an_id_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=f"'{label}' would have a value for each"):
        Metrics().counter("appends", "Events appended.", (label,))


def test_two_apps_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()

    one.open_requests.inc()

    assert b"autopilot_http_requests_open 1.0" in one.render()[0]
    assert b"autopilot_http_requests_open 0.0" in other.render()[0]

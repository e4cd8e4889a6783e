"""What the runtime knows of a method (docs/protocol.md, "Requests and receipts")."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autopilot.contract.errors import Unprocessable
from autopilot.runtime.requests_methods import check_params, lifetime


def test_a_stop_waits_for_ever_work_for_a_day_and_the_rest_for_a_minute() -> None:
    assert lifetime("worker/stop") is None
    assert lifetime("turn/start") == lifetime("thread/start") == timedelta(hours=24)
    assert lifetime("turn/interrupt") == lifetime("turn/steer") == timedelta(seconds=60)
    assert lifetime("thread/read") == lifetime("something/new") == timedelta(seconds=60)


@pytest.mark.parametrize(("method", "field"), [("turn/interrupt", "turnId"), ("turn/steer", "expectedTurnId")])
@pytest.mark.parametrize("value", [None, "", 7])
def test_interrupting_or_steering_needs_the_id_of_the_turn(method: str, field: str, value: object) -> None:
    with pytest.raises(Unprocessable) as refused:
        check_params(method, {field: value})

    assert refused.value.fact("field") == f"request.params.{field}"


def test_with_its_turn_named_it_may_go() -> None:
    check_params("turn/interrupt", {"turnId": "t1"})
    check_params("turn/steer", {"expectedTurnId": "t1"})
    check_params("turn/start", {})

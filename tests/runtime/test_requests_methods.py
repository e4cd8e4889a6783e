"""What the runtime knows of a method (docs/protocol.md, "Requests and receipts")."""

from __future__ import annotations

from datetime import timedelta

import pytest

from autopilot.contract.errors import Unprocessable
from autopilot.runtime.requests_methods import check_params, is_denied, lifetime


def test_a_stop_waits_for_ever_work_for_a_day_and_the_rest_for_a_minute() -> None:
    assert lifetime("worker/stop") is None
    assert lifetime("turn/start") == lifetime("thread/start") == timedelta(hours=24)
    assert lifetime("turn/interrupt") == lifetime("turn/steer") == timedelta(seconds=60)
    assert lifetime("thread/read") == lifetime("something/new") == timedelta(seconds=60)


@pytest.mark.parametrize(
    "method",
    [
        "thread/shellCommand",
        "process/spawn",
        "fs/readFile",
        "config/read",
        "config/batchWrite",
        "command/exec",
        "command/exec/write",
        "account/login/start",
    ],
)
def test_what_would_give_away_the_machine_itself_is_denied(method: str) -> None:
    assert is_denied(method)


@pytest.mark.parametrize("method", ["turn/start", "thread/read", "account/read", "configRequirements/read", "fsx/y"])
def test_what_only_looks_like_it_is_not(method: str) -> None:
    assert not is_denied(method)


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

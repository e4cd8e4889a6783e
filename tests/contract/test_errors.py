"""One table ties errors to HTTP, for server and client alike."""

from __future__ import annotations

import pytest

from autopilot.contract.errors import Conflict, Problem, UnknownError, from_response


@pytest.mark.parametrize("kind", Problem.by_status.values())
def test_a_problem_that_crosses_the_wire_is_raised_as_itself(kind: type[Problem]) -> None:
    sent = kind("no", reason_code="because", expected=3)

    received = from_response(kind.status or 0, sent.body(), request_id="r1")

    assert type(received) is kind
    assert (received.message, received.reason_code, received.fact("expected")) == ("no", "because", 3)
    assert received.request_id == "r1"


def test_a_response_that_is_none_of_ours_is_unknown_and_keeps_its_status() -> None:
    error = from_response(502, None)

    assert isinstance(error, UnknownError)
    assert error.status == 502


@pytest.mark.parametrize("body", [None, [], "no", {"error": "no"}, {"error": {"message": "no"}}, {"message": "denied"}])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 415, 422])
def test_a_refusal_without_the_contracts_form_is_somebody_elses_and_says_nothing_of_ours(
    status: int, body: object
) -> None:
    error = from_response(status, body)

    assert type(error) is UnknownError
    assert error.status == status


@pytest.mark.parametrize("status", [408, 413, 429, 431, 503])
def test_too_much_and_not_now_mean_the_same_whoever_says_it(status: int) -> None:
    assert type(from_response(status, None)) is Problem.by_status[status]


def test_the_first_detail_carries_the_facts_a_program_needs() -> None:
    body = Conflict("gap", reason_code="gap", expected=7).body()

    assert body == {"error": {"code": "conflict", "message": "gap", "details": [{"reason_code": "gap", "expected": 7}]}}

"""What a client knows of the API by asking it, apart from what the API said of the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from autopilot.client.health import ApiFact, known
from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import Forbidden, NetworkError, RateLimited, Unavailable, UnknownError
from autopilot.testing.streaming_server import blank_snapshot

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("error", "state", "as_of"),
    [
        (NetworkError("no answer", reason_code="timeout"), "unreachable", NOW),
        (Unavailable("away", reason_code="runtime_unreachable"), "unavailable", LATER),
        (UnknownError("a page of a proxy", reason_code="malformed_answer"), "unavailable", LATER),
        (Forbidden("not yours", reason_code="role"), "ok", LATER),
        (RateLimited("too many", reason_code="session_rate"), "ok", LATER),
        (SignInAgain("signed out"), "ok", NOW),  # said without asking anybody
    ],
)
def test_what_a_failed_look_says_of_the_api(error, state, as_of):
    api = ApiFact()
    api.answered(NOW)

    api.failed(error, LATER)

    assert api.fact.state == state
    assert datetime.fromisoformat(api.fact.as_of) == as_of
    assert api.is_well == (state == "ok")


def test_trouble_is_told_since_its_first_look_and_ends_with_an_answer():
    api = ApiFact()
    api.answered(NOW)
    api.failed(NetworkError("no answer", reason_code="timeout"), LATER)
    api.failed(Unavailable("away", reason_code="database"), LATER + timedelta(seconds=5))
    troubled = api.fact
    api.answered(LATER + timedelta(seconds=9))

    assert troubled.detail == {"reason_code": "database", "since": "2026-11-22T08:00:30.000000Z"}
    assert (api.fact.state, api.fact.detail) == ("ok", None)


def test_only_the_fact_of_the_api_is_the_clients_own():
    api = ApiFact()
    worker = blank_snapshot("w")

    before = known(None, api.fact)
    api.failed(NetworkError("no answer", reason_code="timeout"), NOW)
    after = known(worker, api.fact)

    assert {fact.state for fact in (before.api, before.machine, before.codex, before.data)} == {"unknown"}
    assert after.api.state == "unreachable"
    assert (after.machine, after.codex, after.data) == (worker.health.machine, worker.health.codex, worker.health.data)

"""Each error has its own plain sentence and a way out, whatever the server says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopilot.client.handshake import HandshakeTimeout
from autopilot.client.presenters import errors
from autopilot.client.tokens import SignInAgain
from autopilot.contract.errors import NetworkError, Problem, from_response

STATUSES = sorted(status for status in Problem.by_status if status is not None and status != 500)
WAYS = {"sign_in", "step_up", "reload", "retry", "wait", "correct", "back", "none"}


def answered(status: int, reason: str | None = None, *, retry: float | None = None, **facts):
    details = [{"reason_code": reason, **facts}] if reason else []
    body = {"error": {"code": "x", "message": "<server's words>", "details": details}}
    return from_response(status, body, request_id="x1", retry_after_seconds=retry)


@pytest.mark.parametrize("status", STATUSES)
def test_each_status_has_a_sentence_a_hint_and_a_way_out(status):
    told = errors.trouble(answered(status))

    assert told.sentence.endswith(".")
    assert told.hint.endswith(".") or told.way == "correct"
    assert told.way in WAYS
    assert ("server's words" in errors.words(answered(status))) == (told.way == "correct")
    assert told.reference == "x1"


def test_the_statuses_that_a_person_meets_differ_from_each_other():
    met = (401, 403, 409, 410, 422, 429, 503)

    assert len({errors.trouble(answered(status)).sentence for status in met}) == len(met)
    assert [errors.trouble(answered(status)).way for status in met] == [
        *("sign_in", "none", "reload", "reload", "correct", "wait", "wait"),
    ]


@pytest.mark.parametrize("reason", sorted(errors.BY_REASON))
def test_each_known_reason_is_told_whole(reason):
    words, hint, way = errors.BY_REASON[reason]

    assert words.endswith(".")
    assert hint.endswith(".")
    assert way in WAYS


def test_a_reason_comes_before_its_status_and_an_unknown_one_is_told_by_it():
    known = errors.trouble(answered(409, "answered_differently"))
    unknown = errors.trouble(answered(409, "something_new"))

    assert known.sentence == "Somebody else was faster, with another answer."
    assert unknown.sentence == errors.BY_STATUS[409][0]


def test_a_refusal_by_policy_says_which_kind():
    told = errors.trouble(answered(403, "policy_denied.budget_exhausted"))

    assert told.sentence.startswith("The budget is used up")
    assert told.way == "none"
    assert "later than us" in errors.trouble(answered(403, "policy_denied.later_than_us")).sentence


def test_nobody_answered_and_somebody_else_answered_are_two_things():
    network = errors.trouble(NetworkError("x"))
    stranger = errors.trouble(answered(502))

    assert network.sentence == "The server can't be reached."
    assert stranger.sentence == "Something answered that is not Autopilot."
    assert {network.way, stranger.way} == {"retry"}


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_nobody_is_sent_to_the_sign_in_by_a_page_that_stands_between(status):
    assert errors.trouble(from_response(status, None)).sentence == "Something answered that is not Autopilot."


def test_what_has_no_status_is_told_by_its_kind():
    assert errors.trouble(SignInAgain("x")).way == "sign_in"
    assert "handshake" in errors.trouble(HandshakeTimeout("x")).sentence


def test_how_long_to_wait_is_said():
    told = errors.trouble(answered(429, "session_rate", retry=12.2))

    assert (told.hint, told.wait_seconds) == ("Try again in 13 s.", 13)
    assert errors.trouble(answered(503, retry=300)).hint == "Try again in 5 min."


def test_each_field_that_does_not_fit_is_named():
    details = [{"reason_code": "out_of_range", "field": "limit"}, {"reason_code": "missing", "field": "name"}]
    error = from_response(422, {"error": {"code": "unprocessable", "message": "m", "details": details}})

    assert errors.trouble(error).fields == (("limit", "Out of range"), ("name", "Missing"))


def test_reasons_are_those_that_the_servers_give():
    root = Path(__file__).parents[2]
    rooms = (path for path in (root / "src" / "autopilot").rglob("*.py") if "presenters" not in path.parts)
    source = "".join(path.read_text("utf-8") for path in (*rooms, root / "docs" / "protocol.md"))

    assert [reason for reason in errors.BY_REASON if f'"{reason}"' not in source and f"`{reason}`" not in source] == []

"""What one writes into the request editor, looked through; and a handshake of one's own, in words."""

from __future__ import annotations

import pytest

from autopilot.client.acts import ActView
from autopilot.client.drafts import Drafts
from autopilot.client.handshake import Connected, HandshakeTimeout
from autopilot.client.methods import METHODS
from autopilot.client.presenters import connecting, requesting, stops
from autopilot.client.presenters.people import Names
from autopilot.contract import StoppedWorker
from autopilot.contract.errors import Forbidden, RateLimited

NAMES = Names(machines={"mac_1": "Ada's MacBook"})


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("{", "This is not JSON: expecting property name enclosed in double quotes, in line 1, column 2."),
        ("NaN", "This is not JSON: a number that is none, or too deep."),
        ('{"limit": 1e999}', "This is not JSON: a number that is none, or too deep."),
        ('{"a":' * 100_000, "This is not JSON: a number that is none, or too deep."),
        ("[1]", "Params are a JSON object: { … }."),
        ("{}", "input is missing."),
        ('{"input": "hi"}', "input has to be a list."),
    ],
)
def test_what_can_not_be_sent_says_why(written: str, problem: str):
    draft = requesting.read("turn/start", written)
    assert draft.problems == (problem,)
    assert not draft.can_send


def test_what_only_this_table_does_not_know_is_told_and_can_be_sent():
    draft = requesting.read("turn/start", '{"input": [], "later": 1}')
    assert draft.can_send
    assert draft.note == "Not in the recorded schema, and sent as it is: later."


def test_nothing_written_is_no_params():
    assert requesting.read("thread/archive", " ").params == {}


def test_another_method_brings_its_example_and_takes_nothing_that_somebody_wrote():
    steer = requesting.example("turn/steer")
    assert requesting.begun("turn/steer", "") == steer
    assert requesting.begun("turn/steer", requesting.example("turn/start") + "\n") == steer
    assert requesting.begun("turn/steer", '{"input": [1') == '{"input": [1'
    assert [requesting.is_written(one) for one in (" ", steer, '{"a": 1}')] == [False, False, True]


def test_every_method_is_in_one_group_and_has_words_and_an_example():
    grouped = [method for _name, methods in requesting.groups() for method in methods]
    assert sorted(grouped) == sorted(METHODS)
    for method in grouped:
        assert requesting.words(method)
        assert requesting.parsed(requesting.example(method))[0] is not None


def test_a_handshake_has_words_for_each_of_its_states():
    def now(view: ActView, waited: float | None = None) -> connecting.Connection:
        return connecting.connection(view, NAMES, seconds_waited=waited)

    assert now(ActView("sending")).state == "sending"
    assert (now(ActView("waiting"), 0.0).left, now(ActView("waiting"), 12.4).left) == ("30 s left", "18 s left")
    assert now(ActView("waiting"), 31.0).left == "0 s left"
    assert now(ActView("failed", error=HandshakeTimeout("", asked_seq=4))).label.text.startswith("Timed out: no answer")
    assert now(ActView("failed", error=HandshakeTimeout("", asked_seq=None))).label.text == connecting.NOT_RECORDED
    refused = now(ActView("refused", error=Forbidden("no", reason_code="role")))
    assert refused.state == "failed"
    assert refused.label.text.startswith("It could not be asked: ")
    late = now(ActView("refused", error=RateLimited("no", reason_code="session_rate")))
    assert [refused.may_ask_again, late.may_ask_again] == [False, True]
    connected = now(ActView("done", Connected("w", "h", "mac_1", "ses_1", 7, 8, 0.25)))
    assert dict(connected.facts) == {
        "Machine": "Ada's MacBook",
        "Session": "ses_1",
        "There and back": "250 ms",
        "In the log": "7 asked, 8 answered",
    }
    told = [connecting.idle(), refused, late, connecting.broken(), connected]
    assert [one.button for one in told] == ["Connect", "Connect", "Try again", "Try again", "Once more"]
    assert connecting.left().state == "idle"


def test_a_stop_says_what_became_of_it():
    stopped = StoppedWorker(worker_id="w", status="stopped", idempotent_replay=True)
    assert stops.became_one(stopped) == ("Stopped", "It was stopped already: nothing was done.")
    away = StoppedWorker(worker_id="w", status="stopping", idempotent_replay=False, machine_unreachable=True)
    assert stops.became_one(away) == ("Being stopped", stops.AWAY_ONE)


def test_what_was_typed_is_kept_by_worker_and_forgotten_with_the_session():
    drafts = Drafts()
    drafts.write("w", "Half")
    for number in range(12):
        drafts.sent("turn/start", str(number % 10))
    drafts.write_request("w", "turn/start", "{")
    drafts.write_request("v", "turn/start", "{")
    drafts.write_request("v", "turn/start", "")
    assert drafts.words("w") == "Half"
    assert (drafts.written("w"), drafts.written("v")) == (("turn/start", "{"), None)
    assert [params for _method, params in drafts.requests] == ["1", "0", "9", "8", "7", "6", "5", "4"]
    drafts.forget()
    assert drafts.words("w") == ""
    assert drafts.written("w") is None
    assert drafts.requests == ()

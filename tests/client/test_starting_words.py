"""What is said of a session that is being made, of an emergency stop, and before an answer goes out."""

from __future__ import annotations

import pytest

from autopilot.client.answering import Answer, first_ask
from autopilot.client.new_session import Draft, thread_params, to_ask
from autopilot.client.presenters import machines, new_session, stops
from autopilot.client.presenters.people import Names
from autopilot.client.presenters.times import parsed
from autopilot.contract import Approval, Machine, Receipt, StopAllWorker, StoppedAll, WorkerSummary, decode

NOW = parsed("2026-11-23T08:00:00Z")
OPTIONS = [
    {"option_id": "accept", "label": "Yes", "effect": "accept"},
    {"option_id": "always", "label": "Always", "effect": "accept_lasting"},
    {"option_id": "decline", "label": "No", "effect": "decline", "takes_message": True},
]


def approval(risk: str, state: str = "pending") -> Approval:
    said = {"approval_id": "a", "worker_id": "w", "incarnation": "i", "codex_request_id": 0, "kind": "command"}
    return decode(Approval, {**said, "state": state, "risk": risk, "options": OPTIONS, "requested_at": "2026-11-23"})


@pytest.mark.parametrize(
    ("risk", "option", "words", "is_asked"),
    [
        ("low", 0, "", False),
        ("high", 0, "", True),
        ("low", 1, "", True),
        ("high", 2, "", False),
        ("low", 2, "another way", False),
        ("low", 0, "another way", True),
    ],
)
def test_a_second_tap_is_asked_for_where_a_slip_costs_too_much(risk: str, option: int, words: str, *, is_asked: bool):
    asked = approval(risk)
    assert (first_ask(asked, Answer(asked.options[option], words=words)) is not None) is is_asked


def test_of_what_waits_no_more_nothing_is_asked_first():
    asked = approval("high", "applied")
    assert first_ask(asked, Answer(asked.options[0])) is None


def test_a_thread_is_started_with_what_is_said_and_nothing_else():
    assert thread_params(Draft("m", "Hello", " /home ", "", "read-only", "never")) == {
        "cwd": "/home",
        "sandbox": "read-only",
        "approvalPolicy": "never",
    }
    assert Draft(sandbox="danger-full-access").is_full
    assert not Draft().is_full


def test_machines_that_one_may_ask_are_offered_the_heard_ones_first():
    found = [
        Machine(machine_id="away", name="A"),
        Machine(machine_id="seen", name="B", role="viewer", last_heard_at="2026-11-23T08:00:00Z"),
        Machine(machine_id="here", name="C", role="operator", last_heard_at="2026-11-23T08:00:00Z"),
    ]
    assert [one.machine_id for one in to_ask(found, NOW)] == ["here", "away"]


def receipt(state: str, **said: object) -> Receipt:
    told = {"request_id": "r", "state": state, "target": "machine", "method": "thread/start", "created_at": "2026"}
    return decode(Receipt, {**told, **said})


def test_how_far_a_start_is_says_why_it_did_not_end_well():
    assert new_session.progress(receipt("accepted", machine_unreachable=True)).waits
    assert new_session.progress(receipt("accepted")).is_under_way
    failed = new_session.progress(receipt("failed", error={"message": "no such folder"}))
    assert not failed.is_under_way
    assert failed.label.text == "Refused by Codex: no such folder"
    assert new_session.progress(receipt("completed", response={"worker_id": "w"})).worker_id == "w"


def test_what_may_not_be_chosen_is_chosen_by_nobody():
    ways = [new_session.Way("a", "A", "", "Forbidden: so."), new_session.Way("b", "B", "")]
    assert new_session.first_allowed(ways, "a") == "b"
    assert new_session.first_allowed(ways, "b") == "b"
    assert new_session.first_allowed(ways[:1], "a") == "a"
    assert ways[0].words == " Forbidden: so."


def worker(number: int, machine: str, activity: str) -> WorkerSummary:
    fact = {"state": "ok", "as_of": None, "detail": None}
    told = {
        "worker_id": f"w{number}",
        "status": "running",
        "latest_seq": 1,
        "activity": {"value": activity, "seq": 1},
        "machine": {"machine_id": machine, "name": machine},
        "health": {"api": fact, "machine": fact, "codex": fact, "data": fact},
        "started_at": "2026-11-23T08:00:00Z",
        "updated_at": "2026-11-23T08:00:00Z",
        "heartbeat_state": "fresh",
        "heartbeat_age_ms": 0,
        "heartbeat_stale_after_ms": 1,
        "metadata": {},
        "execution_mode": "desktop",
        "pending_approvals": 0,
        "lease": {"state": "never"},
    }
    return decode(WorkerSummary, told)


def test_an_emergency_stop_counts_what_it_reaches():
    one = stops.reach([worker(1, "laptop", "running")])
    assert one.startswith("1 session on laptop, 1 of them working.")
    many = stops.reach([worker(number, f"m{number}", "idle") for number in range(3)])
    assert many.startswith("3 sessions on 3 machines, 0 of them working.")


def test_each_stop_says_how_far_it_is():
    error = {"code": "unavailable", "message": "out of reach", "details": []}
    said = [
        decode(StopAllWorker, {"worker_id": "w", "machine_unreachable": away, "idempotent_replay": False, **more})
        for away, more in [
            (False, {"status": "stopped"}),
            (False, {"status": "stopping"}),
            (True, {"status": "stopping"}),
            (False, {"error": error}),
        ]
    ]
    assert [stops.began(one).tone for one in said] == ["good", "busy", "warn", "bad"]
    done = StoppedAll(workers=tuple(said), stopped=1, stopping=2)
    assert stops.counted(done) == "2 asked to stop, 1 stopped, 1 could not be asked."
    assert stops.became(done) == "Stopping"
    verified = receipt("completed", response={"verified": True, "processes": [1, 2]})
    assert stops.ended(verified).text == "Stopped, and looked after: 2 processes ended"
    assert stops.ended(receipt("completed", response={"verified": False})).tone == "warn"


def test_what_is_known_of_a_machine_says_what_is_not():
    facts = {fact.label: fact for fact in machines.facts(Machine(machine_id="m", name=""), Names())}
    assert facts["Companion"].value == "unknown"
    assert facts["Id"].is_code
    assert machines.warnings(Machine(machine_id="m", name="")) == ()
    told = {"method": "desktop/codex", "params": {"drift": "breaking"}, "occurred_at": "2026-11-23T08:00:00Z"}
    differs = decode(Machine, {"machine_id": "m", "name": "", "facts": [told]})
    assert [fact.label for fact in machines.warnings(differs)] == ["Codex's protocol: Differs: some requests fail"]

"""The audit and traces in words."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from autopilot.api.audit import Action
from autopilot.client.presenters import audit
from autopilot.client.presenters.people import Names
from autopilot.contract import Actor, AuditLine, Trace, TraceHop
from autopilot.runtime.audit_log import RuntimeAction

NAMES = Names(me=1, users={2: "ada@example.org"}, devices={"d1": "Ada's iPhone"}, machines={"m1": "laptop"})


def hop(at: str, source: str, what: str, method: str | None = None) -> TraceHop:
    return TraceHop(at=f"2026-11-23T08:00:{at}Z", source=source, what=what, method=method)


def test_every_act_that_is_written_down_has_words() -> None:
    assert {*get_args(Action), *get_args(RuntimeAction)} <= audit.ACTIONS.keys()


def test_an_act_that_nobody_foresaw_is_spelled_out() -> None:
    assert audit.action_words("moon_landed") == "Moon landed"


def test_of_a_request_it_is_said_what_was_asked() -> None:
    line = AuditLine(
        id="a",
        source="request",
        at="2026-11-23T08:00:00Z",
        action="request",
        outcome="done",
        actor=Actor(surface="web"),
        detail={"method": "turn/start"},
    )
    assert audit.line_words(line) == "New turn"
    assert audit.line_words(replace(line, detail={})) == "Asked something of Codex"
    assert audit.line_words(replace(line, action="signed_in")) == "Signed in"


def test_what_it_was_done_to_is_named_where_its_name_is_known() -> None:
    assert audit.subject_words("machine:m1", NAMES) == "Machine laptop"
    assert audit.subject_words("device:d1", NAMES) == "Device Ada's iPhone"
    assert audit.subject_words("user:2", NAMES) == "User ada@example.org"
    assert audit.subject_words("worker:w", NAMES) == "Worker w"
    assert audit.subject_words(None, NAMES) == ""


def test_a_refusal_is_told_from_what_was_done() -> None:
    line = AuditLine(
        id="a",
        source="audit",
        at="2026-11-23T08:00:00Z",
        action="x",
        outcome="refused",
        actor=Actor(surface="web"),
        detail={},
    )
    assert (audit.outcome(line).text, audit.outcome(line).tone) == ("Refused", "bad")


def test_hops_are_told_in_words_with_the_time_since_the_first() -> None:
    hops = (
        hop("00.000", "receipt", "accepted", "turn/start"),
        hop("00.120", "event", "worker.request.received"),
        hop("12.000", "event", "worker.moon.landed"),
        hop("12.000", "approval", "decided"),
        hop("12.000", "audit", "signed_in (refused)"),
    )

    steps = audit.steps(Trace(ids=("r",), hops=hops, cut_off=False))

    assert [(step.words, step.source, step.after) for step in steps] == [
        ("Accepted: New turn", "Receipt", "+0 ms"),
        ("Received", "Log", "+120 ms"),
        ("Moon landed", "Log", "+12.0 s"),
        ("Answered", "Answer", "+12.0 s"),
        ("Signed in (refused)", "Audit", "+12.0 s"),
    ]
    assert audit.steps(Trace(ids=(), hops=(), cut_off=False)) == []

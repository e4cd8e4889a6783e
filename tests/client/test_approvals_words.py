"""A question in words: how grave it is, what became of it and by whom, and what an answer needs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.web.timelines import BROWSER, NAMES, PHONE

from autopilot.client.presenters import approvals
from autopilot.client.presenters.cuts import SHORT
from autopilot.client.presenters.evidence import Fact, evidence
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.people import Names
from autopilot.client.timeline_records import Asked
from autopilot.contract import Approval, ApprovalOption, decode

YES = {"option_id": "yes", "label": "Yes, run it", "effect": "accept"}
ALWAYS = {"option_id": "always", "label": "Yes, always", "effect": "accept_lasting"}
NO = {"option_id": "no", "label": "No", "effect": "decline", "takes_message": True}
STOP = {"option_id": "stop", "label": "No, and stop", "effect": "cancel"}


def approval(**changes: Any) -> Approval:
    told = {
        "approval_id": "ap",
        "worker_id": "w",
        "incarnation": "i",
        "codex_request_id": 1,
        "kind": "command",
        "state": "pending",
        "requested_at": "2026-11-23T08:00:00Z",
        "options": [YES, ALWAYS, NO, STOP],
    }
    return decode(Approval, told | changes)


def answered(option_id: str, **more: Any) -> dict[str, Any]:
    actor = {"user_id": 8, "device_id": "dev_browser", "surface": "web"}
    return {"option_id": option_id, "actor": actor, **more}


@pytest.mark.parametrize(
    ("changes", "words", "tone"),
    [
        ({}, "Waits for an answer", "warn"),
        ({"answerable": False}, "Only to be answered at the computer", "warn"),
        ({"role": "viewer"}, "You may watch. Who operates this session can answer", "quiet"),
        ({"machine_reachable": False}, "Its machine can't be reached: an answer waits until it is back", "warn"),
        (
            {"state": "decided", "decision": answered("yes")},
            "Approved by grace@example.org (Firefox on Linux, web): on its way to the machine",
            "busy",
        ),
        (
            {"state": "decided", "decision": answered("no"), "machine_reachable": False},
            "Declined by grace@example.org (Firefox on Linux, web): it waits for its machine",
            "busy",
        ),
        (
            {
                "state": "applied",
                "outcome": "accepted",
                "decision": {"option_id": "always", "rule_id": "r", "document": "team"},
            },
            "Approved, with the like of it by a rule of the team's policy",
            "good",
        ),
        ({"state": "superseded", "outcome": "declined"}, "Answered at the computer: it was declined", "quiet"),
        ({"state": "expired"}, "Nobody answered in time", "quiet"),
        ({"state": "closed", "closed_reason": "codex_ended"}, "Asked no more: Codex ended", "quiet"),
        ({"state": "closed", "closed_reason": "some_new_reason"}, "Asked no more: some new reason", "quiet"),
        ({"state": "somethingNew"}, "Something new", "quiet"),
    ],
)
def test_what_became_of_it_is_told_with_who_and_why(changes: dict[str, Any], words: str, tone: str) -> None:
    told = approvals.became(approvals.course(approval(**changes)), NAMES)

    assert (told.text, told.tone) == (words, tone)


def test_an_item_of_a_timeline_and_the_approval_say_the_same() -> None:
    item = Asked(
        key="k", seq=1, last_seq=1, at="", what="command", state="applied", outcome="declined", option="No", actor=PHONE
    )
    course = approvals.course(item)

    assert approvals.in_short(course) == Label("Declined", "bad")
    assert approvals.answered_by(course, NAMES) == "You · Ada's iPhone, iPhone app"
    assert approvals.title(item) == approvals.title(approval()) == "Run a command"
    assert (
        approvals.in_short(approvals.course(approval(state="superseded", outcome="accepted"))).text
        == "Allowed, elsewhere"
    )


def test_who_was_faster_is_named() -> None:
    assert approvals.faster(approvals.course(approval()), NAMES) is None
    ruled = approval(state="decided", decision={"option_id": "yes", "rule_id": "r"})
    assert approvals.faster(approvals.course(ruled), NAMES) == "A rule of a policy answered before you"
    other = approval(state="decided", decision=answered("no"))
    assert approvals.faster(approvals.course(other), NAMES) == (
        "grace@example.org (Firefox on Linux, web) answered before you"
    )
    assert BROWSER.user_id == 8


def test_the_gravest_come_first_and_what_is_not_known_is_no_low_risk() -> None:
    order = sorted([None, "low", "high", "medium", "strange"], key=approvals.risk_order)

    assert order[:2] == ["high", "medium"]
    assert order[-1] == "low"
    assert approvals.risk("strange") == approvals.risk(None) == Label("Risk unknown", "warn")


def test_the_plain_no_and_yes_are_in_sight_and_the_rest_is_a_fold_away() -> None:
    offered = approvals.answers(approval().options)

    assert [option.option_id for option in offered.first] == ["no", "yes"]
    assert [option.option_id for option in offered.more] == ["always", "stop"]
    assert [approvals.weight_of(option) for option in approval().options] == ["primary", "plain", "plain", "danger"]


@pytest.mark.parametrize(
    ("risk", "effect", "asks"),
    [("high", "accept", True), ("low", "accept", False), ("low", "accept_lasting", True), ("high", "decline", False)],
)
def test_a_yes_that_costs_much_takes_a_second_tap(risk: str, effect: str, *, asks: bool) -> None:
    option = ApprovalOption(option_id="o", label="Do it", effect=effect)

    assert approvals.needs_second_tap(approval(risk=risk), option) is asks
    said = approvals.confirmation(approval(risk=risk), option, loses_words=True)
    assert said.question == "Do it?"
    assert "Your words for Codex don't go with this answer." in said.means
    assert ("nobody is asked" in said.means) is (effect == "accept_lasting")


def test_guests_viewers_and_those_too_far_away_can_not_answer() -> None:
    assert approvals.can_answer(approval(), NAMES)
    assert approvals.can_answer(approval(role="operator"), NAMES)
    assert not approvals.can_answer(approval(role="viewer"), NAMES)
    assert not approvals.can_answer(approval(), Names())
    assert not approvals.can_answer(approval(answerable=False), NAMES)
    assert not approvals.can_answer(approval(state="decided"), NAMES)


def test_a_long_command_is_said_once_and_whole() -> None:
    command = "git commit --all --message 'tick off the next one' && git log --oneline -1"
    long = approval(title="Run “git commit --all --message 'tick…”?", evidence={"command_line": command})
    assert approvals.headline(long) == "Run this command?"
    assert approvals.title(long).startswith("Run “git commit")
    assert approvals.headline(approval(title="Run “make”?", evidence={"command_line": "make"})) == "Run “make”?"
    assert approvals.headline(approval(title="Run “git…”?")) == "Run “git…”?"


def test_evidence_says_each_thing_once_and_hides_nothing() -> None:
    about = evidence(
        approval(
            url="javascript:alert(1)",
            facts=[
                {"name": "cwd", "label": "Folder", "value": "/home/ada"},
                {"name": "host", "label": "Host", "value": "example.org\u202e"},
            ],
            evidence={"command_line": "bash -lc 'git push'", "cwd": "/home/ada", "reason": "Because"},
        ),
        SHORT,
    )

    assert (about.command, about.folder, about.reason) == ("git push", "/home/ada", "Because")
    assert about.facts == (Fact("Host", "example.org⟨U+202E⟩"),)
    assert not about.may_open
    assert not about.is_empty
    assert evidence(approval(), SHORT).is_empty

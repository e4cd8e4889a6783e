"""What is shown of each kind of item, ready to be drawn: words, labels, folds; and nothing in it that hides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import pytest
from tests.web import hostile, timelines

from autopilot.client import timeline_items as items
from autopilot.client import timeline_records as records
from autopilot.client.presenters import times
from autopilot.client.presenters.cuts import Caps
from autopilot.client.presenters.labels import Label
from autopilot.client.presenters.timeline import PRESENTERS, View, changes_by_itself, present
from autopilot.client.presenters.timeline import doings as did
from autopilot.client.presenters.timeline import messages as said
from autopilot.client.presenters.timeline import people as asked
from autopilot.client.presenters.timeline import turns as turned
from autopilot.client.timeline_form import KINDS

HIDDEN = re.compile("[\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")
BASE: dict[str, Any] = {"key": "k", "seq": 1, "last_seq": 7, "at": "2026-11-23T08:00:00Z"}
V = TypeVar("V", bound=View)
NAMES_TO_GO_BY = re.compile(r"(?!request_id).*_id|at|url")
"""Fields that are followed or parsed, never shown."""


@cache
def corpus() -> list[str]:
    return hostile.strings()


def texts(value: Any) -> Iterator[str]:
    """Every text in a view that is shown."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            if not NAMES_TO_GO_BY.fullmatch(field.name):
                yield from texts(getattr(value, field.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from texts(one)


def shown(item: items.Item, kind: type[V], **more: Any) -> V:
    view = present(item, timelines.NAMES, **more)
    assert isinstance(view, kind)
    return view


def test_every_kind_of_item_has_a_view() -> None:
    assert set(PRESENTERS) == set(KINDS.values())


@pytest.mark.parametrize("number", range(len(hostile.CORPUS.read_text("ascii").splitlines()) - 1))
def test_nothing_hides_in_any_text_of_a_view(number: int) -> None:
    for item in hostile.items(corpus()[number]):
        for text in texts(present(item, timelines.NAMES)):
            assert not HIDDEN.search(text), (item.kind, text[:200])
            text.encode("utf-8")


def test_a_command_tells_its_line_without_the_shell_its_end_and_its_output() -> None:
    item = items.CommandExecution(
        **BASE, command="/bin/bash -lc 'make test'", cwd="/home/ada", output="ok\n", exit_code=2, duration_ms=1500
    )
    view = shown(item, did.CommandView)

    assert (view.prompt, view.end, view.took, view.folder) == (
        "make test",
        Label("exit 2", "bad"),
        "1.5 s",
        "/home/ada",
    )
    assert view.output is not None
    assert view.output.head[0].text == "ok\n"
    assert (view.emphasis, view.frame.label) == ("loud", "Command make test, exit 2")


def test_changes_tell_their_files_and_a_turns_are_folded() -> None:
    change = items.Change(path="src/a.py", action="add", diff="x\n")
    view = shown(items.FileChange(**BASE, changes=(change,)), did.ChangesView)
    turns = shown(items.TurnDiff(**BASE, diff="diff --git a/a b/a\n@@ -1 +1 @@\n-x\n+y\n"), did.ChangesView)

    assert (view.title, view.files.counts, view.state, view.is_folded) == (
        "1 file changed",
        "1 added, 0 removed",
        None,
        False,
    )
    assert view.files.files[0].action == "added"
    assert (turns.title, turns.is_folded, turns.files.files[0].is_open) == ("All changes of this turn", True, False)


def test_a_tool_shows_its_text_as_text_and_its_json_on_lines() -> None:
    item = items.ToolCall(
        **BASE, server="tracker", tool="search", arguments='{"a":1}', result='{"content":[{"type":"text","text":"12"}]}'
    )
    view = shown(item, did.ToolCallView)

    assert (view.what, view.tool, view.state) == ("Tool", "tracker.search", None)
    assert view.given is not None
    assert view.given.head[0].text == '{\n  "a": 1\n}\n'
    assert view.gave is not None
    assert view.gave.head[0].text == "12\n"
    assert shown(items.ToolCall(**BASE, tool="x", error="no"), did.ToolCallView).state == Label("Failed", "bad")


def test_a_search_tells_what_it_looked_for_and_how_much_it_found() -> None:
    found = tuple(items.Finding(title="", url=f"https://example.org/{number}") for number in range(3))
    view = shown(
        items.WebSearch(**BASE, query="clock", queries=("clock", "fake clock"), findings=found, found=9),
        did.WebSearchView,
        caps=Caps(entries=2),
    )
    page = shown(items.WebSearch(**BASE, action="openPage", url="https://example.org/"), did.WebSearchView)

    assert (view.verb, view.about, view.also) == ("Searched the web for", "clock", ("fake clock",))
    assert (view.tally, view.findings[0].words, view.more) == ("9 results", "https://example.org/0", "7 more")
    assert (page.verb, page.about) == ("Opened", "")
    assert page.page == did.Found("https://example.org/", "https://example.org/")


def test_a_message_tells_who_said_it_and_thoughts_their_gist() -> None:
    mine = shown(items.UserMessage(**BASE, text="Go", actor=timelines.PHONE, attachments=2), said.UserMessageView)
    local = shown(items.UserMessage(**BASE, text="Go"), said.UserMessageView)
    thought = shown(items.Reasoning(**BASE, summary="\n**Look at the clock**\nmore"), said.ReasoningView)

    assert (mine.by, mine.more) == ("You · Ada's iPhone, iPhone app", "2 attachments more")
    assert local.by == "At the computer"
    assert (thought.verb, thought.gist) == ("Thought", "Look at the clock")
    assert shown(items.Reasoning(**BASE, status="open"), said.ReasoningView).emphasis == "empty"


def test_a_text_too_long_or_too_dense_for_markdown_goes_on_as_it_is() -> None:
    long = shown(items.AgentMessage(**BASE, text="a\n" * 30), said.AgentMessageView, caps=Caps(markdown_characters=20))
    dense = shown(items.AgentMessage(**BASE, text="[" * 3000), said.AgentMessageView)

    assert (len(long.text.markdown), len(long.text.plain), long.text.left_out) == (19, 20, "21 characters more")
    assert (dense.text.markdown, dense.text.plain) == ("", "[" * 3000)


def test_a_plan_tells_how_far_it_is() -> None:
    steps = (items.PlanStep(step="look", status="completed"), items.PlanStep(step="leap", status="inProgress"))
    view = shown(items.Plan(**BASE, steps=steps), said.PlanView)

    assert view.tally == "1 of 2"
    assert [(step.state, step.word, step.text) for step in view.steps] == [
        ("done", "done", "look"),
        ("doing", "in progress", "leap"),
    ]


def test_turns_end_in_words_with_how_long_they_took() -> None:
    good = shown(items.TurnEnded(**BASE, duration_ms=95_000), turned.RuleView)
    bad = shown(items.TurnEnded(**BASE, status="failed", error="broke"), turned.RuleView)

    assert (good.text, good.state) == ("Done in 1 min 35 s", None)
    assert (bad.text, bad.state, bad.words) == ("", Label("Failed", "bad"), "broke")


def test_an_error_of_codex_says_what_it_means_and_whether_it_is_tried_again() -> None:
    view = shown(items.Failure(**BASE, message="busy", reason="serverOverloaded", will_retry=True), turned.FailureView)

    assert (view.title, view.state, view.emphasis) == (
        *("The model's servers are overloaded", turned.TRIES_AGAIN, "retry"),
    )


def test_a_request_that_goes_as_it_should_steps_back_and_one_that_does_not_says_why() -> None:
    steps = (
        records.ReceiptStep(state="accepted", at=BASE["at"]),
        records.ReceiptStep(state="delivered", at=BASE["at"]),
    )
    good = shown(
        records.Request(**BASE, method="turn/start", state="delivered", words="Go", steps=steps), asked.RequestView
    )
    denial = records.Denial(reason_code="policy_denied.method", document="team", rule_id="requests.deny[0]", version=3)
    bad = shown(records.Request(**BASE, method="x/y", state="rejected", words="Go", denial=denial), asked.RequestView)

    assert (good.title, good.emphasis, good.words, good.dots) == ("New turn", "quiet", "", ("on", "on", "off", "off"))
    assert [step.word for step in good.steps] == ["accepted", "delivered"]
    assert (bad.emphasis, bad.words, bad.dots) == ("loud", "Go", ("off", "off", "off", "ill"))
    assert bad.refusal == asked.Refusal(
        "A policy does not allow this kind of request", "requests.deny[0] of the team's policy, version 3"
    )


def test_an_approval_shows_what_one_decides_on_then_who_decided() -> None:
    told: dict[str, Any] = {**BASE, "what": "command", "risk": "high", "command": "git push", "approval_id": "ap"}
    waits = shown(records.Asked(**told), asked.ApprovalView)
    done = shown(
        records.Asked(
            **told, state="applied", outcome="declined", option="No", actor=timelines.BROWSER, message="Not yet"
        ),
        asked.ApprovalView,
    )

    assert (waits.title, waits.risk, waits.state, waits.emphasis) == (
        *("Run a command", Label("High risk", "bad"), None, "pending"),
    )
    assert (waits.evidence.command, waits.cannot, waits.answer) == ("git push", "", None)
    assert (done.risk, done.state) == (None, Label("Declined", "bad"))
    assert done.answer == asked.Answer("No", "grace@example.org · Firefox on Linux, web", "", "Not yet")
    at_home = shown(records.Asked(**told, answerable=False), asked.ApprovalView)
    assert at_home.cannot == "Only to be answered at the computer"


def test_a_handshake_becomes_another_by_itself_when_its_time_is_over() -> None:
    item = records.Handshake(**BASE, handshake_id="h", actor=timelines.PHONE, status="open")
    asked_at = times.parsed(item.at)
    assert asked_at is not None
    early, late = (asked_at + timedelta(seconds=seconds) for seconds in (29, 31))

    waits, over = shown(item, asked.HandshakeView, now=early), shown(item, asked.HandshakeView, now=late)
    assert (waits.state.text, waits.later) == ("Waiting for the companion", over.state)
    assert (over.state.text, over.later, over.emphasis) == ("Nobody answered", None, "")
    assert [changes_by_itself(item, now) for now in (early, late)] == [False, True]


def test_a_stop_that_nobody_verified_is_loud_and_says_what_still_runs() -> None:
    view = shown(
        records.Lifecycle(**BASE, event="stopped", reason="Enough", verified=False, still_running=("npm start",)),
        asked.LifecycleView,
    )

    assert (view.title, view.state, view.emphasis, view.words) == ("Stopped", asked.NOT_VERIFIED, "loud", "Enough")
    assert view.found == (("Still running", ("npm start",)),)


def test_what_is_shown_in_part_says_where_all_of_it_is() -> None:
    wholes = tuple(items.Whole(artifact_id=f"a{number}", path="/x", bytes=2000) for number in range(3))
    frame = present(items.AgentMessage(**BASE, wholes=wholes), caps=Caps(entries=2)).frame

    assert [(one.artifact_id, one.words) for one in frame.wholes] == [("a0", "Whole: 2.0 kB"), ("a1", "Whole: 2.0 kB")]
    assert (frame.wholes_more, frame.last_seq) == ("and 1 more", 7)


def test_an_item_of_a_later_kind_is_shown_by_its_name() -> None:
    view = shown(items.OtherItem(**BASE, type="somethingNew", text="{}"), did.OtherView)

    assert view.title == "Something new"

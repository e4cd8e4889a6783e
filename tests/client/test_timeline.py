"""The timeline over real recordings, and over everything that can go wrong with their order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.client import Timeline, TimelineLimits
from autopilot.client.timeline_items import clip
from autopilot.contract import Actor, Envelope

RECORDINGS = sorted((Path(__file__).parent / "recordings").glob("*.jsonl"))


def envelope(seq: int, payload: dict, event_type: str = "worker.event") -> Envelope:
    actor = Actor(surface="companion", machine_id="m")
    return Envelope(
        workerId="w", seq=seq, eventType=event_type, payload=payload, occurredAt=f"t{seq}", actor=actor, xRequestId="x"
    )


def said(seq: int, method: str, **params) -> Envelope:
    return envelope(seq, {"method": method, "params": params}, "worker.error" if method == "error" else "worker.event")


def recorded(name: str) -> list[Envelope]:
    path = next(path for path in RECORDINGS if path.stem.startswith(name))
    messages = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [said(seq, message["method"], **message["params"]) for seq, message in enumerate(messages, 1)]


def shown(timeline: Timeline) -> list[tuple[str, str]]:
    return [(item.kind, item.status) for item in timeline.items]


def only(timeline: Timeline, kind: str):
    (item,) = (item for item in timeline.items if item.kind == kind)
    return item


def test_a_plain_turn_reads_as_it_was():
    timeline = Timeline().fold(recorded("s01"))

    assert [item.kind for item in timeline.items] == [
        *("turnStarted", "userMessage", "reasoning", "agentMessage", "usage", "turnEnded"),
    ]
    assert only(timeline, "agentMessage").text == "Hello from the offline model. It streams in small pieces."
    assert not any(item.preview for item in timeline.items)
    assert only(timeline, "usage").turn.total == 1234
    assert timeline.active_turn_id is None
    assert timeline.is_whole


def test_a_command_has_its_whole_output_though_the_deltas_lost_the_start():
    command = only(Timeline().fold(recorded("s02")), "commandExecution")

    assert command.output == "line 1\nline 2\nline 3\noops\n"
    assert (command.exit_code, command.status, command.preview) == (0, "completed", False)


def test_a_declined_command_says_so():
    assert only(Timeline().fold(recorded("s03")), "commandExecution").status == "declined"


def test_a_patch_shows_its_diffs():
    changes = only(Timeline().fold(recorded("s06")), "fileChange").changes

    assert [(change.action, Path(change.path).name) for change in changes] == [
        ("update", "hello.py"),
        ("add", "new.txt"),
    ]
    assert "-    return 1\n+    return 2" in changes[0].diff


def test_an_interrupted_message_stays_a_preview():
    message = Timeline().fold(recorded("s04_")).items[2]

    assert (message.kind, message.status, message.preview) == ("agentMessage", "interrupted", True)
    assert message.text.startswith("word word")


def test_a_command_that_ends_after_its_turn_gets_its_truth_late():
    events = recorded("s04b")
    end = next(i for i, event in enumerate(events) if event.payload["method"] == "turn/completed")
    timeline = Timeline().fold(events[: end + 1])
    assert only(timeline, "commandExecution").status == "interrupted"

    timeline.fold(events[end + 1 :])

    command = only(timeline, "commandExecution")
    assert (command.status, command.exit_code, command.output, command.preview) == ("failed", -1, "started\n", False)


def test_a_command_in_the_background_is_unfinished_until_it_ends():
    events = recorded("s15")
    end = next(i for i, event in enumerate(events) if event.payload["method"] == "turn/completed")

    assert only(Timeline().fold(events[: end + 1]), "commandExecution").status == "unfinished"
    assert only(Timeline().fold(events), "commandExecution").output == "early\nlate\n"


def test_a_turn_whose_end_was_never_heard_ends_with_the_next():
    timeline = Timeline().fold(recorded("s08b"))

    assert shown(timeline)[:4] == [
        *[("turnStarted", "completed"), ("userMessage", "completed")],
        *[("agentMessage", "interrupted"), ("turnStarted", "completed")],
    ]


def test_every_error_of_the_provider_has_a_reason():
    failures = [item for item in Timeline().fold(recorded("s11")).items if item.kind == "error"]

    assert len(failures) == 9
    assert all(failure.message and failure.reason for failure in failures)
    assert {"usageLimitExceeded", "contextWindowExceeded"} <= {failure.reason for failure in failures}


def test_tools_show_what_they_were_given_and_gave():
    calls = [item for item in Timeline().fold(recorded("s31")).items if item.kind == "toolCall"]

    assert next((call.server, bool(call.arguments), bool(call.result)) for call in calls) == ("mini", True, True)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_saved_anywhere_and_folded_on_it_is_the_same(path):
    events = recorded(path.stem)
    whole = Timeline().fold(events).save()
    for cut in range(len(events) + 1):
        first = Timeline().fold(events[:cut])
        saved = json.loads(json.dumps(first.save()))
        assert Timeline.restore(saved).fold(events).save() == whole


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_without_any_delta_the_ends_are_the_same(path):
    events = recorded(path.stem)
    truths = [event for event in events if "elta" not in event.payload["method"]]

    def ends(timeline):
        return [
            (item.key, item.kind, item.status, getattr(item, "text", "")) for item in timeline.items if not item.preview
        ]

    assert ends(Timeline().fold(truths)) == ends(Timeline().fold(events))


def test_events_that_were_folded_change_nothing_again():
    events = recorded("s02")
    timeline = Timeline().fold(events)

    assert [timeline.apply(event) for event in events] == [()] * len(events)


def test_deltas_after_the_truth_change_nothing():
    done = {"type": "agentMessage", "id": "i", "text": "whole"}
    timeline = Timeline().fold(
        [
            said(1, "item/completed", turnId="t", item=done),
            said(2, "item/agentMessage/delta", turnId="t", itemId="i", delta="more"),
            said(3, "item/started", turnId="t", item={**done, "text": ""}),
        ]
    )

    assert only(timeline, "agentMessage").text == "whole"


def test_deltas_without_a_start_are_shown_as_previews():
    timeline = Timeline(after=6).fold([said(7, "item/commandExecution/outputDelta", turnId="t", itemId="i", delta="x")])
    command = only(timeline, "commandExecution")

    assert (command.output, command.status, command.preview) == ("x", "open", True)
    assert not timeline.is_whole


def test_what_was_cut_by_the_ledgers_limit_is_no_truth():
    cut = {"item": {"type": "commandExecution", "id": "i"}, "truncated": {"bytes": 1, "limit": 1}, "turnId": "t"}

    assert only(Timeline().fold([said(1, "item/completed", **cut)]), "commandExecution").preview


def test_a_request_is_followed_through_its_receipt():
    def step(seq, event_type, **payload):
        return envelope(seq, {"request_id": "r", "method": "turn/start", **payload}, event_type)

    timeline = Timeline()
    states = []
    for event in (
        step(1, "worker.request.received"),
        step(2, "worker.request.delivered"),
        step(3, "worker.request.acknowledged"),
        step(4, "worker.error", ok=False, error={"code": "-32600", "message": "thread not found"}),
    ):
        timeline.apply(event)
        states.append(only(timeline, "request").state)

    assert states == ["accepted", "delivered", "acknowledged", "failed"]
    assert only(timeline, "request").error == "thread not found"
    assert (only(timeline, "request").surface, only(timeline, "request").x_request_id) == ("companion", "x")


def test_a_denied_request_says_by_what():
    timeline = Timeline().fold(
        [
            envelope(1, {"request_id": "r", "method": "fs/remove"}, "worker.request.received"),
            envelope(2, {"request_id": "r", "reason_code": "policy_denied.method"}, "worker.policy.denied"),
            envelope(3, {"request_id": "r"}, "worker.request.rejected"),
        ]
    )

    assert (only(timeline, "request").state, only(timeline, "request").error) == ("rejected", "policy_denied.method")


QUESTION = {
    "method": "item/commandExecution/requestApproval",
    "params": {"turnId": "t1"},
    "approval": {
        "approval_id": "ap_1",
        "kind": "command",
        "title": "Run touch hello.txt?",
        "evidence": {"command": ["touch", "hello.txt"], "cwd": "/home/ada", "reason": "it writes"},
        "options": [{"option_id": "accept", "label": "Yes"}, {"option_id": "decline", "label": "No"}],
    },
}


def about(seq: int, state: str, **payload) -> Envelope:
    return envelope(seq, payload, f"worker.approval.{state}")


def test_an_approval_shows_what_was_asked_who_answered_and_how_it_ended():
    timeline = Timeline().fold([about(1, "requested", **QUESTION)])
    asked = only(timeline, "approval")
    assert (asked.state, asked.status, asked.turn_id, asked.what) == ("pending", "open", "t1", "command")
    assert (asked.title, asked.command, asked.cwd) == ("Run touch hello.txt?", "touch hello.txt", "/home/ada")

    timeline.apply(about(2, "decided", approval_id="ap_1", decision={"option_id": "decline", "message": "not now"}))
    decided = only(timeline, "approval")
    assert (decided.state, decided.option, decided.by, decided.message) == ("decided", "No", "companion", "not now")
    timeline.apply(about(3, "applied", approval={"approval_id": "ap_1", "outcome": "declined"}))
    timeline.apply(about(4, "closed", approval={"approval_id": "ap_1", "reason": "turn_ended"}))
    ended = only(timeline, "approval")
    assert (ended.state, ended.status, ended.outcome, ended.closed_reason) == ("applied", "declined", "declined", None)
    assert (ended.seq, ended.last_seq, ended.turn_id) == (1, 3, "t1")
    saved = json.loads(json.dumps(timeline.save()))
    assert Timeline.restore(saved).items == timeline.items


def test_an_approval_that_is_moot_says_why_also_when_its_turn_ended_first():
    log = [
        about(1, "requested", **QUESTION),
        said(2, "turn/completed", turn={"id": "t1", "status": "interrupted"}),
        about(3, "closed", approval={"approval_id": "ap_1", "reason": "turn_interrupted"}),
    ]
    ended = only(Timeline().fold(log), "approval")
    assert (ended.state, ended.status, ended.closed_reason) == ("closed", "interrupted", "turn_interrupted")


def test_an_answer_to_a_question_that_retention_took_is_shown_by_its_id():
    log = [about(1, "decided", approval_id="ap_1", decision={"option_id": "acceptForSession"})]
    assert only(Timeline().fold(log), "approval").option == "acceptForSession"


def test_a_stopped_worker_has_nothing_open():
    timeline = Timeline().fold(
        [
            said(1, "turn/started", turn={"id": "t"}),
            said(2, "item/started", turnId="t", item={"type": "agentMessage", "id": "i"}),
            envelope(3, {"reason": "done", "verified": True}, "worker.stopped"),
        ]
    )

    assert only(timeline, "agentMessage").status == "interrupted"
    assert timeline.active_turn_id is None
    assert (only(timeline, "lifecycle").reason, only(timeline, "lifecycle").verified) == ("done", True)


def test_no_more_is_kept_than_the_limits_say():
    timeline = Timeline(TimelineLimits(items=10, characters=100_000, text_characters=1000))
    for seq in range(1, 101):
        timeline.apply(
            said(seq, "item/completed", turnId="t", item={"type": "agentMessage", "id": f"{seq}", "text": "x" * 5000})
        )

    assert [item.seq for item in timeline.items] == list(range(91, 101))
    assert (timeline.dropped, timeline.is_whole) == (90, False)
    assert all(len(item.text) < 1100 for item in timeline.items)


def test_a_long_text_keeps_its_head_and_its_tail():
    text = clip("a" * 500 + "b" * 500, 100)

    assert text.startswith("a" * 50)
    assert text.endswith("b" * 50)
    assert "900 characters omitted" in text


def test_a_saved_form_of_another_version_is_refused():
    with pytest.raises(ValueError, match="version"):
        Timeline.restore({**Timeline().save(), "form": 0})


ITEM_TYPES = [
    *("userMessage", "hookPrompt", "agentMessage", "functionCallOutput", "plan", "reasoning", "commandExecution"),
    *("fileChange", "mcpToolCall", "dynamicToolCall", "collabAgentToolCall", "subAgentActivity", "webSearch"),
    *("imageView", "sleep", "imageGeneration", "enteredReviewMode", "exitedReviewMode", "contextCompaction", "x", None),
]
"""Those of Codex 0.163.0 and 0.169.0, and others."""
values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**20) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type", "turn", "item", "text"]), inner)
    ),
    max_leaves=8,
)
methods = st.sampled_from(
    [
        *("item/started", "item/completed", "item/agentMessage/delta", "item/commandExecution/outputDelta"),
        *("item/reasoning/summaryTextDelta", "item/fileChange/patchUpdated", "turn/started", "turn/completed"),
        *(
            "turn/plan/updated",
            "turn/diff/updated",
            "thread/tokenUsage/updated",
            "error",
            "warning",
            "x/requestApproval",
        ),
        *("ios/handshake", "desktop/handshake_ack", "hook/started", "hook/completed", "thread/goal/updated"),
        *("item/autoApprovalReview/completed", "item/commandExecution/terminalInteraction"),
    ]
)
params = st.fixed_dictionaries(
    {},
    optional={
        "turnId": st.sampled_from(["t1", "t2", None, 7]),
        "itemId": st.sampled_from(["i1", "i2", None]),
        "delta": st.text(max_size=5) | values,
        "item": st.fixed_dictionaries(
            {},
            optional={
                "id": st.sampled_from(["i1", "i2"]),
                "type": st.sampled_from(ITEM_TYPES),
                "changes": values,
                "content": values,
                "aggregatedOutput": values,
                "status": values,
                "clientId": st.sampled_from(["r1", "approval:a1"]),
                **dict.fromkeys(("action", "results", "agentsStates", "failure", "output", "fragments"), values),
            },
        ),
        **dict.fromkeys(("review", "action", "run", "goal", "stdin"), values),
        "turn": st.fixed_dictionaries({}, optional={"id": st.sampled_from(["t1", "t2"]), "status": values}),
        **dict.fromkeys(("plan", "diff", "tokenUsage", "error", "message", "changes"), values),
    },
)
approvals = st.fixed_dictionaries(
    {},
    optional={
        "approval_id": st.sampled_from(["a1", "a2", 7]),
        "approval": values
        | st.fixed_dictionaries(
            {"approval_id": st.sampled_from(["a1", "a2"])},
            optional=dict.fromkeys(("title", "options", "evidence", "facts", "outcome", "reason"), values),
        ),
        "decision": values | st.fixed_dictionaries({"option_id": values}),
        "request_id": st.sampled_from(["r1", "r2", 7]),
        "handshake_id": st.sampled_from(["h1", "h2", 7]),
        **dict.fromkeys(("source", "desktop_session_id", "reason_code", "version", "processes", "verified"), values),
    },
)
TYPES = [
    *("worker.event", "worker.error", "worker.stopped", "worker.request.received", "worker.request.delivered"),
    *("worker.response", "worker.policy.denied"),
]
APPROVALS = [f"worker.approval.{step}" for step in ("requested", "decided", "applied", "superseded", "closed", "x")]
events = st.lists(st.tuples(st.sampled_from(TYPES + APPROVALS), methods, params, approvals), max_size=30)


@given(events, st.integers(0, 30))
def test_no_payload_breaks_it_and_every_cut_folds_to_the_same(drawn, cut):
    log = [
        envelope(seq, {"method": method, "params": parameters, **approval}, event_type)
        for seq, (event_type, method, parameters, approval) in enumerate(drawn, 1)
    ]
    limits = TimelineLimits(items=5)
    saved = json.loads(json.dumps(Timeline(limits).fold(log[:cut]).save()))

    assert Timeline.restore(saved, limits).fold(log[cut:]).save() == Timeline(limits).fold(log).save()

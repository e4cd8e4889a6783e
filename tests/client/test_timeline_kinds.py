"""The kinds of items that no recording of Codex has, and what the ledger tells of who did what."""

from __future__ import annotations

import json
from typing import Any

import pytest

from autopilot.client import Timeline
from autopilot.client.timeline_form import KINDS
from autopilot.client.timeline_items import (
    AutoReview,
    CommandExecution,
    Compaction,
    Hook,
    Image,
    Item,
    Notice,
    Pause,
    Review,
    SubAgent,
    ToolCall,
    UserMessage,
    WebSearch,
)
from autopilot.client.timeline_records import Asked, Handshake, Lifecycle, PolicyDenied, Request
from autopilot.contract import Actor, Envelope

PHONE = Actor(user_id=7, device_id="dev_phone", surface="ios")
BROWSER = Actor(user_id=8, device_id="dev_browser", surface="web")
MACHINE = Actor(user_id=7, machine_id="m1", surface="companion")


class Log:
    """A log being written, and its timeline."""

    def __init__(self) -> None:
        self.timeline = Timeline()

    def tell(self, event_type: str, actor: Actor = MACHINE, **payload: Any) -> tuple[Item, ...]:
        seq = self.timeline.seq + 1
        at = f"2026-11-23T08:00:{seq:02}Z"
        event = Envelope(
            workerId="w", seq=seq, eventType=event_type, payload=payload, occurredAt=at, actor=actor, xRequestId="x"
        )
        changed = self.timeline.apply(event)
        saved = json.loads(json.dumps(self.timeline.save()))
        assert Timeline.restore(saved).items == self.timeline.items
        return changed

    def codex(self, method: str, **params: Any) -> tuple[Item, ...]:
        return self.tell("worker.event", method=method, params={"turnId": "t", **params})

    def item(self, **item: Any) -> Any:
        (made,) = self.codex("item/completed", item={"id": "i", **item})
        return made


@pytest.fixture
def log() -> Log:
    return Log()


def test_a_request_shows_who_asked_what_and_each_step_with_its_time(log: Log) -> None:
    params = {"input": [{"type": "text", "text": "Write the tests."}]}
    log.tell(
        "worker.request.received",
        PHONE,
        request_id="r",
        method="turn/start",
        params=params,
        expires_at="2026-11-24T08:00:00Z",
    )
    log.tell("worker.request.delivered", request_id="r", method="turn/start")
    (request,) = log.tell("worker.response", request_id="r", ok=True)

    assert isinstance(request, Request)
    assert (request.actor, request.surface, request.words) == (PHONE, "ios", "Write the tests.")
    assert [(step.state, step.at[17:19]) for step in request.steps] == [
        ("accepted", "01"),
        ("delivered", "02"),
        ("completed", "03"),
    ]
    assert request.expires_at == "2026-11-24T08:00:00Z"


def test_a_message_shows_who_asked_for_it(log: Log) -> None:
    log.tell("worker.request.received", PHONE, request_id="r", method="turn/start", params={})
    said = log.item(type="userMessage", clientId="r", content=[{"type": "text", "text": "Hello"}])
    at_the_computer = log.item(type="userMessage", clientId=None, content=[])

    assert isinstance(said, UserMessage)
    assert (said.actor, at_the_computer.actor) == (PHONE, None)


def test_the_words_of_a_refusal_are_those_of_whoever_refused(log: Log) -> None:
    log.tell("worker.approval.requested", approval={"approval_id": "a", "title": "Run it?"})
    log.tell("worker.approval.decided", BROWSER, approval_id="a", decision={"option_id": "decline", "message": "no"})
    said = log.item(type="userMessage", clientId="approval:a", content=[{"type": "text", "text": "no"}])

    assert said.actor == BROWSER


def test_an_approval_shows_the_evidence_and_who_answered_on_which_device(log: Log) -> None:
    approval = {
        "approval_id": "a",
        "kind": "file_change",
        "risk": "high",
        "facts": [{"name": "host", "label": "Host", "value": "example.org"}],
        "evidence": {
            "changes": [{"path": "a.py", "kind": "update", "diff": "@@ -1 +1 @@"}],
            "questions": [{"question_id": "q", "text": "Which?", "options": [{"option_id": "o", "label": "This"}]}],
        },
        "options": [{"option_id": "accept", "label": "Yes"}],
    }
    log.tell("worker.approval.requested", approval=approval)
    (asked,) = log.tell("worker.approval.decided", BROWSER, approval_id="a", decision={"option_id": "accept"})

    assert isinstance(asked, Asked)
    assert (asked.risk, asked.facts[0].value, asked.changes[0].path) == ("high", "example.org", "a.py")
    assert (asked.questions[0].text, asked.questions[0].choices) == ("Which?", ("This",))
    assert (asked.actor, asked.by, asked.option, asked.decided_at) == (BROWSER, "web", "Yes", "2026-11-23T08:00:02Z")
    (asked,) = log.tell("worker.approval.reopened", approval_id="a", reason="device_revoked")
    assert isinstance(asked, Asked)
    assert (asked.state, asked.actor, asked.decided_at) == ("pending", None, None)


def test_a_rule_that_answered_is_named(log: Log) -> None:
    log.tell("worker.approval.requested", approval={"approval_id": "a"})
    decision = {"option_id": "accept", "rule_id": "approvals.rule[0]", "document": "user"}
    (asked,) = log.tell("worker.approval.decided", Actor(surface="runtime"), approval_id="a", decision=decision)

    assert isinstance(asked, Asked)
    assert asked.rule_id == "approvals.rule[0]"


def handshake(method: str, **more: Any) -> dict[str, Any]:
    return {"method": method, "handshake_id": "h", "occurred_at": "2026-11-23T08:00:00Z", **more}


def test_a_handshake_is_answered_by_a_machine_and_once(log: Log) -> None:
    (sent,) = log.tell("worker.event", PHONE, **handshake("ios/handshake", source="autopilot-ios", device_id="d"))
    assert isinstance(sent, Handshake)
    assert (sent.actor, sent.answered_by, sent.status, sent.source) == (PHONE, None, "open", "autopilot-ios")

    forged = log.tell("worker.event", BROWSER, **handshake("desktop/handshake_ack", desktop_session_id="forged"))
    assert forged == ()
    (answered,) = log.tell("worker.event", **handshake("desktop/handshake_ack", desktop_session_id="s1"))
    again = log.tell("worker.event", **handshake("desktop/handshake_ack", desktop_session_id="s2"))

    assert isinstance(answered, Handshake)
    assert (answered.answered_by, answered.session_id, answered.status) == (MACHINE, "s1", "completed")
    assert (answered.seq, answered.last_seq, answered.answered_at) == (1, 3, "2026-11-23T08:00:03Z")
    assert again == ()


def test_an_answer_whose_question_is_not_in_the_timeline_is_shown(log: Log) -> None:
    (answered,) = log.tell("worker.event", **handshake("desktop/handshake_ack", desktop_session_id="s1"))

    assert isinstance(answered, Handshake)
    assert (answered.actor, answered.session_id, answered.status) == (None, "s1", "completed")


def test_a_denied_request_names_the_rule(log: Log) -> None:
    log.tell("worker.request.received", PHONE, request_id="r", method="fs/remove")
    facts = {"reason_code": "policy_denied.method", "document": "team", "rule_id": "requests.deny[1]", "version": 3}
    (request,) = log.tell("worker.policy.denied", PHONE, request_id="r", message="the team forbids it", **facts)

    assert isinstance(request, Request)
    assert (request.state, request.steps[-1].state) == ("rejected", "rejected")
    assert request.denial is not None
    assert (request.denial.message, request.denial.rule_id, request.denial.version) == (
        "the team forbids it",
        "requests.deny[1]",
        3,
    )


def test_a_denied_answer_is_an_item_of_its_own(log: Log) -> None:
    (denied,) = log.tell(
        "worker.policy.denied", BROWSER, approval_id="a", kind="command", reason_code="policy_denied.approval"
    )

    assert isinstance(denied, PolicyDenied)
    assert (denied.approval_id, denied.what, denied.actor) == ("a", "command", BROWSER)
    assert denied.denial.reason_code == "policy_denied.approval"


def test_a_stop_shows_who_asked_and_what_it_ended(log: Log) -> None:
    log.tell("worker.request.received", PHONE, request_id="s", method="worker/stop", params={"reason": "enough"})
    stopped = {
        "processes": [{"pid": 1, "command": "sleep 99", "ended_by": "SIGTERM"}],
        "still_running": [{"pid": 2, "command": "npm start"}],
        "unverified": ["whether a turn is running"],
    }
    (item,) = log.tell("worker.stopped", request_id="s", reason="enough", verified=False, **stopped)

    assert isinstance(item, Lifecycle)
    assert (item.actor, item.verified, item.reason) == (PHONE, False, "enough")
    assert item.processes == ("sleep 99 (SIGTERM)",)
    assert (item.still_running, item.unverified) == (("npm start",), ("whether a turn is running",))


def test_images_of_a_message_are_described_and_small_ones_kept(log: Log) -> None:
    small, large = "data:image/png;base64,iVBORw0KGgo=", "data:image/png;base64," + "A" * 200_000
    content = [
        {"type": "text", "text": "Look"},
        {"type": "image", "url": small},
        {"type": "image", "url": large},
        {"type": "localImage", "path": "/home/ada/shot.png"},
        {"type": "image", "url": "https://example.org/a.png"},
    ]
    said = log.item(type="userMessage", content=content)

    assert said.attachments == 4
    assert [(part.name, part.data) for part in said.parts] == [
        ("image/png", small),
        ("image/png", ""),
        ("/home/ada/shot.png", ""),
        ("https://example.org/a.png", ""),
    ]
    assert said.parts[1].characters == len(large)


def test_a_search_shows_what_was_looked_for_and_found(log: Log) -> None:
    action = {"type": "search", "query": "htpy", "queries": ["htpy", "htpy escape"]}
    results = [{"title": "htpy", "url": "https://example.org/htpy"}, "odd"]
    search = log.item(type="webSearch", query="htpy", action=action, results=results)
    page = log.item(
        type="webSearch", query="", action={"type": "findInPage", "url": "https://example.org/a", "pattern": "x"}
    )

    assert isinstance(search, WebSearch)
    assert (search.query, search.queries, search.found) == ("htpy", ("htpy", "htpy escape"), 2)
    assert search.findings[0].url == "https://example.org/htpy"
    assert (page.action, page.url, page.pattern) == ("findInPage", "https://example.org/a", "x")


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        ({"type": "imageView", "path": "/a.png"}, Image, {"made": False, "path": "/a.png"}),
        (
            {"type": "imageGeneration", "result": "iVBO", "revisedPrompt": "a cat", "savedPath": "/c.png"},
            Image,
            {"made": True, "prompt": "a cat", "data": "iVBO", "characters": 4, "path": "/c.png"},
        ),
        (
            {"type": "imageGeneration", "result": "", "failure": {"type": "usageLimitExceeded", "limitId": "x"}},
            Image,
            {"error": "usageLimitExceeded"},
        ),
        ({"type": "contextCompaction"}, Compaction, {"status": "completed"}),
        ({"type": "enteredReviewMode", "review": "changes"}, Review, {"entered": True, "text": "changes"}),
        ({"type": "exitedReviewMode", "review": "all good"}, Review, {"entered": False, "text": "all good"}),
        (
            {"type": "subAgentActivity", "kind": "started", "agentPath": "/root/a", "agentThreadId": "t2"},
            SubAgent,
            {"activity": "started", "path": "/root/a", "thread_id": "t2"},
        ),
        (
            {"type": "collabAgentToolCall", "tool": "spawnAgent", "prompt": "look", "agentsStates": {"t2": {}}},
            ToolCall,
            {"tool": "spawnAgent", "arguments": '{"prompt":"look"}', "result": '{"t2":{}}'},
        ),
        (
            {"type": "functionCallOutput", "name": "f", "namespace": "n", "output": "done"},
            ToolCall,
            {"tool": "f", "server": "n", "result": "done"},
        ),
        ({"type": "hookPrompt", "fragments": [{"text": "mind the gap"}]}, Hook, {"text": "mind the gap", "event": ""}),
        ({"type": "sleep", "durationMs": 1500}, Pause, {"duration_ms": 1500}),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) and "type" in value else "",
)
def test_each_item_of_codex_has_its_kind(log: Log, raw: dict[str, Any], kind: type[Item], expected: dict[str, Any]):
    item = log.item(**raw)

    assert type(item) is kind
    assert {name: getattr(item, name) for name in expected} == expected


def test_what_a_model_judges_instead_of_a_person_is_shown(log: Log) -> None:
    action = {"type": "command", "command": "rm -rf build", "cwd": "/", "source": "shell"}
    log.codex("item/autoApprovalReview/started", reviewId="v", action=action, review={"status": "inProgress"})
    review = {"status": "denied", "riskLevel": "high", "rationale": "it deletes"}
    (judged,) = log.codex("item/autoApprovalReview/completed", reviewId="v", action=action, review=review)

    assert isinstance(judged, AutoReview)
    assert (judged.action, judged.verdict, judged.risk, judged.status) == ("rm -rf build", "denied", "high", "declined")
    assert judged.seq == 1


def test_a_hook_is_shown_with_what_it_said(log: Log) -> None:
    run = {"id": "h", "eventName": "preToolUse", "status": "running", "entries": []}
    log.codex("hook/started", run=run)
    done = run | {"status": "blocked", "entries": [{"kind": "stop", "text": "not on Fridays"}], "durationMs": 12}
    (hook,) = log.codex("hook/completed", run=done)

    assert isinstance(hook, Hook)
    assert (hook.event, hook.text, hook.status, hook.duration_ms) == ("preToolUse", "not on Fridays", "blocked", 12)


def test_what_the_model_types_into_a_command_stays_with_it(log: Log) -> None:
    log.codex("item/started", item={"type": "commandExecution", "id": "c", "command": "python", "source": "agent"})
    log.codex("item/commandExecution/terminalInteraction", itemId="c", stdin="1+1\n")
    (command,) = log.codex(
        "item/completed", item={"type": "commandExecution", "id": "c", "command": "python", "aggregatedOutput": "2"}
    )

    assert isinstance(command, CommandExecution)
    assert (command.typed, command.output) == ("1+1\n", "2")


def test_goals_are_notices(log: Log) -> None:
    (notice,) = log.codex("thread/goal/updated", goal={"objective": "Ship it"})

    assert isinstance(notice, Notice)
    assert notice.text == "Ship it"


def test_every_kind_has_a_name_of_its_own() -> None:
    assert all(name == kind.kind for name, kind in KINDS.items())
    assert {kind.__name__ for kind in KINDS.values()} == {kind.__name__ for kind in Item.__subclasses__()}

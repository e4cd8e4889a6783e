from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from autopilot.cli.paint import LONGEST_LINES, Painter
from autopilot.client.timeline import Timeline
from autopilot.contract import Actor, Envelope
from autopilot.ops.program import autopilot


class Scene:
    """A timeline and what a person sees of it."""

    def __init__(self, *, full: bool = False, color: bool = False) -> None:
        self.screen = io.StringIO()
        console = Console(
            file=self.screen,
            highlight=False,
            soft_wrap=True,
            force_terminal=color,
            color_system="standard" if color else None,
        )
        self.painter = Painter(console, full=full)
        self.timeline = Timeline()

    def say(self, method: str, **params: Any) -> None:
        envelope = Envelope(
            workerId="w",
            seq=self.timeline.seq + 1,
            eventType="worker.event",
            payload={"method": method, "params": {"turnId": "t1", **params}},
            occurredAt="2026-11-22T07:16:00Z",
        )
        self.painter.paint(self.timeline.apply(envelope))

    def tell(self, event_type: str, **payload: Any) -> None:
        envelope = Envelope(
            workerId="w",
            seq=self.timeline.seq + 1,
            eventType=event_type,
            payload=payload,
            occurredAt="2026-11-22T07:16:00Z",
            actor=Actor(surface="ios"),
        )
        self.painter.paint(self.timeline.apply(envelope))

    def item(self, method: str, **item: Any) -> None:
        self.say(method, item=item)

    @property
    def seen(self) -> str:
        return self.screen.getvalue()


@pytest.fixture
def scene() -> Iterator[Scene]:
    return Scene()


def command(**more: Any) -> dict[str, Any]:
    return {"type": "commandExecution", "id": "c1", "command": "make test", "status": "completed", **more}


def test_a_message_that_streams_in_is_printed_once(scene: Scene) -> None:
    scene.item("item/started", type="agentMessage", id="m1", text="")
    scene.say("item/agentMessage/delta", itemId="m1", delta="Hello ")
    scene.say("item/agentMessage/delta", itemId="m1", delta="you.")
    scene.item("item/completed", type="agentMessage", id="m1", text="Hello you.")

    assert scene.seen == "codex\nHello you.\n"


def test_what_deltas_had_lost_is_added_when_the_message_ends(scene: Scene) -> None:
    scene.say("item/agentMessage/delta", itemId="m1", delta="Hello ")
    scene.item("item/completed", type="agentMessage", id="m1", text="Hello you.")

    assert scene.seen == "codex\nHello you.\n"


def test_a_message_that_ended_otherwise_than_it_streamed_is_printed_in_full(scene: Scene) -> None:
    scene.say("item/agentMessage/delta", itemId="m1", delta="Hullo")
    scene.item("item/completed", type="agentMessage", id="m1", text="Hello you.")

    assert scene.seen == "codex\nHullo\ncodex, in full\nHello you.\n"


def test_two_messages_that_grow_at_the_same_time_do_not_share_a_line(scene: Scene) -> None:
    scene.say("item/agentMessage/delta", itemId="m1", delta="one")
    scene.say("item/agentMessage/delta", itemId="m2", delta="two")
    scene.say("item/agentMessage/delta", itemId="m1", delta=" more")

    assert scene.seen == "codex\none\ncodex\ntwo\n more"


def test_a_command_shows_its_output_once_and_how_it_ended(scene: Scene) -> None:
    scene.item("item/started", **command(status="inProgress"))
    scene.say("item/commandExecution/outputDelta", itemId="c1", delta="ok 1\n")
    scene.item("item/completed", **command(aggregatedOutput="ok 1\nok 2\n", exitCode=0, durationMs=1500))

    assert scene.seen == "$ make test\nok 1\nok 2\n(exit code 0 after 1.5 s)\n"


def test_the_first_moments_of_an_output_that_codex_left_out_are_told_at_the_end(scene: Scene) -> None:
    scene.item("item/started", **command(status="inProgress"))
    scene.say("item/commandExecution/outputDelta", itemId="c1", delta="late\n")
    scene.item("item/completed", **command(aggregatedOutput="early\nlate\n", exitCode=1))

    assert scene.seen == "$ make test\nlate\n(before that it had printed:)\nearly\n(exit code 1)\n"


def test_a_long_output_is_shortened_in_the_middle_and_says_so(scene: Scene) -> None:
    lines = [f"line {number}\n" for number in range(100)]
    scene.item("item/completed", **command(aggregatedOutput="".join(lines), exitCode=0))

    assert "60 lines are left out" in scene.seen
    assert scene.seen.count("line ") == LONGEST_LINES


def test_a_long_output_is_whole_when_asked_for() -> None:
    scene = Scene(full=True)
    scene.item("item/completed", **command(aggregatedOutput="line\n" * 100, exitCode=0))

    assert scene.seen.count("line\n") == 100


def test_a_diff_is_colored_on_a_terminal_and_plain_elsewhere() -> None:
    change = {"path": "a.py", "kind": {"type": "update"}, "diff": "@@ -1 +1 @@\n-old\n+new\n"}
    seen = []
    for color in (True, False):
        scene = Scene(color=color)
        scene.item("item/completed", type="fileChange", id="f1", status="completed", changes=[change])
        seen.append(scene.seen)

    assert "\x1b[32m+new" in seen[0]
    assert seen[1] == "update a.py\n@@ -1 +1 @@\n-old\n+new\n"


def test_a_plan_is_printed_again_only_when_it_changed(scene: Scene) -> None:
    for _ in range(2):
        scene.say("turn/plan/updated", plan=[{"step": "look", "status": "inProgress"}])
    scene.say("turn/plan/updated", plan=[{"step": "look", "status": "completed"}])

    assert scene.seen == "plan\n[>] look\nplan\n[x] look\n"


def test_a_turn_ends_with_its_time_and_its_tokens(scene: Scene) -> None:
    tokens = {"totalTokens": 1200, "outputTokens": 200}
    scene.say("thread/tokenUsage/updated", tokenUsage={"last": tokens, "total": tokens, "modelContextWindow": 100_000})
    scene.say("turn/completed", turn={"id": "t1", "status": "completed", "durationMs": 2000})

    assert scene.seen == "turn completed after 2.0 s, 1,200 tokens (200 out), 1 % of the context\n"


def test_control_characters_of_an_output_do_not_reach_the_terminal(scene: Scene) -> None:
    scene.item("item/completed", **command(aggregatedOutput="\x1b]0;evil\x07\x1b[2Jtext\n", exitCode=0))

    assert "\x1b" not in scene.seen
    assert "\x07" not in scene.seen


def test_a_question_is_shown_with_what_it_is_about_and_what_becomes_of_it(scene: Scene) -> None:
    approval = {
        "approval_id": "ap_0123456789abcdef",
        "title": "Run it?",
        "evidence": {"command_line": "touch hello.txt", "cwd": "/home/ada", "reason": "it \x1b[2Jwrites"},
        "options": [{"option_id": "accept", "label": "Yes"}],
    }
    scene.tell("worker.approval.requested", approval=approval)
    scene.tell("worker.approval.decided", approval_id=approval["approval_id"], decision={"option_id": "accept"})
    scene.tell("worker.approval.applied", approval={"approval_id": approval["approval_id"], "outcome": "accepted"})
    assert scene.seen.splitlines() == [
        "Codex asks: Run it?",
        "  touch hello.txt",
        "  in /home/ada",
        "  because: it writes",
        f"  ({autopilot('approve ap_01234567')}, or deny)",
        "Run it?: answered through ios: Yes",
        "Run it?: Codex took the answer (accepted)",
    ]


@pytest.mark.parametrize(
    ("state", "end", "words"),
    [
        ("superseded", {"outcome": "declined"}, "answered elsewhere (declined)"),
        ("expired", {}, "nobody answered in time"),
        ("closed", {"reason": "turn_ended"}, "asked no more (turn_ended)"),
    ],
)
def test_a_question_that_was_not_answered_here_says_why(scene: Scene, state: str, end: dict, words: str) -> None:
    scene.tell("worker.approval.requested", approval={"approval_id": "ap_1", "title": "Run it?", "answerable": False})
    assert "(only at the computer)" in scene.seen
    scene.tell(f"worker.approval.{state}", approval={"approval_id": "ap_1", **end})
    assert scene.seen.splitlines()[-1] == f"Run it?: {words}"


def test_what_is_remembered_of_a_long_session_is_bounded(scene: Scene) -> None:
    for number in range(2500):
        scene.item("item/completed", type="userMessage", id=f"u{number}", content=[{"type": "text", "text": "hi"}])

    assert len(scene.painter._done) <= 2001

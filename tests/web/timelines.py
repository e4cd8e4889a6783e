"""Timelines to render: the recorded sessions of Codex, and a told story in which every kind of item occurs.

`python tests/web/timelines.py OUT.html` writes the story as a page, to look at.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from autopilot.client import Timeline
from autopilot.client.presenters.people import Names
from autopilot.client.timeline_items import Item
from autopilot.contract import Actor, Envelope

RECORDINGS = sorted((Path(__file__).parents[1] / "client" / "recordings").glob("*.jsonl"))
BEGIN = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PHONE = Actor(user_id=7, device_id="dev_phone", surface="ios")
BROWSER = Actor(user_id=8, device_id="dev_browser", surface="web")
MACHINE = Actor(user_id=7, machine_id="mac_1", surface="companion")
NAMES = Names(
    me=7,
    users={8: "grace@example.org"},
    devices={"dev_phone": "Ada's iPhone", "dev_browser": "Firefox on Linux"},
    machines={"mac_1": "Ada's MacBook"},
)
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mNk+M9Qz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC"
"""A green dot of ten pixels."""


class Story:
    """A log being told."""

    def __init__(self) -> None:
        self.events: list[Envelope] = []

    def tell(self, event_type: str, actor: Actor = MACHINE, **payload: Any) -> None:
        seq = len(self.events) + 1
        at = (BEGIN + timedelta(seconds=7 * seq)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.events.append(
            Envelope(
                workerId="w",
                seq=seq,
                eventType=event_type,
                payload=payload,
                occurredAt=at,
                actor=actor,
                xRequestId=f"x{seq}",
            )
        )

    def codex(self, method: str, **params: Any) -> None:
        self.tell(
            "worker.error" if method == "error" else "worker.event", method=method, params={"turnId": "t", **params}
        )

    def item(self, type_: str, /, **item: Any) -> None:
        raw = {"id": f"i{len(self.events)}", "type": type_, **item}
        self.codex("item/completed", item=raw)

    def asked(self, method: str, *, by: Actor = PHONE, request_id: str, **params: Any) -> None:
        self.tell("worker.request.received", by, request_id=request_id, method=method, params=params)
        self.tell("worker.request.delivered", request_id=request_id, method=method)

    @property
    def items(self) -> tuple[Item, ...]:
        return Timeline().fold(self.events).items


def recorded(path: Path) -> tuple[Item, ...]:
    """What a recorded session folds to."""
    story = Story()
    for line in path.read_text("utf-8").splitlines():
        message = json.loads(line)
        story.codex(message["method"], **message["params"])
    return story.items


def story() -> tuple[Item, ...]:
    """A session in which everything happens."""
    log = Story()
    for part in (_opening, _work, _questions, _tools, _troubles, _ending):
        part(log)
    return log.items


def _opening(log: Story) -> None:
    log.tell("worker.started", Actor(surface="runtime"), reason="create")
    hand = {"handshake_id": "h1", "occurred_at": "2026-11-23T08:00:00Z"}
    log.tell("worker.event", PHONE, method="ios/handshake", source="autopilot-ios", device_id="dev_phone", **hand)
    log.tell("worker.event", method="desktop/handshake_ack", desktop_session_id="ses_4f21a9", **hand)
    log.asked("turn/start", request_id="r1", input=[{"type": "text", "text": "Fix the flaky test in `test_clock.py`"}])
    log.codex("turn/started", turn={"id": "t"})
    words = "Fix the flaky test in `test_clock.py`, please.\nIt fails about once in *twenty* runs."
    content = [{"type": "text", "text": words}, {"type": "image", "url": f"data:image/png;base64,{DOT}"}]
    content += [{"type": "mention", "name": "test_clock.py", "path": "tests/test_clock.py"}]
    log.item("userMessage", clientId="r1", content=content)
    log.tell("worker.response", request_id="r1", method="turn/start", ok=True)
    log.item(
        "reasoning",
        summary=["**Looking for a race**\n\nThe test waits for a real clock; a slow machine makes it late."],
        content=[],
    )
    steps = [("Find what the test waits for", "completed"), ("Inject a clock", "inProgress"), ("Run it 200 times", "")]
    log.codex("turn/plan/updated", plan=[{"step": step, "status": status or "pending"} for step, status in steps])


def _work(log: Story) -> None:
    log.item(
        "agentMessage",
        text=(
            "I found it: the test **sleeps for 50 ms** and expects the timer to have fired.\n\n"
            "What I will do:\n\n1. give `Clock` a seam\n2. inject a fake in the test\n\n"
            "| run | before | after |\n|---|---|---|\n| alone | 0.2 % | 0 % |\n| beside a build | 5 % | 0 % |\n\n"
            "```python\nclock = FakeClock()\ntimer = Timer(clock, seconds=0.05)\nclock.advance(0.05)\n```\n\n"
            "See https://docs.example.org/3/library/time.html for why.\n\n> A test that sleeps is a test that lies."
        ),
        phase="commentary",
    )
    passed = "".join(f"tests/test_clock.py::test_{n} \x1b[32mPASSED\x1b[0m\n" for n in range(40))
    log.item(
        "commandExecution",
        command="/bin/bash -lc 'pytest -q tests/test_clock.py'",
        cwd="/home/ada/autopilot",
        status="completed",
        aggregatedOutput=f"\x1b[1m==== test session starts ====\x1b[0m\n{passed}\x1b[31m1 failed\x1b[0m, \x1b[32m39 "
        "passed\x1b[0m in 1.22s\n",
        exitCode=1,
        durationMs=1834,
    )
    log.item(
        "commandExecution",
        command="git status --short",
        status="completed",
        aggregatedOutput=" M src/clock.py\n?? notes.md\n",
        exitCode=0,
        durationMs=41,
    )
    diff = (
        "@@ -12,7 +12,8 @@ class Timer:\n     def __init__(self, seconds: float) -> None:\n"
        "-        self._ends = time.monotonic() + seconds\n+        self._clock = clock\n"
        "+        self._ends = clock.monotonic() + seconds\n         self._fired = False\n \n"
        "@@ -40,3 +41,3 @@\n     def left(self) -> float:\n"
        "-        return self._ends - time.monotonic()\n+        return self._ends - self._clock.monotonic()\n"
    )
    log.item(
        "fileChange",
        status="completed",
        changes=[
            {"path": "/home/ada/autopilot/src/clock.py", "kind": {"type": "update"}, "diff": diff},
            {"path": "/home/ada/autopilot/notes.md", "kind": {"type": "add"}, "diff": "# Notes\n\nClocks are seams.\n"},
            {"path": "/home/ada/autopilot/old.py", "kind": {"type": "delete"}, "diff": "import time\n"},
        ],
    )
    git = f"diff --git a/src/clock.py b/src/clock.py\nindex 1..2 100644\n--- a/src/clock.py\n+++ b/src/clock.py\n{diff}"
    log.codex("turn/diff/updated", diff=git)


def _questions(log: Story) -> None:
    options = [{"option_id": "accept", "label": "Yes, run it"}, {"option_id": "decline", "label": "No"}]
    for number, risk in ((1, "medium"), (2, "high")):
        approval = {
            "approval_id": f"ap_{number}",
            "kind": "command",
            "title": "Push the branch to origin?",
            "risk": risk,
            "facts": [{"name": "host", "label": "Host", "value": "example.org"}],
            "evidence": {
                "command_line": "git push origin fix-clock",
                "cwd": "/home/ada/autopilot",
                "reason": "The branch has to be there for the pull request.",
                "questions": [
                    {"question_id": "q", "header": "Name", "text": "Which remote?", "options": [{"label": "origin"}]}
                ],
                "changes": [{"path": "a.py", "kind": "add", "diff": "x = 1\n"}],
            },
            "options": options,
            "answerable": True,
        }
        log.tell("worker.approval.requested", approval=approval, params={"turnId": "t"})
    decision = {"option_id": "decline", "message": "Not before the review."}
    log.tell("worker.approval.decided", BROWSER, approval_id="ap_1", decision=decision)
    log.tell("worker.approval.applied", approval={"approval_id": "ap_1", "outcome": "declined"})
    log.tell("worker.policy.denied", BROWSER, approval_id="ap_2", kind="command", reason_code="policy_denied.approval")
    log.tell("worker.request.received", BROWSER, request_id="r2", method="thread/shellCommand", params={})
    log.tell(
        "worker.policy.denied",
        BROWSER,
        request_id="r2",
        reason_code="policy_denied.method",
        message="the team's policy allows no shell commands",
        document="team",
        rule_id="requests.deny[0]",
        version=3,
    )


def _tools(log: Story) -> None:
    result = {"content": [{"type": "text", "text": "2 issues\n#12 Clock drifts\n#14 Timer leaks"}]}
    given = {"query": "clock", "state": "open"}
    log.item("mcpToolCall", server="tracker", tool="search", arguments=given, result=result, status="completed")
    log.item("dynamicToolCall", tool="deploy", arguments={}, contentItems=[], status="failed", durationMs=12000)
    found = [{"title": "time: Time access and conversions", "url": "https://docs.example.org/3/library/time.html"}]
    action = {"type": "search", "query": "monotonic clock", "queries": ["monotonic clock", "python fake clock"]}
    log.item("webSearch", query="monotonic clock", action=action, results=found)
    log.item("webSearch", query="", action={"type": "openPage", "url": "https://docs.example.org/3/"})
    log.item("imageView", path="/home/ada/shot.png")
    log.item("imageGeneration", status="completed", result=DOT, revisedPrompt="A green dot", savedPath="/tmp/dot.png")
    log.item("subAgentActivity", kind="started", agentPath="/root/reviewer", agentThreadId="t2")
    log.item("hookPrompt", fragments=[{"text": "Remember to run the formatter.", "hookRunId": "h"}])
    run = {"id": "h", "eventName": "preToolUse", "status": "blocked", "entries": [{"text": "Not on Fridays"}]}
    log.codex("hook/completed", run=run | {"durationMs": 12})
    log.item("sleep", durationMs=30000)
    log.item("somethingNew", detail={"of": "a later Codex"})
    log.item("plan", text="## Plan\n\n- look\n- leap")


def _troubles(log: Story) -> None:
    error = {"message": "We're currently experiencing high demand.", "codexErrorInfo": "serverOverloaded"}
    log.codex("error", error=error, willRetry=True)
    log.codex("model/rerouted", fromModel="gpt-large", toModel="gpt-small", reason="overload")
    log.codex("warning", message="The sandbox is off for this session.")
    log.item("contextCompaction")
    log.item("enteredReviewMode", review="current changes")
    log.item("exitedReviewMode", review="**No findings.** The clock is injected everywhere.")
    review = {"status": "approved", "riskLevel": "low", "rationale": "It only reads."}
    log.codex("item/autoApprovalReview/completed", reviewId="v", action={"command": "ls -la"}, review=review)
    log.asked("turn/interrupt", by=BROWSER, request_id="r3", turnId="t")
    log.tell("worker.request.expired", request_id="r3", method="turn/interrupt")


def _ending(log: Story) -> None:
    counts = {"totalTokens": 48210, "inputTokens": 46000, "cachedInputTokens": 39000, "outputTokens": 2210}
    log.codex("thread/tokenUsage/updated", tokenUsage={"last": counts, "total": counts, "modelContextWindow": 95000})
    log.item("agentMessage", text="Done: 200 runs, no failure. مرحبا، كل شيء جاهز.", phase="final_answer")
    log.codex("turn/completed", turn={"id": "t", "status": "completed", "durationMs": 95000})
    hand = {"handshake_id": "h2", "occurred_at": "2026-11-23T08:00:00Z"}
    log.tell("worker.event", BROWSER, method="ios/handshake", source="autopilot-web", device_id="dev_browser", **hand)
    log.asked("worker/stop", request_id="s1", reason="Enough for today")
    stopped = {"processes": [{"command": "npm start", "ended_by": "SIGTERM"}], "unverified": ["what runs in tmux"]}
    log.tell("worker.stopped", request_id="s1", reason="Enough for today", verified=False, **stopped)


def page(items: Iterator[Item] | tuple[Item, ...], *, theme: str) -> str:
    """A page of its own with the app's style sheets, in one theme."""
    import htpy as h
    from markupsafe import Markup

    from autopilot.web.timeline import Look, render

    css = Path(__file__).parents[2] / "src" / "autopilot" / "web" / "static" / "css"
    style = "".join(path.read_text("utf-8") for path in sorted(css.glob("*.css")))
    head = [h.meta(charset="utf-8"), h.meta(name="viewport", content="width=device-width,initial-scale=1")]
    look = Look(worker_id="w", names=NAMES)
    shown = h.div("#timeline", role="feed", aria_label="Timeline", tabindex="0")[(render(item, look) for item in items)]
    return str(
        h.html(lang="en", data_theme=theme)[
            h.head[head, h.title["Timeline"], h.style[Markup(style)]], h.body[h.main[h.h1["Timeline"], shown]]
        ]
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(story(), theme=sys.argv[2] if len(sys.argv) > 2 else "light"), "utf-8")

"""Strings that attack whoever shows them, and items made of them: a test parses what comes out, another lets Chromium
run it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from autopilot.client.timeline_form import KINDS
from autopilot.client.timeline_items import (
    Attachment,
    Change,
    Finding,
    Item,
    PlanStep,
    Tokens,
    Whole,
)
from autopilot.client.timeline_records import Denial, Fact, Question, ReceiptStep
from autopilot.contract import Actor

CORPUS = Path(__file__).with_name("hostile.txt")
LONGEST = 10_000_000
HUGE = 16
"""So many of the strings are the longest ones; they come last."""


def strings() -> list[str]:
    """The corpus: a line each, with Python's escapes; and those that are too long for a file."""
    lines = CORPUS.read_text("ascii").splitlines()
    written = [line.encode("ascii").decode("unicode_escape") for line in lines if line and not line.startswith("# ")]
    return [*written, *_huge()]


def _huge() -> Iterator[str]:
    yield "A" * LONGEST
    yield "\n" * 1_000_000
    yield "line of output \x1b[31mred\x1b[0m\n" * 300_000
    yield "[" * 50_000
    yield "> " * 50_000
    yield "http://localhost/" * 20_000
    yield "*a " * 50_000
    yield "|a" * 20_000 + "\n" + "|-" * 20_000
    yield "![a](" * 20_000
    yield "\x1b[1m" * 100_000
    yield "\x1b]8;;" + "x" * 1_000_000
    yield "+" * 1_000_000
    yield "@@ -1 +1 @@\n" * 50_000
    yield "\u202e" * 50_000
    yield "a\u0301" * 100 + "\u0301" * 50_000
    yield '{"a":' * 50_000


def items(text: str) -> Iterator[Item]:
    """Every kind of item with this text wherever a text can be."""
    actor = Actor(surface=text, user_id=1, device_id=text)
    parts = {
        "wholes": (Whole(artifact_id=text, path=text, bytes=5),) * 3,
        "parts": (Attachment(type=text, name=text, data=text, characters=3),) * 3,
        "steps": (PlanStep(step=text, status=text),) * 3,
        "changes": tuple(
            Change(path=text, action=action, diff=text, moved_to=text) for action in ("update", "add", text)
        ),
        "findings": (Finding(title=text, url=text),),
        "queries": (text,),
        "facts": (Fact(label=text, value=text),),
        "questions": (Question(text=text, header=text, choices=(text,)),),
        "labels": ((text, text),),
        "denial": Denial(reason_code=text, message=text, document=text, rule_id=text, version=1),
        "turn": Tokens(),
        "thread": Tokens(),
        **dict.fromkeys(("processes", "still_running", "unverified"), (text,)),
        **dict.fromkeys(("actor", "answered_by"), actor),
    }
    for name, kind in KINDS.items():
        values = {
            field.name: parts.get(field.name, text)
            for field in fields(kind)
            if field.name in parts or "str" in str(field.type)
        }
        if name == "request":
            values["steps"] = (ReceiptStep(state=text, at=text),) * 3
        item = kind(**values | {"seq": 1, "last_seq": 2})
        yield item
        yield from (replace(item, **more) for more in _variants(name))


def _variants(kind: str) -> list[dict[str, object]]:
    return {
        "approval": [{"state": "pending", "answerable": True}, {"state": "applied", "rule_id": None}],
        "webSearch": [{"action": "openPage"}, {"action": "findInPage"}],
        "plan": [{"steps": ()}],
        "lifecycle": [{"event": "stopped", "verified": False}],
        "commandExecution": [{"status": "completed", "exit_code": 1}],
    }.get(kind, [])

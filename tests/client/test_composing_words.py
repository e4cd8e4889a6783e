"""Where one writes to a worker: who may, what else there is, and which request each button makes."""

from __future__ import annotations

from typing import Any

import pytest

from autopilot.client.presenters import composing
from autopilot.client.saying import interrupted, said
from autopilot.contract import WorkerSnapshot, decode
from autopilot.contract.errors import Conflict, InvalidRequest

FACT = {"state": "ok"}
SNAPSHOT: dict[str, Any] = {
    "worker_id": "w:1",
    "status": "running",
    "latest_seq": 1,
    "updated_at": "2026-11-23T08:00:00Z",
    "started_at": "2026-11-23T08:00:00Z",
    "heartbeat_stale_after_ms": 120000,
    "heartbeat_state": "fresh",
    "execution_mode": "desktop",
    "pending_approvals": 0,
    "lease": {"state": "held"},
    "metadata": {},
    "health": {"api": FACT, "machine": FACT, "codex": FACT, "data": FACT},
}


def worker(**changes: Any) -> WorkerSnapshot:
    return decode(WorkerSnapshot, SNAPSHOT | changes)


@pytest.mark.parametrize(
    ("changes", "ways"),
    [
        ({"role": "viewer"}, []),
        ({"status": "stopping"}, []),
        ({"status": "stopped"}, ["reopen"]),
        ({"status": "failed"}, ["reopen"]),
        ({"control": {"value": "observe_only", "seq": 1}}, ["adopt", "fork"]),
    ],
)
def test_who_may_not_write_is_told_why_and_what_else_there_is(changes: dict[str, Any], ways: list[str]) -> None:
    told = composing.may(worker(**changes))

    assert not told.can_write
    assert told.words
    assert [way.name for way in told.ways] == ways


def test_who_may_write_is_told_nothing() -> None:
    assert composing.may(worker(role="operator")) == composing.May(can_write=True)


def test_a_running_turn_is_interrupted_steered_or_waited_for_and_an_idle_worker_is_written_to() -> None:
    assert [act.name for act in composing.acts("turn-1")] == ["interrupt", "queue", "steer"]
    assert [act.name for act in composing.acts(None)] == ["send"]


def test_each_button_is_a_request() -> None:
    words = {"input": [{"type": "text", "text": "Go on"}]}

    assert said("send", "Go on") == ("turn/start", words)
    assert said("queue", "Go on", "t") == ("thread/queue/add", words)
    assert said("steer", "Go on", "t") == ("turn/steer", words | {"expectedTurnId": "t"})
    assert interrupted("t") == ("turn/interrupt", {"turnId": "t"})


@pytest.mark.parametrize(
    ("asked", "kind", "reason"),
    [
        (lambda: said("send", " \n"), InvalidRequest, "nothing_said"),
        (lambda: said("shout", "x"), InvalidRequest, "unknown_act"),
        (lambda: said("steer", "x"), Conflict, "turn_ended"),
        (lambda: interrupted(""), Conflict, "no_turn_runs"),
    ],
)
def test_what_can_not_be_asked_says_why(asked: Any, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind) as refused:
        asked()
    assert getattr(refused.value, "reason_code", None) == reason

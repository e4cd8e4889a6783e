"""Approvals: asked by an executor, decided once, handed over, ended once."""

from __future__ import annotations

from typing import Any

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime.app import Runtime
from autopilot.testing.approvals import question
from autopilot.testing.machines import Companion, leased
from autopilot.testing.runtime import OWNER, Answer, call, frames


@pytest.fixture
async def companion(runtime: Runtime) -> Companion:
    return await leased(runtime)


async def decide(
    runtime: Runtime, approval_id: str, option_id: str = "accept", claims: Claims = OWNER, **more: Any
) -> Answer:
    body = {"option_id": option_id, **more}
    return await call(runtime, "POST", f"/approvals/{approval_id}/decision", body, claims=claims)


async def read(runtime: Runtime, approval_id: str) -> dict[str, Any]:
    answer = await call(runtime, "GET", f"/approvals/{approval_id}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.data
    return found


async def pending(runtime: Runtime) -> list[str]:
    answer = await call(runtime, "GET", "/approvals")
    assert answer.status == 200, answer.body
    return [approval["approval_id"] for approval in answer.data]


async def asked_one(companion: Companion, **said: Any) -> str:
    approval = question("w", **said)
    answer = await companion.ask_approval("w", approval)
    assert answer.status == 202, answer.body
    found: str = approval["approval_id"]
    return found


async def test_a_question_of_codex_is_an_approval_that_can_be_listed_and_read(runtime, companion):
    approval_id = await asked_one(companion, ttl_ms=86_400_000)
    assert await pending(runtime) == [approval_id]
    found = await read(runtime, approval_id)
    assert found["state"] == "pending"
    assert found["worker_id"] == "w"
    assert found["kind"] == "command"
    assert found["codex_request_id"] == 0
    assert found["evidence"]["command"] == ["touch", "hello.txt"]
    assert [option["option_id"] for option in found["options"]] == ["accept", "acceptForSession", "decline", "cancel"]
    assert found["params"] == {"threadId": "thread-1"}
    assert found["machine"]["machine_id"] == "m1"
    assert found["machine_reachable"] is True
    assert found["expires_at"] > found["requested_at"]
    assert found["decision"] is None
    [event] = [frame for frame in await frames(runtime, "w") if frame["eventType"] == "worker.approval.requested"]
    assert found["seq"] == event["seq"]


async def test_a_decision_reaches_the_machine_once_as_decided_and_is_applied_when_codex_took_it(runtime, companion):
    approval_id = await asked_one(companion)
    answer = await decide(runtime, approval_id)
    assert answer.status == 200, answer.body
    assert answer.data["state"] == "decided"
    assert answer.data["decision"]["option_id"] == "accept"
    assert answer.data["decision"]["actor"]["device_id"] == "device-1"
    [entry] = [entry for entry in await companion.feed() if entry["kind"] == "decision"]
    assert entry["body"]["approval_id"] == approval_id
    assert entry["body"]["option_id"] == "accept"
    assert entry["worker_id"] == "w"
    assert entry["request_id"] is None
    assert (await read(runtime, approval_id))["state"] == "delivered"
    assert (await companion.end_approval("w", approval_id, "applied", "accepted")).status == 202
    found = await read(runtime, approval_id)
    assert (found["state"], found["outcome"]) == ("applied", "accepted")
    assert found["ended_at"] is not None
    assert await pending(runtime) == []
    [again] = [entry for entry in await companion.feed() if entry["kind"] == "decision"]
    assert again["body"] is None

"""Every answer of the runtime is what the OpenAPI document says, key by key, and no key more."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from autopilot import contract
from autopilot.contract import Envelope, FeedEntry, decode, encode, openapi
from autopilot.testing.approvals import question
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import OWNER, call

DOCUMENT = openapi.document()
BASE = "/api/runtime/codex"
USAGE = {
    "source": "autopilot-desktop",
    "method": "thread/tokenUsage/updated",
    "params": {
        "threadId": "t",
        "turnId": "u",
        "tokenUsage": {
            "total": {
                "totalTokens": 30,
                "inputTokens": 20,
                "cachedInputTokens": 5,
                "outputTokens": 10,
                "reasoningOutputTokens": 2,
            }
        },
    },
}


def described(method: str, path: str, status: int) -> dict[str, Any]:
    """The schema of an answer in the document."""
    response = DOCUMENT["paths"][BASE + path][method.lower()]["responses"][str(status)]
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rsplit("/", 1)[-1]]
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return schema


def names(schema: dict[str, Any]) -> list[str]:
    """The messages that a schema allows."""
    return [one["$ref"].rsplit("/", 1)[-1] for one in schema.get("anyOf", [schema])]


def honoured(method: str, path: str, answer: Any) -> Any:
    """Assert that an answer is as described, and return its data."""
    schema = described(method, path, answer.status)
    validator = Draft202012Validator(schema | {"components": DOCUMENT["components"]}, format_checker=FormatChecker())
    assert [error.message for error in validator.iter_errors(answer.json)] == []
    if answer.status >= 300:
        return answer.json["error"]
    kinds = [getattr(contract, name) for name in names(schema)]
    kind = next(kind for kind in kinds if is_list(kind) is isinstance(answer.data, list))
    assert undocumented(answer.json, encode(decode(kind, answer.json))) == []
    return answer.data


def is_list(kind: type) -> bool:
    return next(field for field in dataclasses.fields(kind) if field.name == "data").default == ()


def undocumented(sent: Any, known: Any, where: str = "$") -> list[str]:
    """Keys that were sent and are in no message. (What is raw is known as it was sent.)"""
    if isinstance(sent, dict):
        extra = [f"{where}.{name}" for name in sent if name not in known]
        return extra + [one for name in sent if name in known for one in undocumented(sent[name], known[name], name)]
    if isinstance(sent, list):
        return [one for a, b in zip(sent, known, strict=True) for one in undocumented(a, b, f"{where}[]")]
    return []


@pytest.fixture
async def companion(runtime):
    made = Companion(runtime)
    await made.register(name="Desk", platform="linux", codex_version="0.163.0", desktop_session_id="s1")
    return made


async def test_the_life_of_a_worker(runtime, companion):
    made = await call(runtime, "POST", "/workers", {"worker_id": "w", "adapter": "desktop_bridge"})
    honoured("POST", "/workers", made)
    honoured("POST", "/workers", await call(runtime, "POST", "/workers", {"worker_id": "w"}))
    honoured("GET", "/workers/{workerId}", await call(runtime, "GET", "/workers/w/snapshot"))

    honoured("POST", "/workers/{workerId}/lease", await companion.claim("w"))
    usage = {"event": {"event_type": "worker.event", "payload": USAGE}, "generation": companion.generations["w"]}
    honoured("POST", "/workers/{workerId}/events", await companion.post("/workers/w/events", usage))
    honoured("POST", "/workers/{workerId}/events", await companion.append("w", "worker.event", "e1", method="x"))
    honoured("POST", "/workers/{workerId}/events", await companion.append("w", "worker.heartbeat", "h1"))

    snapshot = honoured("GET", "/workers/{workerId}", await call(runtime, "GET", "/workers/w/snapshot"))
    assert snapshot["spend"]["total_tokens"] == 30
    (summary,) = honoured("GET", "/workers", await call(runtime, "GET", "/workers", query="limit=1"))
    assert set(summary) == {field.name for field in dataclasses.fields(contract.WorkerSummary)}
    assert set(snapshot) == {field.name for field in dataclasses.fields(contract.WorkerSnapshot)}

    page = honoured("GET", "/workers/{workerId}/events", await call(runtime, "GET", "/workers/w/events"))
    assert all([*envelope, "teamId"] == list(encode(decode(Envelope, envelope))) for envelope in page), "of no team"

    stop = await call(runtime, "POST", "/workers/w/stop", {"reason": "done"})
    assert honoured("POST", "/workers/{workerId}/stop", stop)["status"] == "stopping"
    await companion.append("w", "worker.stopped", "stopped", reason="done")
    again = await call(runtime, "POST", "/workers/w/stop", {})
    assert honoured("POST", "/workers/{workerId}/stop", again)["idempotent_replay"] is True
    honoured("GET", "/workers/{workerId}", await call(runtime, "GET", "/workers/w/snapshot"))


async def test_the_life_of_a_request(runtime, companion):
    await call(runtime, "POST", "/workers", {"worker_id": "w"})
    await companion.claim("w")
    asked = {"request": {"request_id": "r1", "method": "thread/read", "params": {"threadId": "t"}}}

    first = await call(runtime, "POST", "/workers/w/requests", asked, query="wait_ms=0")
    assert (first.status, honoured("POST", "/workers/{workerId}/requests", first)["state"]) == (202, "accepted")
    (entry,) = [one for one in await companion.feed() if one["kind"] == "request"]
    assert decode(contract.FeedRequest, decode(FeedEntry, entry).body).params == {"threadId": "t"}
    await companion.report("r1", "acknowledged", "w")
    await companion.respond("w", "r1", {"thread": {"id": "t"}})

    ended = await call(runtime, "POST", "/workers/w/requests", asked, query="wait_ms=0")
    assert (ended.status, honoured("POST", "/workers/{workerId}/requests", ended)["ok"]) == (200, True)
    receipt = await call(runtime, "GET", "/workers/w/requests/r1")
    honoured("GET", "/workers/{workerId}/requests/{requestId}", receipt)
    taken_back = await call(runtime, "POST", "/workers/w/requests/r1/cancel")
    assert honoured("POST", "/workers/{workerId}/requests/{requestId}/cancel", taken_back)["code"] == "conflict"


@pytest.mark.parametrize(
    ("ok", "said", "kept"),
    [
        (True, {"thread": {"id": "t"}}, {"thread": {"id": "t"}}),
        (True, [1, None], [1, None]),
        (True, 7, 7),
        (True, None, None),
        (False, {"code": -32600, "message": "no"}, {"code": -32600, "message": "no"}),
        (False, "no", {"message": "no"}),
        (False, None, None),
    ],
)
async def test_a_result_of_any_shape_ends_its_receipt(runtime, companion, ok, said, kept):
    await call(runtime, "POST", "/workers", {"worker_id": "w"})
    await companion.claim("w")
    asked = {"request": {"request_id": "r1", "method": "thread/read"}}
    await call(runtime, "POST", "/workers/w/requests", asked, query="wait_ms=0")
    await companion.feed()

    assert (await companion.respond("w", "r1", said, ok=ok)).status == 202

    ended = await call(runtime, "POST", "/workers/w/requests", asked, query="wait_ms=0")
    outcome = honoured("POST", "/workers/{workerId}/requests", ended)
    assert (ended.status, outcome["ok"], outcome["response" if ok else "error"]) == (200, ok, kept)


async def test_the_life_of_a_machine(runtime, companion):
    await call(runtime, "POST", "/workers", {"worker_id": "w"})
    honoured("POST", "/machines", await companion.register(name="Desk"))
    honoured("GET", "/machines", await call(runtime, "GET", "/machines"))
    await companion.claim("w")
    beat = {"workers": [{"worker_id": "w", "generation": 1}, {"worker_id": "other", "generation": 7}]}
    honoured("POST", "/machines/{machineId}/heartbeat", await companion.post("/machines/m1/heartbeat", beat))
    honoured("POST", "/workers/{workerId}/lease/release", await companion.release("w"))

    asked = {"request": {"request_id": "r1", "method": "model/list"}}
    sent = await call(runtime, "POST", "/machines/m1/requests", asked, query="wait_ms=0")
    honoured("POST", "/machines/{machineId}/requests", sent)
    entries = await companion.feed()
    cursor = {"cursor": entries[-1]["feed_seq"]}
    honoured("POST", "/machines/{machineId}/feed/ack", await companion.post("/machines/m1/feed/ack", cursor))
    steps = [
        {"request_id": "r1", "state": "completed", "response": {"data": []}},
        {"request_id": "x", "state": "failed"},
    ]
    reported = await companion.post("/machines/m1/receipts", {"receipts": steps})
    honoured("POST", "/machines/{machineId}/receipts", reported)
    receipt = await call(runtime, "GET", "/machines/m1/requests/r1")
    assert honoured("GET", "/machines/{machineId}/requests/{requestId}", receipt)["ok"] is True
    second = {"request": {"request_id": "r2", "method": "model/list"}}
    await call(runtime, "POST", "/machines/m1/requests", second, query="wait_ms=0")
    cancelled = await call(runtime, "POST", "/machines/m1/requests/r2/cancel")
    assert honoured("POST", "/machines/{machineId}/requests/{requestId}/cancel", cancelled)["state"] == "cancelled"


async def test_the_life_of_an_approval(runtime, companion):
    await call(runtime, "POST", "/workers", {"worker_id": "w"})
    await companion.claim("w")
    asked = question("w", facts=[{"name": "cwd", "label": "Folder", "value": "/tmp"}], ttl_ms=60_000)
    path = f"/approvals/{asked['approval_id']}"
    honoured("POST", "/workers/{workerId}/events", await companion.ask_approval("w", asked, x=[1, None]))
    (listed,) = honoured("GET", "/approvals", await call(runtime, "GET", "/approvals"))
    assert set(listed) == {field.name for field in dataclasses.fields(contract.Approval)}
    decision = {"option_id": "decline", "message": "not now"}

    decided = await call(runtime, "POST", f"{path}/decision", decision)
    assert honoured("POST", "/approvals/{approvalId}/decision", decided)["state"] == "decided"
    (entry,) = [one for one in await companion.feed() if one["kind"] == "decision"]
    answer = decode(contract.ApprovalAnswer, decode(FeedEntry, entry).body)
    assert (answer.approval_id, answer.option_id, answer.message) == (asked["approval_id"], "decline", "not now")
    assert undocumented(entry["body"], encode(answer)) == []
    await companion.end_approval("w", asked["approval_id"], "applied", "declined")
    assert honoured("GET", "/approvals/{approvalId}", await call(runtime, "GET", path))["state"] == "applied"
    other = await call(runtime, "POST", f"{path}/decision", {"option_id": "accept"})
    assert honoured("POST", "/approvals/{approvalId}/decision", other)["code"] == "conflict"


async def test_a_refusal_is_an_error_of_its_status(runtime):
    nobody = await call(runtime, "GET", "/workers/nobody/snapshot", claims=OWNER)

    assert honoured("GET", "/workers/{workerId}", nobody)["code"] == "not_found"

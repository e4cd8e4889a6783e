"""A payload is anybody's JSON: what looks like one of ours but isn't never fails an append, nor its neighbours'."""

from __future__ import annotations

import asyncio
import json

import pytest

from autopilot.contract import WorkerSnapshot, decode
from autopilot.testing.runtime import call, frames, insert_worker

NUL = "a\x00b"
HANDSHAKE = {"source": "s", "handshake_id": "h", "device_id": "d", "occurred_at": "2026-11-22T07:16:00Z"}


def counts_of(value):
    names = ("inputTokens", "cachedInputTokens", "outputTokens", "reasoningOutputTokens", "totalTokens")
    return dict.fromkeys(names, value)


async def append(runtime, event_type, payload):
    event = {"event_type": event_type, "payload": payload}
    return await call(runtime, "POST", "/workers/w/events", json.dumps({"event": event}).encode())


@pytest.fixture
async def worker(runtime):
    await insert_worker(runtime, "w")
    return runtime


@pytest.mark.parametrize(
    ("event_type", "payload"),
    [
        ("worker.stopped", {"reason": NUL}),
        ("worker.stopped", {"reason": ["x"], "verified": "no"}),
        ("worker.response", {"request_id": NUL, "response": {"text": NUL}}),
        ("worker.response", {"request_id": ["r"], "response": 1}),
        ("worker.error", {"request_id": {"r": 1}, "error": "x"}),
        ("worker.error", {"request_id": "nobody-asked", "error": None}),
        ("worker.event", {"method": ["thread/started"], "params": {"thread": []}}),
        ("worker.event", {"method": {"ios/handshake": 1}}),
        ("worker.event", {"method": NUL, "params": NUL}),
        ("worker.event", {"method": "thread/started", "params": {"thread": {"name": NUL, "cwd": 7, "preview": NUL}}}),
        ("worker.event", {NUL: NUL}),
        (
            "worker.event",
            {"method": "thread/status/changed", "params": {"status": {"type": "active", "activeFlags": 5}}},
        ),
        ("worker.event", {"method": "thread/status/changed", "params": {"status": {"type": ["active"]}}}),
        ("worker.event", {"method": "thread/settings/updated", "params": {"threadSettings": {"cwd": {"a": 1}}}}),
        ("worker.event", {"method": "thread/name/updated", "params": {"threadName": {"a": 1}}}),
        ("worker.event", {"method": "thread/tokenUsage/updated", "params": {"tokenUsage": {"total": counts_of(True)}}}),
        (
            "worker.event",
            {"method": "thread/tokenUsage/updated", "params": {"tokenUsage": {"total": counts_of(10**30)}}},
        ),
        (
            "worker.event",
            {
                "source": "autopilot-desktop",
                "method": "thread/started",
                "params": {"thread": {"id": "t", "createdAt": 10**400}},
                "occurred_at": "2026-11-22T07:16:00Z",
            },
        ),
        (
            "worker.event",
            {
                "source": "autopilot-desktop",
                "method": "thread/tokenUsage/updated",
                "params": {"threadId": ["t"], "turnId": {}, "tokenUsage": {"total": counts_of(7), "last": 7}},
                "occurred_at": "0001-01-01T00:00:00+23:59",
            },
        ),
        ("worker.lonely_type_of_tomorrow", {"method": None}),
    ],
)
async def test_it_is_recorded_as_it_was_sent_and_the_worker_can_still_be_read(worker, event_type, payload):
    answer = await append(worker, event_type, payload)
    snapshot = await call(worker, "GET", "/workers/w/snapshot")

    assert answer.status == 202
    assert [frame["payload"] for frame in await frames(worker, "w")] == [payload]
    assert decode(WorkerSnapshot, snapshot.json["data"]).latest_seq == 1


@pytest.mark.parametrize("change", [{"handshake_id": NUL}, {"handshake_id": ["h"]}, {"device_id": NUL}, {"source": 1}])
async def test_a_handshake_that_is_none_is_422_and_its_neighbours_are_recorded(worker, change):
    odd = {"method": "ios/handshake", **HANDSHAKE, **change}

    refused, *others = await asyncio.gather(
        append(worker, "worker.event", odd),
        *(append(worker, "worker.event", {"n": n}) for n in range(20)),
    )

    assert refused.status == 422
    assert {answer.status for answer in others} == {202}
    assert len(await frames(worker, "w")) == 20


@pytest.mark.parametrize("body", [{"reason": NUL}, {"reason": 1}, {"reason": "x" * 256}, {"force": "yes"}])
async def test_a_stop_whose_reason_no_log_can_hold_is_422(worker, body):
    assert (await call(worker, "POST", "/workers/w/stop", body)).status == 422


@pytest.mark.parametrize("method", ["", "a b", "turn/stärt", NUL, "x" * 256])
async def test_a_request_whose_method_is_no_name_is_422(worker, method):
    answer = await call(worker, "POST", "/workers/w/requests", {"request": {"method": method}}, query="wait_ms=0")

    assert answer.status == 422

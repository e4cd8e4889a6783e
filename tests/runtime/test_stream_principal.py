from __future__ import annotations

import asyncio

import msgspec
import pytest

from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.runtime.app import build
from autopilot.testing.runtime import OWNER, STRANGER, batch, call, draft

MACHINE = Claims(user_id=1, machine_id="m", scopes=frozenset({"execute"}), surface="companion")


class Reader:
    """Reads a principal's stream frame by frame."""

    def __init__(self, body):
        self.body = body
        self.frames = []

    async def until(self, wanted):
        """The first frame from here on for which `wanted(event, data)` holds, as (id, event, data)."""
        async with asyncio.timeout(10):
            while True:
                while self.frames:
                    identity, event, data = self.frames.pop(0)
                    if wanted(event, data):
                        return identity, event, data
                chunk = await anext(self.body)
                self.frames += [parsed(frame) for frame in chunk.decode().split("\n\n") if frame[:1] not in {"", ":"}]


def parsed(frame):
    fields = dict(line.split(": ", 1) for line in frame.split("\n"))
    return fields.get("id"), fields["event"], msgspec.json.decode(fields["data"])


async def opened(runtime, query="", headers=None, claims=OWNER):
    response = await runtime.call(RuntimeRequest(claims, "GET", "/stream", query, headers or {}))
    assert response.status == 200
    return Reader(response.body)


async def create(runtime, *names, claims=OWNER):
    for name in names:
        assert (await call(runtime, "POST", "/workers", {"worker_id": name}, claims=claims)).status == 202


async def test_state_comes_first_and_only_the_principals(runtime):
    await create(runtime, "a", "b")
    await create(runtime, "theirs", claims=STRANGER)
    await call(runtime, "POST", "/machines", {"machine_id": "m", "name": "desk"}, claims=MACHINE)

    answer = await call(runtime, "GET", "/stream", query="tail_ms=1")

    frames = [parsed(frame) for frame in answer.body.decode().split("\n\n") if frame]
    assert [(event, data.get("worker_id") or data.get("machine_id")) for _, event, data in frames] == [
        ("codex.state.machine", "m"),
        ("codex.state.worker", "b"),
        ("codex.state.worker", "a"),
    ]


async def test_a_new_worker_and_every_change_of_one_are_told(runtime):
    reader = await opened(runtime)

    await create(runtime, "w")
    await reader.until(lambda event, data: event == "codex.state.worker" and data["latest_seq"] == 1)
    await runtime.ledger.append(batch("w", draft("e", method="turn/started", params={})))
    _, _, changed = await reader.until(lambda _, data: data.get("latest_seq") == 2)

    assert changed["activity"] == {"value": "running", "seq": 2}
    await reader.body.aclose()


async def test_a_chosen_workers_events_come_with_a_cursor_that_resumes(runtime):
    await create(runtime, "a", "b")
    reader = await opened(runtime, "workers=a")
    await reader.until(lambda _, data: data.get("worker_id") == "a")
    await runtime.ledger.append(batch("a", draft("one")))
    cursor, _, _ = await reader.until(lambda event, _: event == "codex.worker.event")
    await reader.body.aclose()
    await runtime.ledger.append(batch("a", draft("two"), draft("three")))

    for how in ({"query": f"workers=a&cursor={cursor}"}, {"query": "workers=a", "headers": {"last-event-id": cursor}}):
        again = await opened(runtime, **how)
        seen = [await again.until(lambda event, _: event == "codex.worker.event") for _ in range(2)]
        assert [data["eventId"] for _, _, data in seen] == ["two", "three"]
        await again.body.aclose()


async def test_the_first_state_already_carries_the_cursor(runtime):
    await create(runtime, "a")
    reader = await opened(runtime, "workers=a")
    cursor, _, _ = await reader.until(lambda _, data: data.get("worker_id") == "a")
    await reader.body.aclose()
    await runtime.ledger.append(batch("a", draft("missed")))

    again = await opened(runtime, f"workers=a&cursor={cursor}")
    _, _, data = await again.until(lambda event, _: event == "codex.worker.event")

    assert data["eventId"] == "missed"
    await again.body.aclose()


async def test_receipts_are_told_from_accepted_to_their_end(runtime):
    await create(runtime, "w")
    await call(runtime, "POST", "/machines", {"machine_id": "m", "name": "desk"}, claims=MACHINE)
    lease = await call(runtime, "POST", "/workers/w/lease", {"machine_id": "m", "ttl_ms": 60_000}, claims=MACHINE)
    reader = await opened(runtime)

    body = {"request": {"request_id": "r", "method": "turn/start", "params": {"input": []}}}
    await call(runtime, "POST", "/workers/w/requests", body, query="wait_ms=0")
    _, _, accepted = await reader.until(lambda event, _: event == "codex.state.receipt")
    result = {"request_id": "r", "ok": True, "response": {"turn": {}}}
    ended = {"event": {"event_type": "worker.response", "event_id": "response:r", "payload": result}}
    ended["generation"] = lease.data["generation"]
    await call(runtime, "POST", "/workers/w/events", ended, claims=MACHINE)
    _, _, last = await reader.until(lambda event, data: event == "codex.state.receipt" and data["ok"] is not None)

    assert (accepted["request_id"], accepted["state"]) == ("r", "accepted")
    assert (last["state"], last["response"]) == ("completed", {"turn": {}})
    await reader.body.aclose()


async def test_changes_in_another_runtime_are_told_too(database, settings):
    async with await build(settings, dsn=database) as here, await build(settings, dsn=database) as there:
        reader = await opened(there)

        await create(here, "w")

        await reader.until(lambda _, data: data.get("worker_id") == "w")
        await reader.body.aclose()


async def test_shutdown_says_goodbye(runtime):
    reader = await opened(runtime, "frames=control")
    await reader.until(lambda event, _: event == "codex.stream.caught_up")

    runtime.stop_streams()

    _, _, bye = await reader.until(lambda event, _: event == "codex.stream.bye")
    assert bye["reason"] == "shutdown"


@pytest.mark.parametrize(
    ("query", "headers", "status", "reason"),
    [
        ("cursor=x", {}, 400, "cursor"),
        ("cursor=p1", {"last-event-id": "p1.1-1"}, 400, "cursors_differ"),
        ("workers=a%20b", {}, 422, "invalid_value"),
        ("workers=" + ",".join(f"w{n}" for n in range(33)), {}, 422, "invalid_value"),
        ("workers=nobody", {}, 404, "no_such_worker"),
        ("workers=theirs", {}, 403, "role"),
        ("tail_ms=0", {}, 422, "out_of_range"),
        ("workers=a&cursor=p1.1-99", {}, 410, "ahead_of_log"),
    ],
)
async def test_what_cannot_be_followed_is_refused_before_it_opens(runtime, query, headers, status, reason):
    await create(runtime, "a")
    await create(runtime, "theirs", claims=STRANGER)

    answer = await call(runtime, "GET", "/stream", query=query, headers=headers)

    assert (answer.status, answer.reason) == (status, reason)


async def test_executors_have_a_feed_of_their_own_and_not_this_stream(runtime):
    assert (await call(runtime, "GET", "/stream", claims=MACHINE)).reason == "scope"


async def test_a_stream_that_ends_leaves_no_listener(runtime):
    await create(runtime, "a")

    await call(runtime, "GET", "/stream", query="workers=a&tail_ms=1")

    assert runtime.notices._listeners == {}
    assert runtime.tail.hub._feeds == {}

from __future__ import annotations

import asyncio

import msgspec
import pytest

from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.runtime import stream_principal, stream_states
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
        async with asyncio.timeout(30):
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


ASKED = {"request": {"request_id": "r", "method": "turn/start", "params": {"input": []}}}


@pytest.fixture
async def leased(runtime):
    """Worker `w`, held by machine `m`: a function that asks for `r`, and one that ends it."""
    await create(runtime, "w")
    await call(runtime, "POST", "/machines", {"machine_id": "m", "name": "desk"}, claims=MACHINE)
    lease = await call(runtime, "POST", "/workers/w/lease", {"machine_id": "m", "ttl_ms": 60_000}, claims=MACHINE)

    async def ask():
        await call(runtime, "POST", "/workers/w/requests", ASKED, query="wait_ms=0")

    async def end():
        result = {"request_id": "r", "ok": True, "response": {"turn": {}}}
        ended = {"event": {"event_type": "worker.response", "event_id": "response:r", "payload": result}}
        ended["generation"] = lease.data["generation"]
        assert (await call(runtime, "POST", "/workers/w/events", ended, claims=MACHINE)).status == 202

    return ask, end


def is_receipt(event, _data):
    return event == "codex.state.receipt"


@pytest.fixture
def only_refreshes(monkeypatch):
    """Notices are never acted upon by themselves: only the comparison of everything tells."""
    monkeypatch.setattr(stream_principal, "GATHER_SECONDS", 3600.0)
    monkeypatch.setattr(stream_principal, "REFRESH_SECONDS", 0.02)


@pytest.fixture
def only_notices(monkeypatch):
    """Nothing is told but what somebody gave notice of."""
    monkeypatch.setattr(stream_principal, "REFRESH_SECONDS", 3600.0)


async def test_a_receipt_that_ends_while_a_refresh_takes_its_notice_is_told(runtime, leased, only_refreshes):
    ask, end = leased
    await ask()
    reader = await opened(runtime)
    _, _, first = await reader.until(is_receipt)
    await end()
    _, _, last = await reader.until(is_receipt)

    assert (first["state"], last["state"]) == ("accepted", "completed")
    await reader.body.aclose()


async def test_a_receipt_that_begins_and_ends_between_two_refreshes_is_told(runtime, leased, only_refreshes):
    ask, end = leased
    reader = await opened(runtime)
    await reader.until(lambda _, data: data.get("worker_id") == "w")  # the stream now waits for its reader
    await ask()
    await end()

    _, _, told = await reader.until(is_receipt)

    assert told["state"] == "completed"
    await reader.body.aclose()


async def test_a_receipt_told_as_open_is_told_at_its_end_however_long_ago_that_was(runtime, leased, only_refreshes):
    ask, end = leased
    await ask()
    reader = await opened(runtime)
    await reader.until(is_receipt)
    await end()
    await runtime.pool.execute("update receipt set ended_at = ended_at - interval '1 day'")

    _, _, last = await reader.until(is_receipt)

    assert last["state"] == "completed"
    await reader.body.aclose()


async def test_who_was_away_while_a_receipt_ended_is_told_when_back(runtime, leased):
    ask, end = leased
    await ask()
    reader = await opened(runtime)
    cursor, _, _ = await reader.until(is_receipt)
    await reader.body.aclose()
    await end()

    again = await opened(runtime, f"cursor={cursor}")
    _, _, told = await again.until(is_receipt)

    assert told["state"] == "completed"
    await again.body.aclose()


async def test_what_is_not_named_before_caught_up_is_not_open_unless_it_says_so(runtime, leased, monkeypatch):
    ask, end = leased
    await ask()
    await end()
    await runtime.pool.execute("update receipt set ended_at = ended_at - interval '1 day'")

    named = await call(runtime, "GET", "/stream", query="frames=control&tail_ms=1")
    monkeypatch.setattr(stream_states, "MAX_WORKERS", 1)
    cut = await call(runtime, "GET", "/stream", query="frames=control&tail_ms=1")

    assert b"codex.state.receipt" not in named.body
    assert b'{"seq":null,"complete":true}' in named.body
    assert b'{"seq":null,"complete":false}' in cut.body


@pytest.mark.parametrize(
    ("most_bytes", "told"), [(8 * 1024 * 1024, ["r0", "r1", "r2"]), (250_000, ["r1", "r2"]), (1, ["r2"])]
)
async def test_of_receipts_that_have_ended_so_many_bytes_are_told_the_last_ones(
    runtime, leased, monkeypatch, most_bytes, told
):
    for number in range(3):
        asked = {"request": {"request_id": f"r{number}", "method": "thread/read", "params": {}}}
        await call(runtime, "POST", "/workers/w/requests", asked, query="wait_ms=0")
        result = {"request_id": f"r{number}", "ok": True, "response": {"text": "x" * 200_000}}
        event = {"event_type": "worker.response", "event_id": f"response:r{number}", "payload": result}
        assert (await call(runtime, "POST", "/workers/w/events", {"event": event}, claims=MACHINE)).status == 202
    monkeypatch.setattr(stream_states, "MAX_RECEIPT_BYTES", most_bytes)

    answer = await call(runtime, "GET", "/stream", query="frames=control&tail_ms=1")

    frames = [parsed(frame) for frame in answer.body.decode().split("\n\n") if frame[:1] not in {"", ":"}]
    assert [data["request_id"] for _, event, data in frames if event == "codex.state.receipt"] == told
    assert b'{"seq":null,"complete":true}' in answer.body


async def test_a_machine_registered_after_opening_is_heard_of_at_once_and_so_are_its_requests(
    database, settings, only_notices
):
    async with await build(settings, dsn=database) as here, await build(settings, dsn=database) as there:
        reader = await opened(there)
        await create(here, "w")
        await reader.until(lambda _, data: data.get("worker_id") == "w")

        await call(here, "POST", "/machines", {"machine_id": "m", "name": "desk"}, claims=MACHINE)
        await reader.until(lambda event, data: event == "codex.state.machine" and data["name"] == "desk")
        await call(here, "POST", "/machines/m/requests", ASKED, query="wait_ms=0")
        await reader.until(is_receipt)
        await reader.body.aclose()


async def test_a_machines_new_name_is_told_and_so_are_the_workers_it_holds(runtime, leased, only_notices):
    reader = await opened(runtime)
    await reader.until(lambda _, data: data.get("worker_id") == "w")

    await call(runtime, "POST", "/machines", {"machine_id": "m", "name": "lap"}, claims=MACHINE)

    await reader.until(lambda event, data: event == "codex.state.machine" and data["name"] == "lap")
    await reader.until(lambda event, data: event == "codex.state.worker" and data["machine"]["name"] == "lap")
    await reader.body.aclose()


async def test_a_machine_that_is_heard_again_is_told_at_once(runtime, leased, only_notices):
    await runtime.pool.execute("update machine_beat set last_heard_at = last_heard_at - interval '1 day'")
    reader = await opened(runtime)
    await reader.until(lambda event, data: event == "codex.state.worker" and data["backend"]["state"] == "unreachable")

    await call(runtime, "POST", "/machines/m/heartbeat", {"workers": []}, claims=MACHINE)

    await reader.until(lambda event, data: event == "codex.state.worker" and data["backend"]["state"] == "ready")
    await reader.body.aclose()


async def test_a_machines_new_session_is_told_at_once(runtime, leased, only_notices):
    reader = await opened(runtime)
    await reader.until(lambda event, _: event == "codex.state.machine")

    await call(runtime, "POST", "/machines/m/heartbeat", {"desktop_session_id": "s", "workers": []}, claims=MACHINE)

    await reader.until(lambda event, data: event == "codex.state.machine" and data["desktop_session_id"] == "s")
    await reader.body.aclose()


async def test_a_machines_new_fact_is_told_at_once(runtime, leased, only_notices):
    reader = await opened(runtime)
    await reader.until(lambda event, _: event == "codex.state.machine")
    fact = {"method": "warning", "params": {"message": "hot"}, "occurred_at": "2026-11-22T08:15:17.836000Z"}

    await call(runtime, "POST", "/machines/m/heartbeat", {"workers": [], "facts": [fact]}, claims=MACHINE)

    await reader.until(lambda event, data: event == "codex.state.machine" and data["facts"] == [fact])
    await reader.body.aclose()


async def test_nobody_hears_of_another_principals_machine(runtime, only_notices):
    reader = await opened(runtime, claims=STRANGER)
    await create(runtime, "theirs", claims=STRANGER)
    await reader.until(lambda _, data: data.get("worker_id") == "theirs")

    await call(runtime, "POST", "/machines", {"machine_id": "m", "name": "desk"}, claims=MACHINE)
    await call(runtime, "POST", "/machines/m/requests", ASKED, query="wait_ms=0")
    await runtime.ledger.append(batch("theirs", draft("e"), claims=STRANGER))

    seen = []
    await reader.until(lambda event, data: seen.append(event) or data.get("latest_seq") == 2)
    assert set(seen) == {"codex.state.worker"}
    await reader.body.aclose()


async def test_one_workers_stale_cursor_is_told_and_the_others_go_on(runtime):
    await create(runtime, "a", "b", "c")
    await runtime.ledger.append(batch("a", draft("before")))
    numbers = {row["worker_id"]: row["worker_no"] for row in await runtime.pool.fetch("select * from worker")}
    cursor = f"p1.{numbers['a']}-1.{numbers['b']}-99.{numbers['c']}-77"
    reader = await opened(runtime, f"workers=a,b,c&cursor={cursor}")

    first, event, stale = await reader.until(lambda *_: True)
    second, _, other = await reader.until(lambda *_: True)
    _, _, went_on = await reader.until(lambda event, _: event == "codex.worker.event")

    assert (event, stale) == ("codex.stream.stale", {"workerId": "b", "oldest_seq": 1, "latest_seq": 1})
    assert other["workerId"] == "c"
    assert first == f"p1.{numbers['a']}-1.{numbers['b']}-1.{numbers['c']}-77"  # who heard only of b hears of c again
    assert second == f"p1.{numbers['a']}-1.{numbers['b']}-1.{numbers['c']}-1"
    assert went_on["eventId"] == "before"
    await runtime.ledger.append(batch("b", draft("after")))
    _, _, after = await reader.until(lambda event, _: event == "codex.worker.event")
    assert after["eventId"] == "after"
    await reader.body.aclose()


async def test_a_log_that_is_pruned_under_its_reader_is_told_and_goes_on(runtime):
    await create(runtime, "a")
    await runtime.ledger.append(batch("a", *(draft(f"e{n}") for n in range(3))))
    number = await runtime.pool.fetchval("select worker_no from worker")
    reader = await opened(runtime, f"workers=a&cursor=p1.{number}-1")
    await reader.until(lambda _, data: data.get("worker_id") == "a")
    await runtime.pool.execute("delete from event where seq < 4")
    await runtime.pool.execute("update worker_head set oldest_seq = 4")

    cursor, event, stale = await reader.until(lambda event, _: event != "codex.state.worker")

    assert (event, stale) == ("codex.stream.stale", {"workerId": "a", "oldest_seq": 4, "latest_seq": 4})
    assert cursor == f"p1.{number}-4"
    await runtime.ledger.append(batch("a", draft("after")))
    cursor, _, after = await reader.until(lambda event, _: event == "codex.worker.event")
    assert (cursor, after["eventId"]) == (f"p1.{number}-5", "after")
    await reader.body.aclose()


async def test_changes_that_come_together_are_told_as_one(runtime, only_notices, monkeypatch):
    monkeypatch.setattr(stream_principal, "GATHER_SECONDS", 0.0)
    await create(runtime, "a")
    reader = await opened(runtime)
    await reader.until(lambda _, data: data.get("worker_id") == "a")  # the stream now waits for its reader
    for name in ("one", "two", "three"):
        await runtime.ledger.append(batch("a", draft(name)))

    _, _, told = await reader.until(lambda *_: True)

    assert told["latest_seq"] == 4
    await reader.body.aclose()


async def test_caught_up_comes_after_what_was_missed(runtime):
    await create(runtime, "a")
    number = await runtime.pool.fetchval("select worker_no from worker")

    answer = await call(runtime, "GET", "/stream", query=f"workers=a&cursor=p1.{number}-0&frames=control&tail_ms=1")

    events = [parsed(frame)[1] for frame in answer.body.decode().split("\n\n") if frame]
    assert events == [
        "codex.stream.open",
        "codex.state.worker",
        "codex.worker.started",
        "codex.stream.caught_up",
        "codex.stream.bye",
    ]


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

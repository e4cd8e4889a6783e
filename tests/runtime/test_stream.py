from __future__ import annotations

import asyncio

import pytest

from autopilot.contract.port import RuntimeRequest
from autopilot.testing.runtime import OWNER, STRANGER, batch, call, draft, insert_worker

STREAM = "/workers/w/stream"


@pytest.fixture
async def worker(runtime):
    await insert_worker(runtime, "w")
    return runtime


async def append(runtime, *names):
    await runtime.ledger.append(batch("w", *(draft(name) for name in names)))


async def open_stream(runtime, query="", headers=None):
    response = await runtime.call(RuntimeRequest(OWNER, "GET", STREAM, query, headers or {}))
    assert response.status == 200
    return response.body


def ids(raw: bytes) -> list[int]:
    return [int(line[4:]) for line in raw.decode().split("\n") if line.startswith("id: ")]


async def read(body, count: int) -> list[int]:
    """Ids until there are `count`."""
    seen: list[int] = []
    async with asyncio.timeout(30):
        while len(seen) < count:
            seen += ids(await anext(body))
    return seen


async def test_a_frame_has_the_contracts_shape(worker):
    await append(worker, "a")

    answer = await call(worker, "GET", STREAM, query="cursor=0&tail_ms=1")

    lines = answer.body.decode().split("\n")
    assert lines[0] == "id: 1"
    assert lines[1] == "event: codex.worker.event"
    assert lines[2].startswith('data: {"workerId":"w","seq":1,"eventType":"worker.event","payload":{},"occurredAt":"')
    assert lines[3:] == ["", ""]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"


async def test_the_next_frame_is_the_one_after_the_cursor(worker):
    await append(worker, *"abcd")

    for query, headers in (("cursor=2", {}), ("", {"last-event-id": "2"}), ("cursor=2", {"last-event-id": "2"})):
        answer = await call(worker, "GET", STREAM, query=f"{query}&tail_ms=1", headers=headers)
        assert ids(answer.body) == [3, 4]


async def test_without_a_cursor_a_stream_begins_with_what_comes_next(worker):
    await append(worker, "a", "b")
    body = await open_stream(worker)

    await append(worker, "c")

    assert await read(body, 1) == [3]
    await body.aclose()


async def test_a_live_follower_sees_each_event_once_in_order(worker):
    body = await open_stream(worker, "cursor=0")

    for number in range(50):
        await append(worker, f"e{number}")

    assert await read(body, 50) == list(range(1, 51))
    await body.aclose()


async def test_tail_ms_keeps_the_response_open_after_frames_and_then_ends_it(worker):
    body = await open_stream(worker, "cursor=0&tail_ms=300")
    await append(worker, "a")
    assert await read(body, 1) == [1]
    await append(worker, "b")

    rest = [chunk async for chunk in body]

    assert ids(b"".join(rest)) == [2]


@pytest.mark.parametrize(
    ("query", "headers", "status", "reason"),
    [
        ("cursor=-1", {}, 400, "cursor"),
        ("cursor=x", {}, 400, "cursor"),
        ("cursor=", {}, 400, "cursor"),
        ("cursor=1", {"last-event-id": "2"}, 400, "cursors_differ"),
        ("", {"last-event-id": "x"}, 400, "cursor"),
        ("tail_ms=0", {}, 422, "out_of_range"),
        ("tail_ms=120001", {}, 422, "out_of_range"),
        ("frames=all", {}, 422, "invalid_value"),
        ("cursor=2", {}, 410, "ahead_of_log"),
    ],
)
async def test_a_stream_that_cannot_be_is_refused_before_it_opens(worker, query, headers, status, reason):
    await append(worker, "a")

    answer = await call(worker, "GET", STREAM, query=query, headers=headers)

    assert (answer.status, answer.reason) == (status, reason)


async def test_a_cursor_below_the_floor_is_stale(worker):
    await append(worker, *"abc")
    await worker.pool.execute("delete from event where seq < 3")
    await worker.pool.execute("update worker_head set oldest_seq = 3")

    answer = await call(worker, "GET", STREAM, query="cursor=1")
    fits = await call(worker, "GET", STREAM, query="cursor=2&tail_ms=1")

    assert (answer.status, answer.reason) == (410, "below_floor")
    assert answer.json["error"]["details"][0] | {"oldest_seq": 3, "latest_seq": 3} == answer.json["error"]["details"][0]
    assert ids(fits.body) == [3]


async def test_strangers_and_unknown_ids_are_refused_before_a_stream_opens(worker):
    assert (await call(worker, "GET", STREAM, claims=STRANGER)).status == 403
    assert (await call(worker, "GET", "/workers/nobody/stream")).status == 404


async def test_control_frames_are_only_for_those_who_ask(worker):
    await append(worker, "a")

    plain = await call(worker, "GET", STREAM, query="cursor=0&tail_ms=1")
    asked = await call(worker, "GET", STREAM, query="cursor=0&tail_ms=1&frames=control")

    assert b"codex.stream" not in plain.body
    events = [line[7:] for line in asked.body.decode().split("\n") if line.startswith("event: ")]
    assert events == ["codex.stream.open", "codex.worker.event", "codex.stream.caught_up", "codex.stream.bye"]
    assert ids(asked.body) == [1]


async def test_shutdown_ends_streams_with_a_bye(worker):
    body = await open_stream(worker, "frames=control")
    first = [await anext(body), await anext(body)]
    worker.stop_streams()

    async with asyncio.timeout(30):
        rest = [chunk async for chunk in body]

    assert b"codex.stream.open" in first[0]
    assert b'"reason":"shutdown"' in rest[-1]


async def test_a_slow_follower_reads_the_log_and_misses_nothing(worker):
    quick, slow = await open_stream(worker, "cursor=0"), await open_stream(worker, "cursor=0")
    await append(worker, "first")
    assert await read(slow, 1) == [1]

    for number in range(12):
        await append(worker, *(f"{number}-{n}" for n in range(100)))
    seen = await read(slow, 1200)

    assert seen == list(range(2, 1202))
    assert await read(quick, 1201) == list(range(1, 1202))
    await quick.aclose()
    await slow.aclose()
    assert not worker.tail.hub.follows("1")

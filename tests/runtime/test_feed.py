"""What a machine must learn, in one place (docs/runtime-contract.md, "The feed")."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime.app import build
from autopilot.testing.machines import MACHINE, Companion, ask, leased, machine_claims, receipt
from autopilot.testing.runtime import OWNER, call, frames


async def say(runtime, event_id, worker_id="w", **payload):
    """The owner puts an event into a worker's log."""
    event = {"event_type": "worker.event", "event_id": event_id, "payload": payload}
    answer = await call(runtime, "POST", f"/workers/{worker_id}/events", {"event": event})
    assert answer.status == 202, answer.body


async def read(runtime, query, claims=None, headers=None, machine_id=MACHINE):
    return await call(
        runtime,
        "GET",
        f"/machines/{machine_id}/feed",
        claims=claims or machine_claims(),
        query=query,
        headers=headers,
    )


async def test_it_has_what_others_put_into_the_logs_of_its_workers_and_nothing_of_its_own(runtime):
    companion = await leased(runtime)
    await companion.claim("w")
    await say(runtime, "theirs", note="hello")
    await companion.append("w", "worker.event", "own", source="autopilot-desktop")
    await say(runtime, "theirs-2")

    first, second = await companion.feed()

    assert (first["id"], first["feed_seq"], first["kind"], first["worker_id"]) == (1, 1, "event", "w")
    log = {frame["eventId"]: frame for frame in await frames(runtime, "w")}
    assert first["body"] == log["theirs"]
    assert first["seq"] == log["theirs"]["seq"]
    assert (second["id"], second["body"]["eventId"]) == (2, "theirs-2")


async def test_a_machine_learns_nothing_of_workers_it_never_held(runtime):
    await leased(runtime)
    other = await leased(runtime, "v", "m2")
    await say(runtime, "theirs")

    assert await other.feed() == []


async def test_it_comes_again_until_it_is_acknowledged_and_is_gone_then(runtime):
    companion = await leased(runtime)
    for n in range(3):
        await say(runtime, f"e{n}")

    once, again = await companion.feed(), await companion.feed()
    acked = await companion.post("/machines/m1/feed/ack", {"cursor": 2})
    back = await companion.post("/machines/m1/feed/ack", {"cursor": 1})
    rest = await companion.feed()

    assert once == again
    assert (acked.status, acked.data) == (200, {"machine_id": "m1", "cursor": 2})
    assert back.data["cursor"] == 2
    assert [entry["id"] for entry in rest] == [3]
    assert await runtime.pool.fetchval("select count(*) from feed_entry") == 1


async def test_a_cursor_below_what_was_acknowledged_or_beyond_the_feed_is_stale(runtime):
    companion = await leased(runtime)
    for n in range(3):
        await say(runtime, f"e{n}")
    await companion.post("/machines/m1/feed/ack", {"cursor": 2})

    below = await read(runtime, "cursor=1&tail_ms=1")
    beyond = await read(runtime, "cursor=4&tail_ms=1")
    ack_beyond = await companion.post("/machines/m1/feed/ack", {"cursor": 4})

    assert (below.status, below.reason) == (410, "below_floor")
    assert below.json["error"]["details"][0] == {"reason_code": "below_floor", "oldest_seq": 3, "latest_seq": 3}
    assert (beyond.status, beyond.reason) == (410, "ahead_of_log")
    assert ack_beyond.status == 410


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("cursor=x", None, 400),
        ("cursor=-1", None, 400),
        ("cursor=1&tail_ms=1", {"last-event-id": "2"}, 400),
        ("cursor=1&tail_ms=1", {"last-event-id": "1"}, 200),
        ("tail_ms=1", {"last-event-id": "1"}, 200),
        ("tail_ms=0", None, 422),
        ("tail_ms=120001", None, 422),
        ("frames=all&tail_ms=1", None, 422),
    ],
)
async def test_its_query_is_that_of_a_stream(runtime, query, headers, status):
    await leased(runtime)
    for n in range(2):
        await say(runtime, f"e{n}")

    answer = await read(runtime, query, headers=headers)

    assert answer.status == status
    if status == 200:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert b"id: 2\nevent: codex.feed.event\ndata: {" in answer.body
        assert b"id: 1\n" not in answer.body


@pytest.mark.parametrize(
    "claims",
    [
        OWNER,
        machine_claims("m2"),
        machine_claims("m1", user_id=2),
        Claims(user_id=1, scopes=frozenset({"observe", "administer", "admin"})),
    ],
)
async def test_only_the_machines_own_token_reads_or_acknowledges_it(runtime, claims):
    await leased(runtime)

    answer = await read(runtime, "tail_ms=1", claims)
    acked = await call(runtime, "POST", "/machines/m1/feed/ack", {"cursor": 0}, claims=claims)

    assert (answer.status, acked.status) == (403, 403)


async def test_a_machine_that_never_registered_has_no_feed(runtime):
    assert (await read(runtime, "tail_ms=1")).status == 404


async def test_who_follows_is_woken_by_the_commit(runtime):
    companion = await leased(runtime)

    async with asyncio.timeout(30), companion.following() as feed:
        for n in range(3):
            await say(runtime, f"e{n}")
            entry = await anext(feed)
            assert (entry["id"], entry["body"]["eventId"]) == (n + 1, f"e{n}")
        await ask(runtime, "turn/start", "r1", {"n": 1})
        assert (await anext(feed))["body"]["params"] == {"n": 1}


async def test_who_follows_another_process_is_woken_by_the_commit_here(runtime, database, settings):
    companion = await leased(runtime)

    async with (
        await build(settings, dsn=database) as elsewhere,
        asyncio.timeout(30),
        Companion(elsewhere).following() as feed,
    ):
        await say(runtime, "e0")
        entry = await anext(feed)

    assert entry["body"]["eventId"] == "e0"
    assert companion.machine_id == "m1"


async def test_who_waits_for_a_receipt_in_another_process_is_woken_too(runtime, database, settings):
    companion = await leased(runtime)

    async with await build(settings, dsn=database) as elsewhere, asyncio.timeout(40), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(ask(elsewhere, "turn/start", "r1", wait_ms=30_000))
        async with companion.following() as feed:
            await anext(feed)
        await companion.respond("w", "r1", {"done": True})
        answer = await asking

    assert answer.data["response"] == {"done": True}


async def test_an_interrupt_goes_ahead_without_an_id_and_comes_again_in_its_place(runtime):
    companion = await leased(runtime)
    for n in range(3):
        await say(runtime, f"e{n}")
    await ask(runtime, "turn/interrupt", "stop-it", {"turnId": "t1"})

    entries = await companion.feed()

    assert [(entry["id"], entry["feed_seq"]) for entry in entries] == [(None, 4), (1, 1), (2, 2), (3, 3), (4, 4)]
    assert entries[0]["body"] == entries[-1]["body"]
    assert (await receipt(runtime, "stop-it"))["state"] == "delivered"


async def test_an_urgent_entry_that_is_next_in_line_comes_once(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/interrupt", "stop-it", {"turnId": "t1"})

    assert [entry["id"] for entry in await companion.feed()] == [1]


async def test_a_request_is_delivered_before_its_frame_exists_and_only_once_in_the_log(runtime):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1")

    for _ in range(3):
        await companion.feed()

    told = [f["eventType"] for f in await frames(runtime, "w") if f["payload"].get("request_id") == "r1"]
    assert told == ["worker.request.received", "worker.request.delivered"]


async def test_a_delivery_that_rolls_back_hands_nothing_over(runtime, monkeypatch):
    companion = await leased(runtime)
    await ask(runtime, "turn/start", "r1")

    async def fail(*_, **__):
        raise ConnectionResetError

    with monkeypatch.context() as broken:
        broken.setattr("autopilot.runtime.feed.receipts.step_and_tell", fail)
        with pytest.raises(ConnectionResetError):
            await companion.feed()
    accepted = await receipt(runtime, "r1")
    (entry,) = await companion.feed()

    assert accepted["state"] == "accepted"
    assert entry["body"]["request_id"] == "r1"


async def test_control_frames_say_where_it_stands_and_why_it_ends(runtime):
    await leased(runtime)
    await say(runtime, "e0")

    answer = await read(runtime, "tail_ms=1&frames=control")

    kinds = [line.removeprefix("event: ") for line in answer.body.decode().splitlines() if line.startswith("event: ")]
    assert kinds == ["codex.stream.open", "codex.feed.event", "codex.stream.caught_up", "codex.stream.bye"]


async def test_a_long_backlog_comes_in_bounded_pages_contiguous_and_complete(runtime):
    companion = await leased(runtime)
    big = "x" * 300_000
    for n in range(12):
        await say(runtime, f"e{n}", text=big)

    page = await runtime.machines.feeds.read_page("m1", 0)
    entries = await companion.feed()

    assert page.last_seq < 12
    assert not page.at_end
    assert [entry["id"] for entry in entries] == list(range(1, 13))


async def test_entries_of_many_workers_at_once_are_contiguous_in_one_feed(runtime):
    companion = await leased(runtime, "w0")
    for n in range(1, 6):
        await leased(runtime, f"w{n}")

    await asyncio.gather(*(say(runtime, f"e{m}", f"w{n}") for n in range(6) for m in range(5)))
    entries = await companion.feed()

    assert [entry["id"] for entry in entries] == list(range(1, 31))
    for n in range(6):
        seqs = [entry["seq"] for entry in entries if entry["worker_id"] == f"w{n}"]
        assert seqs == sorted(seqs)
        assert len(seqs) == 5

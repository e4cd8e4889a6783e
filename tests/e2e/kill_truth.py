"""What holds after every round, whoever was killed: the ledger, Codex's own history, followers, receipts, Postgres.

Asks Codex itself, over its socket, beside the companion; and the database, beside the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from tests.e2e.kill_round import LONG_COMMAND_SECONDS, PATIENCE_SECONDS, RETRY_SECONDS, Round
from tests.e2e.killable import words_of

from autopilot.client import has_ended
from autopilot.companion.codex import history
from autopilot.companion.codex.connection import Connection, Sink, open_connection
from autopilot.companion.codex.messages import CodexUnavailable, Message
from autopilot.contract import Envelope
from autopilot.ops.clock import SystemClock

Json = dict[str, Any]


async def assert_true(after: Round) -> None:
    """Everything."""
    turns, items = await of_codex(after)
    await until_told(after, items)
    log = await whole_log(after)
    assert_contiguous(log)
    await assert_items(after, log, items)
    assert_turns(log, turns)
    await assert_receipts(after, log, items)
    assert_appended(after, log)
    await assert_followed(after, log)
    await assert_database(after)
    assert_processes(after)


async def assert_stopped(after: Round) -> None:
    """Stopped means stopped: the log is closed, nothing runs, and the lease ended with it."""
    log = await whole_log(after)
    assert_contiguous(log)
    assert [event.seq for event in log if event.eventType == "worker.stopped"] == [len(log)]
    assert log[-1].payload["verified"] is True, log[-1].payload
    snapshot = await after.client.worker(after.worker_id)
    assert (snapshot.status, snapshot.latest_seq) == ("stopped", len(log))
    await assert_nothing_held(after)
    running = [one.pid for one in after.installation.processes() if str(LONG_COMMAND_SECONDS) in words_of(one)]
    assert running == [], "a command of the stopped worker still runs"
    _, items = await of_codex(after)
    await assert_items(after, log, items)
    await assert_receipts(after, log, items)
    await assert_followed(after, log)


async def whole_log(after: Round) -> list[Envelope]:
    found: list[Envelope] = []
    while page := await after.client.events(after.worker_id, after=len(found), limit=500):
        found += page
    return found


def assert_contiguous(log: list[Envelope]) -> None:
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    assert _more_than_once(event.eventId for event in log) == []


def _more_than_once(values: Any) -> list[Any]:
    return [value for value, times in Counter(values).items() if times > 1]


# What Codex itself remembers.


async def _connected(socket: Path, sink: Sink) -> Connection | None:
    try:
        return await open_connection(socket, sink, clock=SystemClock())
    except CodexUnavailable:  # it was killed a moment ago
        return None


@asynccontextmanager
async def talking_to_codex(socket: Path) -> AsyncIterator[history.Call]:
    async def ignore(_message: Message) -> None:
        return

    async with asyncio.timeout(PATIENCE_SECONDS):
        while (connection := await _connected(socket, ignore)) is None:  # noqa: ASYNC110  # another process listens
            await asyncio.sleep(RETRY_SECONDS)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(connection.run())
        try:
            await connection.initialize("autopilot-tests")
            yield connection.call
        finally:
            await connection.close()


async def of_codex(after: Round) -> tuple[dict[str, str], list[Json]]:
    """Turn id -> status, and every item with its turn's id, in Codex's order."""
    if after.thread_was_lost:
        return {}, []
    thread_id = after.worker_id.partition(":")[2]
    async with talking_to_codex(after.installation.home / "run" / "codex.sock") as call:
        turns = {turn.turn_id: turn.status async for turn in history.turns(call, thread_id, newest_first=False)}
        items = [
            {"turnId": one.turnId, "item": json.loads(bytes(one.item))} async for one in history.items(call, thread_id)
        ]
    return turns, items


async def until_told(after: Round, items: list[Json]) -> None:
    """Wait until the ledger has these: a command that goes on behind its turn may end in this very moment."""
    wanted = {(one["turnId"], one["item"]["id"]) for one in items}
    with contextlib.suppress(TimeoutError):  # then `assert_items` says what is missing
        async with asyncio.timeout(PATIENCE_SECONDS):
            await after.until(lambda: wanted <= completed(after.seen).keys())


def completed(log: list[Envelope]) -> dict[tuple[str, str], list[Json]]:
    """Every completed item of the log: turn and item id -> what is told of it, each time."""
    told: defaultdict[tuple[str, str], list[Json]] = defaultdict(list)
    for event in log:
        if event.payload.get("method") == "item/completed":
            params = event.payload["params"]
            told[params["turnId"], params["item"]["id"]].append(params["item"])
    return dict(told)


async def assert_items(after: Round, log: list[Envelope], items: list[Json]) -> None:
    """Every item of Codex's history is in the ledger exactly once, in the same words, and no other one."""
    told = completed(log)
    kept = {(one["turnId"], one["item"]["id"]): one["item"] for one in items}
    assert [item for key, item in kept.items() if key not in told] == [], "the ledger lacks what Codex remembers"
    assert [key for key, copies in told.items() if len(copies) > 1] == [], "an item is in the ledger twice"
    different = [(told[key][0], item) for key, item in kept.items() if told[key][0] != item]
    assert different == [], "the ledger says other words than Codex"
    if "codex" not in after.killed:
        by_now = {(one["turnId"], one["item"]["id"]) for one in (await of_codex(after))[1]}
        assert told.keys() - by_now == set(), "the ledger has what Codex does not remember"


def assert_turns(log: list[Envelope], turns: dict[str, str]) -> None:
    """Every turn has begun and ended once, in the way that Codex remembers."""
    begun, over = (
        [event.payload["params"]["turn"] for event in log if event.payload.get("method") == name]
        for name in ("turn/started", "turn/completed")
    )
    assert _more_than_once(turn["id"] for turn in begun) == []
    assert _more_than_once(turn["id"] for turn in over) == []
    assert {turn["id"] for turn in begun} == {turn["id"] for turn in over}, "a turn was begun and never ended"
    assert {turn["id"]: turn["status"] for turn in over} == turns


# What clients were told.


async def assert_receipts(after: Round, log: list[Envelope], items: list[Json]) -> None:
    """Every request ended, once, and was done at most once; whoever repeated it was told the same."""
    asked = [name for name in after.answers if "-thread" not in name]
    said = Counter(one["item"].get("clientId") for one in items if one["item"]["type"] == "userMessage")
    for request_id in asked:
        receipt = await after.client.receipt(after.worker_id, request_id)
        assert has_ended(receipt), receipt
        ends = [answer for answer in after.answers[request_id] if has_ended(answer)]
        assert {(end.state, json.dumps(end.response), json.dumps(end.error)) for end in ends} == {
            (receipt.state, json.dumps(receipt.response), json.dumps(receipt.error))
        }, request_id
        steps = Counter(event.eventType for event in log if event.payload.get("request_id") == request_id)
        assert [step for step, times in steps.items() if times > 1] == [], (request_id, steps)
        assert steps["worker.request.received"] == 1, (request_id, steps)
        results = steps["worker.response"] + steps["worker.error"]
        assert results == (receipt.state in {"completed", "failed"}), (request_id, receipt.state, steps)
        assert said[request_id] <= 1, f"{request_id} reached Codex {said[request_id]} times"
        if receipt.method == "turn/start" and receipt.state == "failed":
            assert said[request_id] == 0, f"{request_id} failed, and yet Codex has its message"
        if receipt.method == "turn/start" and receipt.state == "completed" and "codex" not in after.killed:
            assert said[request_id] == 1, f"{request_id} was done, and Codex does not have its message"


def assert_appended(after: Round, log: list[Envelope]) -> None:
    """What a person appended, however often, is there once; a handshake has at most one ack."""
    assert Counter(event.eventId for event in log if event.eventId in after.appended) == Counter(set(after.appended))
    acks = [event.payload["handshake_id"] for event in log if event.payload.get("method") == "desktop/handshake_ack"]
    assert _more_than_once(acks) == []
    shaken = {event_id.removesuffix("-handshake") for event_id in after.appended if event_id.endswith("-handshake")}
    assert set(acks) == shaken


async def assert_followed(after: Round, log: list[Envelope]) -> None:
    """Both followers saw every event once and in order."""
    latest = [(event.seq, event.eventId) for event in log]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await after.until(lambda: len(after.seen) >= len(latest))
        while len(after.told()) < len(latest):  # noqa: ASYNC110  # another process's file
            await asyncio.sleep(RETRY_SECONDS)
    assert [(event.seq, event.eventId) for event in after.seen][: len(latest)] == latest
    assert [(event["seq"], event["event_id"]) for event in after.told()][: len(latest)] == latest


# What the database holds.

NOTHING = {
    "a head that is not its log's": """
        select w.worker_id, h.latest_seq, count(e.seq), max(e.seq)
        from runtime.worker w join runtime.worker_head h using (worker_no) left join runtime.event e using (worker_no)
        group by 1, 2 having h.latest_seq <> count(e.seq) or h.latest_seq <> coalesce(max(e.seq), 0)""",
    "a feed with gaps": """
        select machine_id, h.latest_feed_seq, max(feed_seq), min(feed_seq), count(*)
        from runtime.feed_head h join runtime.feed_entry using (machine_id)
        group by 1, 2 having max(feed_seq) - min(feed_seq) + 1 <> count(*) or h.latest_feed_seq <> max(feed_seq)""",
    "an acknowledgement of what was never sent": """
        select * from runtime.feed_head where acked_feed_seq > latest_feed_seq""",
    "secrets kept after the end": """
        select request_id, state from runtime.delivery join runtime.receipt using (target_kind, target_id, request_id)
        where ended_at is not null""",
    "an end without a time, or the other way round": """
        select request_id, state from runtime.receipt
        where (ended_at is not null) <> (state not in ('accepted', 'delivered', 'acknowledged'))""",
    "a lease of a closed log": """
        select worker_id, generation from runtime.lease join runtime.worker using (worker_no)
        join runtime.worker_state using (worker_no) where status = 'stopped' and released_at is null""",
}
"""What no query may find."""


async def assert_database(after: Round) -> None:
    await assert_nothing_held(after)
    connection = await asyncpg.connect(after.installation.facts["database_url"])
    try:
        leases = await connection.fetch(
            "select generation, released_at, expires_at > now() as lives from runtime.lease"
            " join runtime.worker using (worker_no) where worker_id = $1",
            after.worker_id,
        )
    finally:
        await connection.close()
    assert [(row["released_at"], row["lives"]) for row in leases] == [(None, True)]


async def assert_nothing_held(after: Round) -> None:
    """None of NOTHING is there."""
    connection = await asyncpg.connect(after.installation.facts["database_url"])
    try:
        for what, query in NOTHING.items():
            assert [dict(row) for row in await connection.fetch(query)] == [], what
    finally:
        await connection.close()


def assert_processes(after: Round) -> None:
    """One of each, and nothing of an earlier life."""
    split = "--split" in after.installation.shape
    servers = ("runtime", "api") if split else ("server",)
    for kind in ("up", "companion", "model", "codex", "postgres", *servers):
        found = [one.pid for one in after.installation.of(kind)]
        assert len(found) == 1, (kind, found)

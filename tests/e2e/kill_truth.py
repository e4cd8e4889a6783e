"""What holds after every round, whoever was killed: the ledger, Codex's own history, followers, receipts, Postgres.

Asks Codex itself, over its socket, beside the companion; and the database, beside the server.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from tests.e2e.kill_round import PATIENCE_SECONDS, RETRY_SECONDS, Round

from autopilot.client import has_ended
from autopilot.companion.codex import history
from autopilot.companion.codex.connection import open_connection
from autopilot.companion.codex.messages import Message
from autopilot.contract import Envelope
from autopilot.ops.clock import SystemClock

Json = dict[str, Any]


async def assert_true(after: Round) -> None:
    """Everything."""
    log = await whole_log(after)
    assert_contiguous(log)
    turns, items = await of_codex(after)
    assert_items(log, items, codex_was_killed="codex" in after.killed)
    assert_turns(log, turns)
    await assert_receipts(after, log, items)
    await assert_followed(after, log)
    await assert_database(after)
    assert_processes(after)


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


@asynccontextmanager
async def talking_to_codex(socket: Path) -> AsyncIterator[history.Call]:
    async def ignore(_message: Message) -> None:
        return

    connection = await open_connection(socket, ignore, clock=SystemClock())
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


def assert_items(log: list[Envelope], items: list[Json], *, codex_was_killed: bool) -> None:
    """Every item of Codex's history is in the ledger exactly once, in the same words, and no other one."""
    told: defaultdict[tuple[str, str], list[Json]] = defaultdict(list)
    for event in log:
        if event.payload.get("method") == "item/completed":
            params = event.payload["params"]
            told[params["turnId"], params["item"]["id"]].append(params["item"])
    kept = {(one["turnId"], one["item"]["id"]): one["item"] for one in items}
    assert [key for key in kept if key not in told] == [], "Codex remembers what the ledger does not have"
    assert [key for key, copies in told.items() if len(copies) > 1] == [], "an item is in the ledger twice"
    different = [(told[key][0], item) for key, item in kept.items() if words(told[key][0]) != words(item)]
    assert different == [], "the ledger says other words than Codex"
    if not codex_was_killed:
        assert [key for key in told if key not in kept] == [], "the ledger has what Codex does not remember"


def words(item: Json) -> Json:
    """What an item says."""
    return item


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
    connection = await asyncpg.connect(after.installation.facts["database_url"])
    try:
        for what, query in NOTHING.items():
            assert [dict(row) for row in await connection.fetch(query)] == [], what
        leases = await connection.fetch(
            "select generation, released_at, expires_at > now() as lives from runtime.lease"
            " join runtime.worker using (worker_no) where worker_id = $1",
            after.worker_id,
        )
    finally:
        await connection.close()
    assert [(row["released_at"], row["lives"]) for row in leases] == [(None, True)]


def assert_processes(after: Round) -> None:
    """One of each, and nothing of an earlier life."""
    split = "--split" in after.installation.shape
    servers = ("runtime", "api") if split else ("server",)
    for kind in ("up", "companion", "model", "codex", "postgres", *servers):
        found = [one.pid for one in after.installation.of(kind)]
        assert len(found) == 1, (kind, found)

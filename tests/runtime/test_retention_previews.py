"""What streamed while an item was made may go once the item is complete; and nothing else."""

from __future__ import annotations

import asyncio
from itertools import count

import msgspec
import pytest

from autopilot.companion.codex.translate import DELTAS
from autopilot.ops.clock import SystemClock
from autopilot.runtime import retention_previews, spend_rebuild
from autopilot.runtime.retention import Retention
from autopilot.runtime.retention_spent import PREVIEWS, Spent
from autopilot.runtime.settings import RuntimeChoices
from autopilot.testing.clock import FakeClock
from autopilot.testing.runtime import batch, call, draft, frames, insert_worker

numbers = count(1)
DELTA = "item/agentMessage/delta"
DONE = "item/completed"
DIFF = "turn/diff/updated"


@pytest.fixture
async def log(runtime):
    await insert_worker(runtime, "w")
    choices = RuntimeChoices(keep_previews_days=7)
    return Log(
        runtime,
        Retention(
            runtime.ledger, runtime.pool, msgspec.structs.replace(runtime.settings, choices=choices), SystemClock()
        ),
    )


class Log:
    """Tells events of a log's, and what retention left of them."""

    def __init__(self, runtime, retention):
        self.runtime = runtime
        self.retention = retention

    async def tell(self, *payloads):
        await self.runtime.ledger.append(batch("w", *(draft(f"p{next(numbers)}", **one) for one in payloads)))

    async def age(self, days, up_to=10**6):
        await self.runtime.pool.execute(
            "update event set occurred_at = now() - make_interval(days => $1) where seq <= $2", days, up_to
        )

    async def sweep(self):
        await self.retention.sweep()

    async def pruned(self):
        return [frame["seq"] for frame in await frames(self.runtime, "w") if frame["payload"].get("pruned")]

    async def marks(self):
        return tuple(await self.runtime.pool.fetchrow("select resume_seq, seen_seq from preview_mark"))


def of(method, item="i", turn="t", source="autopilot-desktop", **more):
    named = {"item": {"id": item, "type": "agentMessage"}} if method == DONE else {"itemId": item}
    return {"source": source, "method": method, "params": {"turnId": turn, **named, **more}}


def diff(turn="t"):
    return {"source": "autopilot-desktop", "method": DIFF, "params": {"turnId": turn, "diff": "+" * 100}}


async def test_previews_of_a_completed_item_go_and_all_else_stays(log):
    await log.tell(of("item/started"), of(DELTA, delta="a"), of(DELTA, "j", delta="b"), of(DELTA, delta="c"))
    await log.tell(
        of("item/commandExecution/outputDelta", turn="u", delta="d"), of(DONE), of("item/mcpToolCall/progress")
    )
    before = await frames(log.runtime, "w")
    await log.age(8)

    await log.sweep()

    after = await frames(log.runtime, "w")
    assert await log.pruned() == [2, 4]
    assert after[1] == {**before[1], "payload": {"method": DELTA, "pruned": True}}
    assert [frame for frame in after if frame["seq"] not in (2, 4)] == [
        frame for frame in before if frame["seq"] not in (2, 4)
    ]
    page = await call(log.runtime, "GET", "/workers/w/events", query="after=0")
    assert [envelope["seq"] for envelope in page.data] == list(range(1, 8))


async def test_of_a_turns_diffs_only_the_latest_keeps_its_body(log):
    await log.tell(diff(), diff(), diff("u"), diff(), {"method": "turn/completed", "params": {"turn": {"id": "t"}}})
    await log.age(8)

    await log.sweep()

    assert await log.pruned() == [1, 2]


async def test_an_end_that_is_not_whole_or_of_another_source_lets_nothing_go(log):
    await log.tell(of(DELTA, delta="a"), of(DONE, source="somebody"))
    await log.tell(of(DELTA, "j", delta="b"), of(DONE, "j", truncated={"bytes": 5_000_000, "limit": 4_000_000}))
    await log.age(8)

    await log.sweep()

    assert await log.pruned() == []


async def test_a_preview_waits_for_its_items_end_to_come_of_age(log):
    await log.tell(of(DELTA, delta="a"), of(DELTA, delta="b"), of("item/started", "j"))
    await log.age(9)
    await log.sweep()
    assert (await log.pruned(), await log.marks()) == ([], (0, 3))

    await log.tell(of(DONE))
    await log.sweep()
    assert (await log.pruned(), await log.marks()) == ([], (0, 3))

    await log.age(8)
    await log.sweep()
    assert (await log.pruned(), await log.marks()) == ([1, 2], (4, 4))


async def test_a_long_log_is_looked_through_in_bounded_rounds(log, monkeypatch):
    for name, most in (("PAGE_ROWS", 3), ("ROUND_ROWS", 6), ("LOGS", 1)):
        monkeypatch.setattr(retention_previews, name, most)
    await log.tell(of("item/started"), *(of(DELTA, delta=str(n)) for n in range(20)), of(DONE), of("item/started", "j"))
    await log.age(8)

    rounds = 0
    while not await log.pruned():
        await log.sweep()
        rounds += 1
    while (await log.marks())[1] < 23:
        await log.sweep()

    assert rounds > 2
    assert await log.pruned() == list(range(2, 22))
    assert await log.marks() == (23, 23)


async def test_previews_go_while_somebody_holds_the_workers_lock(log):
    await log.tell(of(DELTA, delta="a"), of(DONE))
    await log.age(8)

    async with log.runtime.ledger.transaction() as tx, asyncio.timeout(30):
        await tx.lock_worker("w")
        await log.sweep()
        assert await log.pruned() == [1]


async def test_two_runtimes_at_once_forget_the_same(log):
    await log.tell(*(of(DELTA, delta=str(n)) for n in range(600)), of(DONE))
    await log.age(8)

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(log.sweep())

    assert await log.pruned() == list(range(1, 601))


async def test_a_row_that_somebody_altered_ends_no_runtime(log):
    await log.tell(of(DELTA, delta="a"), of(DONE))
    await log.age(8)
    await log.runtime.pool.execute(
        """update event set frame = replace(frame, ',"payload":', ', "payload":') where seq = 1"""
    )
    clock = FakeClock()
    retention = Retention(log.runtime.ledger, log.runtime.pool, log.retention._settings, clock)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        task = group.create_task(retention.run())
        await clock.until_sleeping()
        task.cancel()

    assert await log.pruned() == []


async def test_spend_is_counted_anew_though_previews_have_gone(log):
    await log.tell(of(DELTA, delta="a"), diff(), of(DONE), diff())
    await log.age(8)
    await log.sweep()
    assert await log.pruned() == [1, 2]

    rebuilt = await spend_rebuild.rebuild(log.runtime.pool)
    assert (rebuilt.counted, rebuilt.kept) == (1, 0)

    await log.retention.prune_payloads("w", below_seq=4)
    rebuilt = await spend_rebuild.rebuild(log.runtime.pool)
    assert (rebuilt.counted, rebuilt.kept) == (0, 1)


def test_all_that_the_companion_joins_is_a_preview():
    assert DELTAS <= PREVIEWS


@pytest.mark.parametrize(
    "payload",
    [
        b'{"method":["item/agentMessage/delta"],"params":{}}',
        b'{"method":"item/agentMessage/delta","params":[1]}',
        b'{"method":"item/agentMessage/delta","params":{"itemId":{"a":[1]},"turnId":null}}',
        b'{"method":"item/completed","params":{"item":"i"}}',
        b'{"method":"item/completed"}',
        b"{}",
    ],
)
def test_payloads_of_any_shape_are_passed_over(payload):
    spent = Spent()
    spent.look(1, len(payload), f'{{"payload":{payload.decode()}}}')

    assert spent.spent == []


def test_what_is_held_is_bounded_and_the_oldest_is_let_go_of():
    spent = Spent(max_held=10)

    def look(seq, payload):
        spent.look(seq, 1, msgspec.json.encode({"payload": payload}).decode())

    for seq in range(1, 7):
        look(seq, of(DELTA, "old"))
    for seq in range(7, 13):
        look(seq, of(DELTA, "new"))
    for seq in range(13, 30):
        look(seq, diff(f"turn-{seq}"))
    look(30, of(DONE, "old"))
    look(31, of(DONE, "new"))
    look(32, diff("turn-29"))
    look(33, diff("turn-13"))

    assert [place.seq for place in spent.spent] == [29]
    assert spent.first_held == 21

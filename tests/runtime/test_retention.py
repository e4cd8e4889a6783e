from __future__ import annotations

import msgspec
import pytest

from autopilot.ops.clock import SystemClock
from autopilot.runtime import retention as retention_room
from autopilot.runtime.retention import Retention, pruned_frame
from autopilot.runtime.settings import RuntimeChoices
from autopilot.testing.runtime import batch, call, draft, frames, insert_worker


@pytest.fixture
async def retention(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", *(draft(f"e{n}", method=f"m{n}", text="x" * 100) for n in range(1, 11))))
    return Retention(runtime.ledger, runtime.pool, runtime.settings, SystemClock())


def keeping(retention, **choices):
    retention._settings = msgspec.structs.replace(retention._settings, choices=RuntimeChoices(**choices))
    return retention


async def test_a_pruned_event_keeps_seq_type_and_method(runtime, retention):
    assert await retention.prune_payloads("w", below_seq=4) == 3
    assert await retention.prune_payloads("w", below_seq=4) == 0

    log = await frames(runtime, "w")

    assert [frame["seq"] for frame in log] == list(range(1, 11))
    assert [frame["payload"] for frame in log[:3]] == [{"method": f"m{n}", "pruned": True} for n in (1, 2, 3)]
    assert log[3]["payload"]["text"] == "x" * 100
    assert [frame["eventId"] for frame in log[:2]] == ["e1", "e2"]


async def test_large_payloads_go_a_few_at_a_time(runtime, retention, monkeypatch):
    monkeypatch.setattr(retention_room, "BATCH_BYTES", 1000)  # three frames, or two
    commits = []
    runtime.ledger.on_commit.append(commits.append)

    assert await retention.prune_payloads("w", below_seq=10) == 9
    assert 4 <= len(commits) <= 6

    monkeypatch.setattr(retention_room, "BATCH_BYTES", 1)
    await runtime.ledger.append(batch("w", draft("e11"), draft("e12")))
    assert await retention.prune_payloads("w", below_seq=12) == 2


async def test_a_pruned_event_is_still_known_by_its_id(runtime, retention):
    await retention.prune_payloads("w", below_seq=4)

    (again,) = await runtime.ledger.append(batch("w", draft("e1", method="m1", text="x" * 100)))

    assert (again.seq, again.duplicate) == (1, True)


async def test_below_the_floor_a_cursor_is_stale_and_above_it_the_log_is_whole(runtime, retention):
    assert await retention.raise_floor("w", floor_seq=6) == 5

    stale = await call(runtime, "GET", "/workers/w/stream", query="cursor=4")
    page = await call(runtime, "GET", "/workers/w/events", query="after=5")
    backwards = await call(runtime, "GET", "/workers/w/events", query="before=8")

    assert (stale.status, stale.reason) == (410, "below_floor")
    assert stale.json["error"]["details"][0]["oldest_seq"] == 6
    assert [envelope["seq"] for envelope in page.data] == [6, 7, 8, 9, 10]
    assert [envelope["seq"] for envelope in backwards.data] == [6, 7]


async def test_the_floor_never_passes_the_latest_event_nor_goes_down(runtime, retention):
    await retention.raise_floor("w", floor_seq=99)
    assert [frame["seq"] for frame in await frames(runtime, "w")] == [10]

    assert await retention.raise_floor("w", floor_seq=3) == 0
    (after,) = await runtime.ledger.append(batch("w", draft("next")))
    assert after.seq == 11


async def test_a_sweep_forgets_by_age_alone(runtime, retention):
    await runtime.pool.execute("update event set occurred_at = now() - interval '40 days' where seq <= 6")
    await runtime.pool.execute("update event set occurred_at = now() - interval '100 days' where seq <= 2")

    await keeping(retention, keep_payloads_days=30, keep_events_days=90).sweep()

    log = await frames(runtime, "w")
    assert [frame["seq"] for frame in log] == list(range(3, 11))
    assert [frame["seq"] for frame in log if frame["payload"].get("pruned")] == [3, 4, 5, 6]


async def test_nothing_is_forgotten_unless_configured(runtime, retention):
    await runtime.pool.execute("update event set occurred_at = now() - interval '9 years'")

    await retention.sweep()

    assert len(await frames(runtime, "w")) == 10


def test_pruning_keeps_the_envelopes_order():
    frame = '{"workerId":"w","seq":1,"eventType":"worker.event","payload":{"a":1},"occurredAt":"t","eventId":"e"}'

    assert pruned_frame(frame) == frame.replace('{"a":1}', '{"method":null,"pruned":true}')


async def test_a_log_that_was_altered_is_left_alone_and_told_of_and_the_others_go_on(runtime, retention):
    for worker_id in ("v", "x"):
        await insert_worker(runtime, worker_id)
        await runtime.ledger.append(batch(worker_id, *(draft(f"e{n}", method="m", text="x") for n in range(1, 5))))
    await runtime.pool.execute("update event set occurred_at = now() - interval '40 days' where seq <= 3")
    await runtime.pool.execute(
        "update event set frame = 'altered' from worker w"
        " where w.worker_no = event.worker_no and worker_id = 'v' and seq = 2"
    )
    broken = []
    careful = Retention(runtime.ledger, runtime.pool, runtime.settings, SystemClock(), lambda: broken.append("a log"))

    await keeping(careful, keep_payloads_days=30).sweep()

    pruned = "select count(*) from event join worker using (worker_no) where worker_id = $1 and pruned"
    assert [await runtime.pool.fetchval(pruned, worker_id) for worker_id in ("w", "v", "x")] == [3, 0, 3]
    assert broken == ["a log"]


async def test_a_log_whose_end_is_missing_is_not_cut_off(runtime, retention):
    await runtime.pool.execute("update event set occurred_at = now() - interval '100 days' where seq <= 4")
    await runtime.pool.execute("delete from event where seq > 4")
    broken = []
    careful = Retention(runtime.ledger, runtime.pool, runtime.settings, SystemClock(), lambda: broken.append("a log"))

    await keeping(careful, keep_events_days=90).sweep()

    assert broken == ["a log"]
    assert await runtime.pool.fetchval("select count(*) from event") == 4


async def test_what_was_emptied_by_age_is_not_looked_at_again(runtime, retention):
    await runtime.pool.execute("update event set occurred_at = now() - interval '40 days' where seq <= 6")
    aging = keeping(retention, keep_payloads_days=30)
    await aging.sweep()
    assert await runtime.pool.fetchval("select seq from prune_mark") == 6

    await runtime.pool.execute("update event set occurred_at = now() - interval '40 days' where seq <= 8")
    await aging.sweep()

    assert await runtime.pool.fetchval("select seq from prune_mark") == 8
    assert await runtime.pool.fetchval("select count(*) from event where pruned") == 8

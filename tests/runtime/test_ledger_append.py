from __future__ import annotations

import asyncio

import msgspec
import pytest

from autopilot.contract.errors import Conflict, Forbidden, NotFound, Unavailable
from autopilot.runtime.app import build
from autopilot.runtime.append_group import Group
from autopilot.testing.runtime import STRANGER, batch, draft, frames, insert_worker


async def test_events_get_contiguous_seqs_from_one(runtime):
    await insert_worker(runtime, "w")

    outcomes = await runtime.ledger.append(batch("w", draft("a", n=1), draft("b", n=2)))

    assert [outcome.seq for outcome in outcomes] == [1, 2]
    assert [frame["seq"] for frame in await frames(runtime, "w")] == [1, 2]


async def test_the_envelope_has_the_contracts_keys_in_their_order(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a", n=1)))

    (frame,) = await frames(runtime, "w")

    assert list(frame) == ["workerId", "seq", "eventType", "payload", "occurredAt", "actor", "xRequestId", "eventId"]
    assert frame["actor"] == {"user_id": 1, "device_id": "device-1", "machine_id": None, "surface": "ios"}


async def test_the_same_event_again_is_a_duplicate_with_its_first_seq(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a", n=1), draft("b", n=2)))

    (again,) = await runtime.ledger.append(batch("w", draft("a", n=1)))

    assert (again.seq, again.duplicate) == (1, True)
    assert len(await frames(runtime, "w")) == 2


async def test_other_content_under_a_known_event_id_is_a_conflict(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a", n=1)))

    with pytest.raises(Conflict) as refusal:
        await runtime.ledger.append(batch("w", draft("a", n=2)))

    assert refusal.value.reason_code == "different_content"


async def test_a_batch_with_one_refused_event_leaves_nothing(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a", n=1)))

    with pytest.raises(Conflict):
        await runtime.ledger.append(batch("w", draft("b"), draft("a", n=2)))

    assert [frame["eventId"] for frame in await frames(runtime, "w")] == ["a"]


async def test_a_refused_batch_never_fails_its_neighbours_of_the_same_group(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", draft("a", n=1)))
    many = [batch("w", draft(f"good-{n}")) for n in range(20)]
    bad = [batch("w", draft("a", n=2)), batch("w", draft("z"), claims=STRANGER), batch("nobody", draft("y"))]

    results = await asyncio.gather(
        *(runtime.ledger.append(each) for pair in zip(many, bad * 7, strict=False) for each in pair),
        return_exceptions=True,
    )

    kinds = [type(result).__name__ for result in results if isinstance(result, Exception)]
    assert {"Conflict", "Forbidden", "NotFound"} == set(kinds)
    assert len(await frames(runtime, "w")) == 21
    assert list(range(1, 22)) == [frame["seq"] for frame in await frames(runtime, "w")]


async def test_an_unknown_worker_is_not_found_and_anothers_is_forbidden(runtime):
    await insert_worker(runtime, "w")

    with pytest.raises(NotFound):
        await runtime.ledger.append(batch("nobody", draft("a")))
    with pytest.raises(Forbidden) as refusal:
        await runtime.ledger.append(batch("w", draft("a"), claims=STRANGER))

    assert refusal.value.reason_code == "role"


async def test_a_rolled_back_transaction_leaves_no_gap(runtime):
    await insert_worker(runtime, "w")

    async def append_and_fail():
        async with runtime.ledger.transaction() as tx:
            await tx.append(await tx.lock_worker("w"), [draft("lost")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await append_and_fail()
    (kept,) = await runtime.ledger.append(batch("w", draft("kept")))

    assert kept.seq == 1


async def test_a_full_queue_is_refused_with_a_time_to_come_back(runtime, settings):
    await insert_worker(runtime, "w")
    tight = Group(msgspec.structs.replace(settings, queued_events=2), runtime.ledger._append_group)

    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(tight.append(batch("w", draft(name)))) for name in "ab"]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refusal:
            await tight.append(batch("w", draft("c")))
        running = tasks.create_task(tight.run())
        await asyncio.gather(*waiting)
        running.cancel()

    assert (refusal.value.reason_code, refusal.value.fact("outcome")) == ("busy", "not_recorded")
    assert refusal.value.retry_after_seconds == 1


async def test_after_its_end_the_ledger_takes_nothing_and_says_so(database, settings):
    async with await build(settings, dsn=database) as ended:
        await insert_worker(ended, "w")

    with pytest.raises(Unavailable) as refusal:
        await ended.ledger.append(batch("w", draft("a")))

    assert refusal.value.fact("outcome") == "not_recorded"

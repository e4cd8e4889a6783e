"""Whether an event that comes again says the same: by its canonical content before redaction, whatever is kept."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from autopilot.ops.clock import SystemClock
from autopilot.runtime import append_repeats
from autopilot.runtime.append_identity import digest
from autopilot.runtime.retention import Retention
from autopilot.testing.machines import Companion, leased
from autopilot.testing.runtime import call, insert_worker

PAYLOADS = (
    b"{}",
    b"null",
    b'{"a":1,"b":[2,{"c":null}]}',
    b'{ "b" : [2, {"c":null}],\n "a" : 1 }',
    b'{"a":1.0,"b":[2,{"c":null}]}',
    b'{"a":true,"b":[{"c":null},2]}',
    b'{"a":"\\u0041\\u00e9\\/"}',
    '{"a":"Aé/"}'.encode(),
    b'{"a":123456789012345678901234567890}',
    b'{"a":123456789012345678901234567891}',
    b'{"password":"one"}',
    b'{"password":"two"}',
    b'{"password":"[redacted]"}',
    b'{"method":"m","pruned":true}',
    b'{"method":"m","text":",\\"occurredAt\\":\\",\\"payload\\":"}',
)


def event(event_id: str, payload: bytes, event_type: bytes = b"worker.event") -> bytes:
    return b'{"event_id":"%s","event_type":"%s","payload":%s}' % (event_id.encode(), event_type, payload)


def same(payload: bytes, other: bytes) -> bool:
    """The rule, by itself."""
    contents = (msgspec.json.decode(text) or {} for text in (payload, other))
    return len({digest(b"any key", "worker.event", content) for content in contents}) == 1


async def post(runtime, *events: bytes):
    return await call(runtime, "POST", "/workers/w/events", b'{"events":[%s]}' % b",".join(events))


def judged(answer) -> bool:
    """Whether it was taken for the same."""
    if answer.status == 202:
        return answer.data[-1]["duplicate"]
    assert (answer.status, answer.reason) == (409, "different_content")
    return False


@pytest.fixture
async def worker(runtime):
    await insert_worker(runtime, "w")
    return runtime


async def record_all(worker) -> None:
    for number, payload in enumerate(PAYLOADS):
        assert (await post(worker, event(f"e{number}", payload))).status == 202


async def judge_all(worker) -> None:
    for (number, payload), other in itertools.product(enumerate(PAYLOADS), PAYLOADS):
        answer = await post(worker, event(f"e{number}", other))
        assert judged(answer) is same(payload, other), (payload, other)


async def test_any_two_contents_are_told_apart_before_retention_and_after_it(worker):
    await record_all(worker)
    await judge_all(worker)

    await Retention(worker.ledger, worker.pool, worker.settings, SystemClock()).prune_payloads("w", below_seq=99)
    assert await worker.pool.fetchval("select count(*) from event where pruned") == len(PAYLOADS) - 1

    await judge_all(worker)


async def test_any_two_contents_are_told_apart_within_one_batch(worker):
    for number, (payload, other) in enumerate(itertools.product(PAYLOADS, PAYLOADS)):
        answer = await post(worker, event(f"e{number}", payload), event(f"e{number}", other))
        assert judged(answer) is same(payload, other), (payload, other)


async def test_the_type_is_part_of_the_content(worker):
    await post(worker, event("a", b"{}"))

    assert not judged(await post(worker, event("a", b"{}", b"worker.note")))


async def test_a_digest_is_kept_only_of_what_redaction_altered(worker):
    await post(worker, event("plain", b'{"a":1}'), event("altered", b'{"password":"one"}'))

    kept = dict(await worker.pool.fetch("select event_id, length(digest) from event"))
    assert kept == {"plain": 0, "altered": 16}


async def test_an_executors_events_are_known_by_their_id_alone_whoever_repeats_them(runtime):
    companion = await leased(runtime)
    assert isinstance(companion, Companion)
    body = {"event": {"event_type": "worker.event", "event_id": "a", "payload": {"n": 1}}}
    await companion.post("/workers/w/events", {**body, "generation": companion.generations["w"]})

    again = await post(runtime, event("a", b'{"n":2}'))

    assert judged(again) is True


async def test_a_backfilled_copy_is_the_same_even_where_an_owner_wrote_the_event_first(runtime):
    companion = await leased(runtime)
    await post(runtime, event("a", b'{"n":1}'))
    copy = {"event": {"event_type": "worker.event", "event_id": "a", "payload": {"n": 2}}}

    answer = await companion.post("/workers/w/events", {**copy, "generation": companion.generations["w"]})

    assert answer.data["duplicate"] is True


async def test_many_repeats_are_read_a_few_at_a_time_and_all_are_judged(worker, monkeypatch):
    monkeypatch.setattr(append_repeats, "PAGE_BYTES", 600)
    events = [event(f"e{n}", b'{"n":%d,"pad":"%s"}' % (n, b"x" * 100)) for n in range(20)]
    first = await post(worker, *events)

    again = await post(worker, *events)
    other = await post(worker, *events[:-1], event("e19", b'{"n":20}'))

    assert [item["seq"] for item in again.data] == [item["seq"] for item in first.data]
    assert all(item["duplicate"] for item in again.data)
    assert not judged(other)
    assert other.json["error"]["details"][0]["event_id"] == "e19"

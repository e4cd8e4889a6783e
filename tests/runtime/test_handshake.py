"""The minimum proof that a phone and a desktop are connected (docs/protocol.md, "Handshake")."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.testing.machines import Companion, leased
from autopilot.testing.runtime import call, frames, insert_worker

AT = "2026-11-22T07:16:00.5Z"
ASK = {
    "source": "autopilot-ios",
    "method": "ios/handshake",
    "handshake_id": "h1",
    "device_id": "phone",
    "occurred_at": AT,
}
ACK = {
    "source": "autopilot-desktop",
    "method": "desktop/handshake_ack",
    "handshake_id": "h1",
    "desktop_session_id": "s1",
    "occurred_at": AT,
}


async def ask(runtime, event_id="ask-1", **changes):
    event = {"event_type": "worker.event", "event_id": event_id, "payload": {**ASK, **changes}}
    return await call(runtime, "POST", "/workers/w/events", {"event": event})


async def ack(companion, event_id="ack-1", **changes):
    return await companion.append("w", "worker.event", event_id, **{**ACK, **changes})


def methods(log):
    return [frame["payload"]["method"] for frame in log if "method" in frame["payload"]]


async def test_asked_seen_on_the_feed_and_answered_by_the_machine(runtime):
    companion = await leased(runtime)

    asked = await ask(runtime)
    (entry,) = await companion.feed()
    answered = await ack(companion, handshake_id=entry["body"]["payload"]["handshake_id"])

    assert (asked.status, answered.status) == (202, 202)
    assert (await frames(runtime, "w"))[-1]["actor"]["machine_id"] == "m1"


async def test_a_second_answer_under_another_event_id_is_a_duplicate_of_the_first(runtime):
    companion = await leased(runtime)
    await ask(runtime)

    first = await ack(companion)
    await companion.claim("w")
    second = await ack(companion, "ack-2", desktop_session_id="s2")

    assert second.data == [{"event_id": "ack-2", "seq": first.data[0]["seq"], "duplicate": True}]
    assert methods(await frames(runtime, "w")).count("desktop/handshake_ack") == 1


async def test_the_same_question_again_is_the_first_one(runtime):
    companion = await leased(runtime)

    first, again = await ask(runtime), await ask(runtime, "ask-2")

    assert again.data["seq"] == first.data["seq"]
    assert len(await companion.feed()) == 1


async def test_answers_at_once_leave_one_in_the_log(runtime):
    companion = await leased(runtime)
    await ask(runtime)

    answers = await asyncio.gather(*(ack(companion, f"ack-{n}") for n in range(8)))

    assert {answer.status for answer in answers} <= {202, 409}
    assert methods(await frames(runtime, "w")).count("desktop/handshake_ack") == 1


async def test_question_and_answer_may_come_in_one_batch_but_not_an_answer_alone(runtime):
    await insert_worker(runtime, "w")
    both = [
        {"event_type": "worker.event", "event_id": "q", "payload": ASK},
        {"event_type": "worker.event", "event_id": "a", "payload": ACK},
    ]

    alone = await call(runtime, "POST", "/workers/w/events", {"events": both[1:]})
    together = await call(runtime, "POST", "/workers/w/events", {"events": both})

    assert (alone.status, alone.reason) == (409, "unknown_handshake")
    assert together.status == 202


@pytest.mark.parametrize("field", ["source", "handshake_id", "device_id", "occurred_at"])
@pytest.mark.parametrize("value", [None, "", "  ", 7])
async def test_a_question_without_one_of_its_fields_is_unprocessable(runtime, field, value):
    await insert_worker(runtime, "w")

    answer = await ask(runtime, **{field: value})

    assert answer.status == 422
    assert [detail["field"] for detail in answer.json["error"]["details"]] == [f"payload.{field}"]


@pytest.mark.parametrize("field", ["source", "handshake_id", "desktop_session_id", "occurred_at"])
async def test_an_answer_without_one_of_its_fields_is_unprocessable(runtime, field):
    companion = await leased(runtime)
    await ask(runtime)

    answer = await ack(companion, **{field: None})

    assert answer.status == 422


@pytest.mark.parametrize("value", ["yesterday", "2026-11-22", "2026-13-22T07:16:00Z", "2026-11-22T07:16:00"])
async def test_a_time_that_is_none_is_unprocessable(runtime, value):
    await insert_worker(runtime, "w")

    assert (await ask(runtime, occurred_at=value)).status == 422


async def test_all_missing_fields_are_named_at_once(runtime):
    await insert_worker(runtime, "w")
    event = {"event_type": "worker.event", "payload": {"method": "ios/handshake"}}

    answer = await call(runtime, "POST", "/workers/w/events", {"event": event})

    assert len(answer.json["error"]["details"]) == 4


async def test_only_the_machine_that_holds_the_lease_answers(runtime):
    await leased(runtime)
    await ask(runtime)
    other = Companion(runtime, "m2")
    await other.register()

    by_owner = await call(
        runtime, "POST", "/workers/w/events", {"event": {"event_type": "worker.event", "payload": ACK}}
    )
    by_other = await ack(other)

    assert (by_owner.status, by_other.status) == (403, 403)
    assert methods(await frames(runtime, "w")) == ["ios/handshake"]


async def test_a_refused_batch_does_not_use_a_handshake_up(runtime):
    companion = await leased(runtime)
    await ask(runtime)
    companion.generations["w"] = 9

    fenced = await ack(companion)
    companion.generations["w"] = 1
    answered = await ack(companion)

    assert (fenced.status, answered.status) == (409, 202)

from __future__ import annotations

import msgspec
import pytest

from autopilot.contract import AppendBody, AppendEvent, encode
from autopilot.testing.runtime import OBSERVER, call, frames, insert_worker

EVENTS = "/workers/w/events"


@pytest.fixture
async def worker(runtime):
    await insert_worker(runtime, "w")
    return runtime


def one(**event):
    return {"event": {"event_type": "worker.event", **event}}


async def test_one_event_is_answered_with_its_place(worker):
    answer = await call(worker, "POST", EVENTS, one(payload={"method": "x", "n": 1}, event_id="a"))

    assert answer.status == 202
    assert answer.data["occurred_at"].endswith("Z")
    del answer.data["occurred_at"]
    assert answer.data | {"occurred_at": ""} == {
        "worker_id": "w",
        "seq": 1,
        "event_type": "worker.event",
        "payload": {"method": "x", "n": 1},
        "occurred_at": "",
        "event_id": "a",
        "duplicate": False,
    }


async def test_a_batch_is_answered_item_by_item(worker):
    items = [{"event_type": "worker.event", "event_id": name} for name in ("a", "b")]

    answer = await call(worker, "POST", EVENTS, {"events": items})
    again = await call(worker, "POST", EVENTS, {"events": items})

    assert answer.data == [
        {"event_id": "a", "seq": 1, "duplicate": False},
        {"event_id": "b", "seq": 2, "duplicate": False},
    ]
    assert [item["duplicate"] for item in again.data] == [True, True]


async def test_a_payload_is_kept_verbatim(worker):
    payload = '{"z":1, "a":123456789012345678901234567890, "t":"\\u0000\\u00e9", "f":1.50,"n":null}'
    raw = '{"event":{"event_type":"worker.event","payload":' + payload + "}}"

    await call(worker, "POST", EVENTS, raw.encode())

    stored = await worker.pool.fetchval("select frame from event")
    assert f'"payload":{payload},' in stored


async def test_line_ends_between_tokens_become_spaces(worker):
    await call(worker, "POST", EVENTS, b'{"event":{"event_type":"worker.event","payload":{\r\n"a":\n1}}}')

    stored = await worker.pool.fetchval("select frame from event")
    assert '"payload":{  "a": 1},' in stored


async def test_a_missing_payload_is_an_empty_object(worker):
    await call(worker, "POST", EVENTS, one())
    await call(worker, "POST", EVENTS, one(payload=None))

    assert [frame["payload"] for frame in await frames(worker, "w")] == [{}, {}]


@pytest.mark.parametrize("batch", [False, True])
async def test_what_a_message_is_encoded_as_is_taken_nulls_and_empty_lists_included(worker, batch):
    event = AppendEvent(event_type="worker.event", event_id="a")
    body = encode(AppendBody(events=(event,)) if batch else AppendBody(event=event))

    answer = await call(worker, "POST", EVENTS, body)

    assert answer.status == 202
    assert isinstance(answer.data, list) is batch


async def test_a_secret_is_redacted_in_the_log_and_in_the_answer(worker):
    secret = "sk-" + "a" * 40
    answer = await call(worker, "POST", EVENTS, one(payload={"text": f"use {secret}", "api_key": "k"}))

    assert answer.data["payload"] == {"text": "use [redacted]", "api_key": "[redacted]"}
    assert secret not in await worker.pool.fetchval("select frame from event")


async def test_same_content_is_judged_before_redaction(worker):
    first = one(event_id="a", payload={"password": "one"})
    other = one(event_id="a", payload={"password": "two"})

    assert (await call(worker, "POST", EVENTS, first)).status == 202
    assert (await call(worker, "POST", EVENTS, first)).data["duplicate"] is True
    assert (await call(worker, "POST", EVENTS, other)).reason == "different_content"


async def test_key_order_and_spaces_make_no_other_content(worker):
    await call(
        worker, "POST", EVENTS, b'{"event":{"event_type":"worker.event","event_id":"a","payload":{"a":1,"b":2}}}'
    )

    again = await call(
        worker, "POST", EVENTS, b'{"event":{"event_id":"a","event_type":"worker.event","payload":{ "b":2, "a":1}}}'
    )

    assert again.data["duplicate"] is True


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "malformed_json"),
        (b"[]", 400, "not_an_object"),
        (b"{", 400, "malformed_json"),
        (b'{"event":{"event_type":"worker.event","payload":{"a":"\xff"}}}', 400, "malformed_json"),
        (b'{"event":{"event_type":"worker.event","payload":{"a":1,"a":2}}}', 400, "duplicate_keys"),
        (b'{"event":{"event_type":"worker.event","event_type":"worker.event"}}', 400, "duplicate_keys"),
        (
            b'{"event":{"event_type":"worker.event","payload":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}}",
            400,
            "too_deep",
        ),
        (b'{"event":{"event_type":"worker.event","payload":{"a":' + b"[" * 200 + b"]" * 200 + b"}}}", 400, "too_deep"),
        (b"{}", 400, "event_missing"),
        (b'{"event":{"event_type":"worker.event"},"events":[{"event_type":"worker.event"}]}', 400, "event_missing"),
        (b'{"event":null,"events":[]}', 400, "event_missing"),
        (b'{"event":{"event_type":"worker.event"},"events":null}', 400, "not_a_list"),
        (b'{"events":[]}', 400, "event_missing"),
        (b'{"event":1}', 400, "not_an_object"),
        (b'{"event":{"event_type":"turn.started"}}', 400, "event_type"),
        (b'{"event":{"event_type":7}}', 400, "event_type"),
        (b'{"event":{"event_type":"worker.A b"}}', 422, "invalid_value"),
        (b'{"event":{"event_type":"worker.event","payload":[1]}}', 422, "invalid_value"),
        (b'{"event":{"event_type":"worker.event","event_id":""}}', 422, "invalid_value"),
        (b'{"event":{"event_type":"worker.event","event_id":"a\\u0000"}}', 422, "invalid_value"),
        (b'{"event":{"event_type":"worker.event","producer_seq":0}}', 422, "invalid_value"),
        (b'{"event":{"event_type":"worker.event"},"generation":"1"}', 422, "invalid_value"),
    ],
)
async def test_a_body_that_is_wrong_says_how(worker, body, status, reason):
    answer = await call(worker, "POST", EVENTS, body)

    assert (answer.status, answer.reason) == (status, reason)
    assert await frames(worker, "w") == []


async def test_each_wrong_field_has_its_detail(worker):
    items = [{"event_type": "worker.A"}, {"event_type": "worker.event", "event_id": 1, "late": 2}]

    answer = await call(worker, "POST", EVENTS, {"events": items})

    fields = [detail["field"] for detail in answer.json["error"]["details"]]
    assert fields == ["events[0].event_type", "events[1].event_id", "events[1].late"]


async def test_too_large_is_413(worker):
    answer = await call(worker, "POST", EVENTS, one(payload={"a": "x" * 4 * 1024 * 1024}))
    assert (answer.status, answer.reason) == (413, "event_too_large")

    answer = await call(worker, "POST", EVENTS, b" " * (16 * 1024 * 1024 + 1))
    assert (answer.status, answer.reason) == (413, "body_too_large")

    answer = await call(worker, "POST", EVENTS, {"events": [{"event_type": "worker.event"}] * 1001})
    assert (answer.status, answer.reason) == (413, "too_many_events")


async def test_another_media_type_is_415(worker):
    answer = await call(worker, "POST", EVENTS, b"a=1", headers={"content-type": "application/x-www-form-urlencoded"})

    assert answer.status == 415


async def test_observers_append_nothing(worker):
    answer = await call(worker, "POST", EVENTS, one(), claims=OBSERVER)

    assert (answer.status, answer.reason) == (403, "scope")


@pytest.mark.parametrize(
    "event_type",
    [
        "worker.started",
        "worker.request.received",
        "worker.approval.decided",
        "worker.lease.claimed",
        "worker.policy.denied",
    ],
)
async def test_only_the_runtime_writes_its_own_types(worker, event_type):
    answer = await call(worker, "POST", EVENTS, {"event": {"event_type": event_type}})

    assert (answer.status, answer.reason) == (403, "event_type")


async def test_a_heartbeat_moves_the_beat_and_adds_no_row(worker):
    await call(worker, "POST", EVENTS, one())

    answer = await call(worker, "POST", EVENTS, {"event": {"event_type": "worker.heartbeat"}})

    assert (answer.status, answer.data["seq"]) == (202, 1)
    assert len(await frames(worker, "w")) == 1
    assert await worker.pool.fetchval("select last_heartbeat_at is not null from worker_beat")


async def test_a_stopped_log_takes_no_more_but_knows_its_repeats(worker):
    stop = {"event": {"event_type": "worker.stopped", "event_id": "end", "payload": {"reason": "done"}}}
    first = await call(worker, "POST", EVENTS, stop)

    again = await call(worker, "POST", EVENTS, stop)
    more = await call(worker, "POST", EVENTS, one())

    assert (first.status, again.status, again.data["duplicate"]) == (202, 202, True)
    assert (more.status, more.reason) == (409, "worker_stopped")


async def test_nothing_follows_a_stop_within_its_batch(worker):
    items = [{"event_type": kind} for kind in ("worker.event", "worker.stopped", "worker.event")]

    answer = await call(worker, "POST", EVENTS, {"events": items})

    assert (answer.status, answer.reason) == (409, "worker_stopped")
    assert await frames(worker, "w") == []


async def test_unknown_types_are_stored_unchanged(worker):
    await call(worker, "POST", EVENTS, {"event": {"event_type": "worker.novel.kind", "payload": {"a": 1}}})

    (frame,) = await frames(worker, "w")
    assert (frame["eventType"], frame["payload"]) == ("worker.novel.kind", {"a": 1})


async def test_a_worker_id_out_of_its_charset_is_unprocessable(worker):
    for path in ("/workers/a%20b/events", f"/workers/{'w' * 161}/events"):
        answer = await call(worker, "POST", path, one())
        assert (answer.status, answer.reason) == (422, "invalid_value")


async def test_the_request_id_is_in_the_envelope(worker):
    await call(worker, "POST", EVENTS, one(), headers={"x-request-id": "req-1"})

    (frame,) = await frames(worker, "w")
    assert frame["xRequestId"] == "req-1"
    assert msgspec.json.encode(frame["payload"]) == b"{}"

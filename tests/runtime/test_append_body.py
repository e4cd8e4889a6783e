"""Short cuts of reading a body: what they pass, the long way passes too."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.contract.errors import InvalidRequest
from autopilot.contract.port import Claims, RuntimeRequest
from autopilot.runtime import append_body, strict_json
from autopilot.runtime.ledger_rows import Draft, Worker, frame_of, frames_of
from autopilot.runtime.settings import RuntimeSettings

ODD = st.sampled_from([None, True, False, 0, 1, -1, 2**53 - 1, 2**53, 1.0, "", "x", "a b", "é", "a\n", "\x7f", [], {}])
SOUND = {
    "event_type": st.sampled_from(["worker.event", "worker.stopped", "worker.heartbeat"]),
    "payload": st.sampled_from([{}, {"a": 1}]),
    "event_id": st.sampled_from(["a", "~!", "e" * 255]),
}
ITEMS = st.fixed_dictionaries(
    {"event_type": SOUND["event_type"] | st.sampled_from(["worker.note", "worker.No", "worker." + "a" * 120])},
    optional={
        "payload": SOUND["payload"] | ODD,
        "event_id": SOUND["event_id"] | ODD | st.just("e" * 256),
        "producer_seq": ODD,
        "late": ODD,
    },
)
LIMIT = 5
NESTED = st.recursive(
    st.sampled_from([{}, [], 1, "[{"]),
    lambda inner: st.lists(inner, min_size=1, max_size=2) | st.dictionaries(st.sampled_from(["", "k"]), inner),
    max_leaves=9,
)


SETTINGS = RuntimeSettings(digest_key=b"k" * 32, delivery_key=b"k" * 32, seal_key=b"k" * 32)


def request(body: str) -> RuntimeRequest:
    return RuntimeRequest(Claims(user_id=1), "POST", "/workers/w/events", "", {}, body.encode())


def is_sound(items: list[dict[str, object]]) -> bool:
    events = append_body._events(msgspec.json.encode({"events": items}), is_batch=True)
    return append_body._is_sound(events, [item.get("payload") for item in items])


@given(st.lists(st.fixed_dictionaries(SOUND) | ITEMS, min_size=1, max_size=3))
def test_what_a_look_at_the_columns_finds_sound_has_no_fault_item_by_item(items):
    assert not is_sound(items) or not list(append_body._problems(items, is_batch=True))


@given(st.lists(st.fixed_dictionaries(SOUND), min_size=1, max_size=3))
def test_the_columns_are_enough_for_what_is_sound(items):
    assert is_sound(items)


@given(st.lists(st.fixed_dictionaries(SOUND), min_size=1, max_size=3), st.sampled_from([None, 1]), st.booleans())
def test_a_draft_has_the_fields_and_the_very_text_that_were_sent_however_they_were_written(items, indent, is_escaped):
    body = json.dumps({"events": [dict(reversed(item.items())) for item in items]}, indent=indent)
    if is_escaped:  # JSON may spell any character of a key so
        body = body.replace('"event_', '"\\u0065vent_').replace('"payload"', '"p\\u0061yload"')

    drafts = append_body.read(request(body), SETTINGS).drafts

    assert [(draft.event_type, draft.value, draft.event_id) for draft in drafts] == [
        (item["event_type"], item["payload"], item["event_id"]) for item in items
    ]
    assert all(draft.payload in body.replace("\n", " ") for draft in drafts)
    assert [msgspec.json.decode(draft.payload) for draft in drafts] == [item["payload"] for item in items]


@given(NESTED, st.booleans())
def test_a_body_with_a_payload_that_is_too_deep_is_refused_and_no_other(value, is_batch):
    event = {"event_type": "worker.event", "payload": {"": value}}
    body = request(json.dumps({"events": [event, event]} if is_batch else {"event": event}, separators=(",", ":")))
    shallow = msgspec.structs.replace(SETTINGS, max_depth=LIMIT)
    if depth(value) < LIMIT:
        append_body.read(body, shallow)
        return
    with pytest.raises(InvalidRequest, match="nested deeper"):
        append_body.read(body, shallow)


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), min_size=1, max_size=4))
def test_a_run_of_frames_reads_as_each_frame_by_itself(event_ids):
    now = datetime(2026, 11, 23, tzinfo=UTC)
    as_read = (1, "w", 1, None, None, None, 0, 1, 0, now, "running", now, None, None, None, "{}", None, now)
    worker = Worker(*as_read)
    drafts = [Draft("worker.event", '{"a":1}', {"a": 1}, event_id, "{}", '"x"') for event_id in event_ids]

    frames = frames_of(worker, 7, drafts)

    assert frames == [frame_of(worker, seq, draft) for seq, draft in enumerate(drafts, 7)]
    assert [json.loads(frame)["eventId"] for frame in frames] == event_ids


@given(NESTED)
def test_the_length_and_the_brackets_spare_no_value_that_is_too_deep(value):
    text = msgspec.json.encode(value).decode()
    if depth(value) <= LIMIT:
        strict_json.check_depth(text, value, LIMIT)
        return
    with pytest.raises(InvalidRequest):
        strict_json.check_depth(text, value, LIMIT)


@pytest.mark.parametrize("levels", [LIMIT, LIMIT + 1])
@pytest.mark.parametrize(("opening", "core", "closing"), [('{"":', "{}", "}"), ("[", "[]", "]"), ('{"":[', "1", "]}")])
def test_the_shortest_values_that_are_too_deep_are_found(levels, opening, core, closing):
    wraps = levels // 2 + levels % 2 if core == "1" else levels - 1
    text = opening * wraps + core + closing * wraps
    value = msgspec.json.decode(text)

    if depth(value) > LIMIT:
        with pytest.raises(InvalidRequest):
            strict_json.check_depth(text, value, LIMIT)
    else:
        strict_json.check_depth(text, value, LIMIT)


def depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0

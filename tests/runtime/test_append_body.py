"""Short cuts of reading a body: what they pass, the long way passes too."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.contract.errors import InvalidRequest
from autopilot.runtime import append_body, strict_json

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


def is_sound(items: list[dict[str, object]]) -> bool:
    return append_body._is_sound(*([item.get(name) for item in items] for name in append_body._FIELDS))


@given(st.lists(st.fixed_dictionaries(SOUND) | ITEMS, min_size=1, max_size=3))
def test_what_a_look_at_the_columns_finds_sound_has_no_fault_item_by_item(items):
    assert not is_sound(items) or not list(append_body._problems(items, is_batch=True))


@given(st.lists(st.fixed_dictionaries(SOUND), min_size=1, max_size=3))
def test_the_columns_are_enough_for_what_is_sound(items):
    assert is_sound(items)


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

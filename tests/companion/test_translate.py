from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from tests.companion.conftest import recorded

from autopilot.companion.codex import translate as t
from autopilot.companion.codex.coalesce import Coalescer, Said
from autopilot.companion.codex.messages import Message, decode

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SESSIONS = [
    "s01_basic_turn",
    "s02_shell_approved",
    "s04_interrupt_stream",
    "s06_patch_auto",
    "s08_kill9_mid_turn",
    "s13_steer",
]


def translated(message: Message, fallback_id: str = "note:1") -> t.Event | None:
    return t.translate(message, t.names(message.params), fallback_id=fallback_id, now=NOW)


def message(text: str) -> Message:
    return decode(text.encode())


@pytest.mark.parametrize("session", SESSIONS)
def test_whatever_names_a_thread_becomes_an_event_of_that_thread_with_the_very_same_params(session: str) -> None:
    for said in recorded(session):
        params = json.loads(bytes(said.params))
        event = translated(said)
        thread = params.get("threadId") or params.get("thread", {}).get("id")
        if thread is None:
            assert event is None
            continue
        assert event is not None
        payload = json.loads(event.payload)
        assert (event.thread_id, payload["method"]) == (thread, said.method)
        assert list(payload) == ["source", "method", "params", "occurred_at"]
        assert payload["source"] == "autopilot-desktop"
        assert json.dumps(payload["params"]) == json.dumps(params)  # order of keys included


def test_what_names_no_thread_is_no_event() -> None:
    told = [said.method for said in recorded("s01_basic_turn") if translated(said) is None]

    assert told == ["remoteControl/status/changed", "account/rateLimits/updated"]


def test_params_stay_as_codex_wrote_them_to_the_byte() -> None:
    raw = '{"threadId":"t1","z":1,"a":[1180591620717411303424,1.0,1e2,"\\u0000é"],"n":null}'

    event = translated(message(f'{{"method":"thread/goal/updated","params":{raw}}}'))

    assert event is not None
    assert raw.encode() in event.payload


def test_an_error_is_a_worker_error_and_everything_else_a_worker_event() -> None:
    error = translated(message('{"method":"error","params":{"threadId":"t1","turnId":"u1","willRetry":false}}'))
    other = translated(message('{"method":"thread/closed","params":{"threadId":"t1"}}'))

    assert error is not None
    assert other is not None
    assert (error.event_type, other.event_type) == ("worker.error", "worker.event")


def test_the_time_is_codex_s_own_where_it_tells_one() -> None:
    with_time = translated(message('{"method":"x","params":{"threadId":"t"},"emittedAtMs":1795335317951}'))
    without = translated(message('{"method":"x","params":{"threadId":"t"}}'))

    assert with_time is not None
    assert without is not None
    assert json.loads(with_time.payload)["occurred_at"] == "2026-11-22T08:15:17.951000Z"
    assert json.loads(without.payload)["occurred_at"] == "2026-11-22T12:00:00.000000Z"


def test_an_item_s_identity_is_made_of_turn_item_and_phase_and_nothing_that_changes_with_a_restart() -> None:
    first = [translated(said, "note:a:1") for said in recorded("s06_patch_auto")]
    again = [translated(said, "note:b:9") for said in recorded("s06_patch_auto")]
    stable = [(a.event_id, b.event_id) for a, b in zip(first, again, strict=True) if a and b and a.item_id]

    completed = [a for a, _ in stable if a.endswith(":completed")]
    assert all(a == b for a, b in stable if a.startswith("item:"))
    assert len(completed) == len(set(completed)) == 3


def test_ids_of_turns_and_items_that_are_too_long_or_strange_are_digested() -> None:
    long = t.Names(thread_id="t", turn_id="u" * 200, item_id="i")
    strange = t.Names(thread_id="t", turn_id="ü b", item_id="i")

    ids = [t.identity("item/completed", named) for named in (long, strange)]

    assert all(one is not None and len(one) <= t.EVENT_ID_CHARACTERS and one.isascii() for one in ids)
    assert ids[0] != ids[1]


def test_what_is_too_large_for_an_event_is_an_artifact_and_a_preview_never_is() -> None:
    output = "x" * 5_000_000
    params = {"threadId": "t", "turnId": "u", "item": {"type": "commandExecution", "id": "i", "out": output}}

    event = translated(message(json.dumps({"method": "item/completed", "params": params})))

    assert event is not None
    told = json.loads(event.payload)
    assert told["params"]["item"]["out"].startswith("x" * 16384 + "\n… ")
    assert [ref["path"] for ref in told["artifacts"]] == ["/params/item/out"]
    assert [one.content for one in event.artifacts] == [output.encode()]
    assert event.event_id == "item:u:i:completed"
    preview = translated(delta("x" * 200_000))
    assert preview is not None
    assert (json.loads(preview.payload)["params"]["delta"], preview.artifacts) == ("x" * 200_000, ())


@pytest.mark.parametrize("thread", ['"ephemeral":true', '"ephemeral":false,"threadSource":"thread_title"'])
def test_threads_that_codex_s_programs_make_for_themselves_are_hidden(thread: str) -> None:
    hidden = message(f'{{"method":"thread/started","params":{{"thread":{{"id":"t1",{thread}}}}}}}')

    assert t.names(hidden.params).hidden_thread
    assert t.names(hidden.params).thread_id == "t1"


def test_members_of_an_unexpected_shape_count_as_absent() -> None:
    odd = t.names(msgspec.Raw(b'{"threadId":7,"turn":"later","item":[1],"thread":null}'))

    assert odd == t.Names()


def delta(text: str, item: str = "m1", thread: str = "t1", method: str = "item/agentMessage/delta") -> Message:
    params = {"threadId": thread, "turnId": "u1", "itemId": item, "delta": text}
    return decode(json.dumps({"method": method, "params": params}).encode())


def add(coalescer: Coalescer, said: Message, now: float) -> list[Said]:
    return coalescer.add(said, t.names(said.params), now)


def told(said: list[Said]) -> list[tuple[str, str, int]]:
    return [(one.names.item_id or "", json.loads(bytes(one.message.params))["delta"], one.coalesced) for one in said]


def test_deltas_of_one_item_are_joined_for_a_tenth_of_a_second() -> None:
    coalescer = Coalescer()

    held = [add(coalescer, delta(text), now) for text, now in [("a", 0.0), ("b", 0.05), ("c", 0.09)]]

    assert held == [[], [], []]
    assert coalescer.next_due == pytest.approx(0.1)
    assert coalescer.due(0.09) == []
    assert told(coalescer.due(0.1)) == [("m1", "abc", 3)]
    assert coalescer.next_due is None


def test_what_is_said_next_about_the_thread_lets_go_of_its_deltas_first_and_of_no_other_s() -> None:
    coalescer = Coalescer()
    add(coalescer, delta("a", item="m1"), 0.0)
    add(coalescer, delta("z", item="m9", thread="t2"), 0.0)
    add(coalescer, delta("b", item="m2"), 0.01)
    add(coalescer, delta("c", item="m1"), 0.02)
    done = message('{"method":"item/completed","params":{"threadId":"t1","turnId":"u1","item":{"id":"m1"}}}')

    out = add(coalescer, done, 0.03)

    assert told(out[:2]) == [("m1", "ac", 2), ("m2", "b", 1)]
    assert out[2].message is done
    assert told(coalescer.release_all()) == [("m9", "z", 1)]


def test_a_single_delta_stays_the_text_it_was_and_a_joined_one_says_how_many_it_stands_for() -> None:
    coalescer = Coalescer()
    only = delta("a")
    add(coalescer, only, 0.0)
    (single,) = coalescer.release_all()
    add(coalescer, delta("a"), 0.0)
    add(coalescer, delta("b"), 0.0)
    (joined,) = coalescer.release_all()

    assert single.message is only
    event = t.translate(joined.message, joined.names, fallback_id="note:1", now=NOW, coalesced=joined.coalesced)
    assert event is not None
    assert json.loads(event.payload)["coalesced"] == 2
    assert event.preview


def test_a_preview_that_grows_long_does_not_wait() -> None:
    coalescer = Coalescer()

    out = add(coalescer, delta("x" * 70_000), 0.0)

    assert [one.coalesced for one in out] == [1]

"""The pure decoder and msgspec read and refuse the same, in the same words."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError
from typing import Any

import msgspec
import pytest

from autopilot import contract
from autopilot.contract import AppendBody, AppendEvent, DecodeError, Envelope, decode, encode

REFUSED: list[tuple[type, Any, str]] = [
    (AppendBody, [], "Expected `object`, got `array`"),
    (AppendBody, None, "Expected `object`, got `null`"),
    (AppendBody, {"event": 3}, "Expected `object | null`, got `int` - at `$.event`"),
    (AppendBody, {"event": {}}, "Object missing required field `event_type` - at `$.event`"),
    (AppendBody, {"events": None}, "Expected `array`, got `null` - at `$.events`"),
    (AppendBody, {"events": [None]}, "Expected `object`, got `null` - at `$.events[0]`"),
    (AppendBody, {"events": [{"event_type": 1}]}, "Expected `str`, got `int` - at `$.events[0].event_type`"),
    (AppendBody, {"generation": 1.0}, "Expected `int | null`, got `float` - at `$.generation`"),
    (AppendBody, {"generation": True}, "Expected `int | null`, got `bool` - at `$.generation`"),
    (
        AppendBody,
        {"event": {"event_type": "worker.event", "payload": []}},
        "Expected `object | null`, got `array` - at `$.event.payload`",
    ),
]


@pytest.mark.parametrize(("kind", "value", "message"), REFUSED)
def test_both_decoders_refuse_in_the_same_words(kind: type, value: Any, message: str) -> None:
    with pytest.raises(DecodeError) as pure:
        decode(kind, value)
    with pytest.raises(msgspec.ValidationError) as fast:
        msgspec.json.decode(json.dumps(value), type=kind)

    assert str(pure.value) == message
    assert str(fast.value) == message


def test_the_error_names_the_path() -> None:
    with pytest.raises(DecodeError) as error:
        decode(AppendBody, {"events": [{"event_type": "worker.event"}, {"event_type": None}]})

    assert error.value.path == "$.events[1].event_type"


def test_unknown_keys_are_ignored() -> None:
    assert decode(AppendEvent, {"event_type": "worker.event", "later": 1}) == AppendEvent(event_type="worker.event")


def test_an_envelope_is_encoded_in_the_order_of_the_contract() -> None:
    envelope = Envelope(workerId="w", seq=1, eventType="worker.event", payload={"b": 1, "a": None}, occurredAt="t")

    assert list(encode(envelope)) == [
        *("workerId", "seq", "eventType", "payload", "occurredAt", "actor", "xRequestId", "eventId")
    ]
    assert json.dumps(encode(envelope)) == json.dumps(msgspec.to_builtins(envelope))


def test_messages_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        AppendEvent(event_type="worker.event").event_type = "other"  # type: ignore[misc]


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="NoSuchMessage"):
        _ = contract.NoSuchMessage


def test_every_exported_name_loads() -> None:
    for name in contract.__all__:
        assert getattr(contract, name) is not None


def test_only_the_standard_library_is_needed() -> None:
    program = (
        "import sys\n"
        "from autopilot import contract\n"
        "for name in contract.__all__: getattr(contract, name)\n"
        "print([m for m in sys.modules if m.split('.')[0] in {'msgspec', 'google', 'httpx2', 'asyncpg'}])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

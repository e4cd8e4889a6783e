"""The pure decoder, its errors, and how little it takes to import it. (The vectors hold it to msgspec.)"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError

import msgspec
import pytest

from autopilot import contract
from autopilot.contract import AppendBody, AppendEvent, DecodeError, Envelope, decode, encode


def test_the_error_names_the_path() -> None:
    with pytest.raises(DecodeError) as error:
        decode(AppendBody, {"events": [{"event_type": "worker.event"}, {"event_type": None}]})

    assert error.value.path == "$.events[1].event_type"


def test_unknown_keys_are_ignored() -> None:
    assert decode(AppendEvent, {"event_type": "worker.event", "later": 1}) == AppendEvent(event_type="worker.event")


def test_an_envelope_is_encoded_in_the_order_of_the_contract() -> None:
    envelope = Envelope(workerId="w", seq=1, eventType="worker.event", payload={"b": 1, "a": None}, occurredAt="t")

    assert list(encode(envelope)) == [
        *("workerId", "seq", "eventType", "payload", "occurredAt", "actor", "xRequestId", "eventId", "teamId")
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


def test_importing_the_contract_loads_no_message_until_one_is_used() -> None:
    program = (
        "import sys\n"
        "from autopilot import contract\n"
        "def loaded(): return sorted(m for m in sys.modules if m.startswith('autopilot.contract._generated.'))\n"
        "assert loaded() == [], loaded()\n"
        "contract.StopWorker\n"
        "assert 'autopilot.contract._generated.approval' not in loaded()\n"
    )

    subprocess.run([sys.executable, "-c", program], check=True)


def test_only_the_standard_library_is_needed() -> None:
    program = (
        "import sys\n"
        "from autopilot import contract\n"
        "for name in contract.__all__: getattr(contract, name)\n"
        "print([m for m in sys.modules if m.split('.')[0] in {'msgspec', 'google', 'httpx2', 'asyncpg'}])"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

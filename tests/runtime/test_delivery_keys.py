"""Sealing what must reach Codex exactly (docs/protocol.md, "Correlation and redaction")."""

from __future__ import annotations

import pytest

from autopilot.runtime.delivery import DeliveryKeys, SealBroken, Target

WORKER = Target("worker", "desktopw:1")
PARAMS = b'{"input":[{"type":"text","text":"password=hunter2"}]}'


def test_what_was_sealed_opens_as_the_same_bytes_and_never_looks_like_them() -> None:
    keys = DeliveryKeys(bytes(32))

    key_id, sealed = keys.seal(WORKER, "r1", PARAMS)

    assert b"hunter2" not in sealed
    assert keys.open(WORKER, "r1", key_id, sealed) == PARAMS


def test_the_same_params_never_seal_to_the_same_bytes() -> None:
    keys = DeliveryKeys(bytes(32))

    assert keys.seal(WORKER, "r1", PARAMS) != keys.seal(WORKER, "r1", PARAMS)


@pytest.mark.parametrize(
    ("target", "request_id"),
    [(WORKER, "r2"), (Target("worker", "desktopw:2"), "r1"), (Target("machine", "desktopw:1"), "r1")],
)
def test_a_row_moved_to_another_request_does_not_open(target: Target, request_id: str) -> None:
    keys = DeliveryKeys(bytes(32))
    key_id, sealed = keys.seal(WORKER, "r1", PARAMS)

    with pytest.raises(SealBroken):
        keys.open(target, request_id, key_id, sealed)


def test_after_a_rotation_the_first_key_seals_and_every_key_opens() -> None:
    old, new = bytes(32), b"\x01" * 32
    key_id, sealed = DeliveryKeys(old).seal(WORKER, "r1", PARAMS)
    rotated = DeliveryKeys(new, old)

    assert rotated.current == DeliveryKeys(new).current != key_id
    assert rotated.open(WORKER, "r1", key_id, sealed) == PARAMS
    with pytest.raises(SealBroken):
        DeliveryKeys(new).open(WORKER, "r1", key_id, sealed)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        DeliveryKeys(bytes(16))

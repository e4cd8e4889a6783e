"""runtime-contract.md: a call that was changed, replayed late or signed by a stranger is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autopilot.contract.errors import Unauthorized
from autopilot.ops.signature import CLOCK_SKEW_SECONDS, LIFETIME_SECONDS, SigningKey, sign, verify

NOW = datetime(2026, 11, 22, 7, 16, tzinfo=UTC)
OLD, NEW = SigningKey("k1", b"a" * 32), SigningKey("k2", b"b" * 32)
KEYS = {key.key_id: key.secret for key in (OLD, NEW)}
CALL: dict[str, Any] = {
    "method": "POST",
    "target": "/internal/v1/codex/workers/desktopw%3A1/events?wait_ms=5",
    "body": b'{"event":{}}',
    "claims": "eyJ1c2VyX2lkIjoxfQ",
}


def test_a_signed_call_is_known_by_key_and_nonce() -> None:
    header = sign(NEW, **CALL, now=NOW, nonce="0" * 32)

    verified = verify(header, KEYS, **CALL, now=NOW)

    assert (verified.key_id, verified.nonce) == ("k2", "0" * 32)
    assert verified.expires_at == NOW + timedelta(seconds=LIFETIME_SECONDS + CLOCK_SKEW_SECONDS)


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("method", "GET"),
        ("target", "/internal/v1/codex/workers/desktopw%3A1/events?wait_ms=6"),
        ("target", "/internal/v1/codex/workers/desktopw:1/events?wait_ms=5"),
        ("body", b'{"event":{} }'),
        ("claims", "eyJ1c2VyX2lkIjoyfQ"),
    ],
)
def test_nothing_that_was_signed_may_differ(part: str, other: object) -> None:
    header = sign(OLD, **CALL, now=NOW)

    with pytest.raises(Unauthorized) as refused:
        verify(header, KEYS, **{**CALL, part: other}, now=NOW)

    assert refused.value.reason_code == "signature_wrong"


@pytest.mark.parametrize(
    ("what", "replacement"), [("key=k1", "key=k2"), ("nonce=0", "nonce=1"), ("expires=1", "expires=2")]
)
def test_neither_may_what_the_header_says_of_itself(what: str, replacement: str) -> None:
    header = sign(OLD, **CALL, now=NOW, nonce="0" * 32)

    with pytest.raises(Unauthorized) as refused:
        verify(header.replace(what, replacement), KEYS, **CALL, now=NOW)

    assert refused.value.reason_code == "signature_wrong"


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (LIFETIME_SECONDS + CLOCK_SKEW_SECONDS, "signature_expired"),
        (LIFETIME_SECONDS + CLOCK_SKEW_SECONDS - 1, None),
        (-CLOCK_SKEW_SECONDS, None),
        (-CLOCK_SKEW_SECONDS - 1, "signature_expired"),
    ],
)
def test_a_signature_is_good_for_a_minute_give_or_take_the_clocks(seconds: int, reason: str | None) -> None:
    header = sign(OLD, **CALL, now=NOW)
    then = NOW + timedelta(seconds=seconds)

    if reason is None:
        assert verify(header, KEYS, **CALL, now=then).key_id == "k1"
    else:
        with pytest.raises(Unauthorized) as refused:
            verify(header, KEYS, **CALL, now=then)
        assert refused.value.reason_code == reason


def test_a_key_that_was_taken_away_opens_nothing() -> None:
    with pytest.raises(Unauthorized) as refused:
        verify(sign(OLD, **CALL, now=NOW), {"k2": NEW.secret}, **CALL, now=NOW)

    assert refused.value.reason_code == "signature_unknown_key"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "signature_missing"),
        ("", "signature_missing"),
        ("v1", "signature_malformed"),
        (f"v1 key=k1 expires={'9' * 40} nonce={'0' * 32} mac={'0' * 64}", "signature_malformed"),
        (f"v1 key=k1 expires=9999999999 nonce={'0' * 32} mac={'0' * 64}\n", "signature_malformed"),
        (f"v1 key=k1 expires=٣ nonce={'0' * 32} mac={'0' * 64}", "signature_malformed"),
    ],
)
def test_what_is_no_signature_is_refused(header: str | None, reason: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        verify(header, KEYS, **CALL, now=NOW)

    assert refused.value.reason_code == reason


def test_a_line_break_can_not_move_one_part_into_the_next() -> None:
    with pytest.raises(Unauthorized):
        sign(OLD, **{**CALL, "target": "/a\nb"}, now=NOW)


def test_a_key_does_not_print_its_secret() -> None:
    assert "aaaa" not in repr(OLD)

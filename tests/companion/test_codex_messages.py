"""Odd words of Codex's are read for what they can mean, and end nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from autopilot.companion.codex import messages, translate

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("milliseconds", [10**15, 10**30, -(10**15), 0.5])
def test_a_time_that_no_calendar_has_is_taken_for_now(milliseconds: float) -> None:
    said = messages.decode(b'{"method":"turn/started","params":{"threadId":"t","turnId":"u"}}')
    said = msgspec.structs.replace(said, emittedAtMs=milliseconds)
    event = translate.translate(said, translate.names(said.params), fallback_id="f", now=NOW)

    assert event is not None
    assert (translate.moment(milliseconds) is None) == (b"2026-11-22T12:00:00" in event.payload)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (b'{"code":-32600,"message":"no"}', -32600, "no"),
        (b'{"code":"E_BUSY","message":"not now"}', 0, "not now"),
        (b'{"code":-32600,"message":{"text":"no"}}', -32600, '{"text":"no"}'),
        (b'"no"', 0, '"no"'),
        (b"{}", 0, "an error without words"),
    ],
)
def test_a_refusal_of_whatever_shape_is_a_refusal(error: bytes, code: int, message: str) -> None:
    refused = messages.refusal(msgspec.Raw(error))

    assert (refused.code, refused.message) == (code, message)


@pytest.mark.parametrize("frame", [b'{"id":1,"result":{"a":1},"error":null}', b'{"id":1,"result":{"a":1}}'])
def test_an_answer_whose_error_is_null_has_none(frame: bytes) -> None:
    assert not messages.decode(frame).failed

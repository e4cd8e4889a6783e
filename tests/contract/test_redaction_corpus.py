"""Redaction on a corpus: made-up secrets of many providers' shapes, and what only looks like one."""

from __future__ import annotations

import json

import pytest
from tests.contract.redaction_corpus import NEAR_MISSES, SECRETS

from autopilot.contract.redaction import REDACTED, may_hold_secret, redact, redact_text
from autopilot.contract.redaction_stream import LEAST_CHARACTERS, redact_piece

SURROUNDINGS = ["{}", "export KEY={} && run", "'{}'", '{{"k": "{}"}}', "({})", "line\n{}\nline", "see {}, then", "<{}>"]


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_missed_wherever_it_stands(name: str) -> None:
    secret = SECRETS[name]
    for surrounding in SURROUNDINGS:
        text = surrounding.format(secret)

        assert secret[-8:] not in redact_text(text)
        assert REDACTED in redact_text(text)
        assert may_hold_secret(json.dumps({"text": text}).encode()), "the sieve lets it pass unseen"
        assert redact({"deep": [{"text": text}]}) == {"deep": [{"text": redact_text(text)}]}


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_missed_at_a_border_of_pieces(name: str) -> None:
    secret = SECRETS[name]
    for shift in range(0, len(secret), 5):
        filler = "word " * (LEAST_CHARACTERS // 5)
        text = filler[: LEAST_CHARACTERS - shift] + " " + secret + " end " + filler
        kept, at, inside = "", 0, ""
        while at < len(text):
            last = len(text) - at <= LEAST_CHARACTERS
            piece = redact_piece(text[at : at + LEAST_CHARACTERS], inside=inside, last=last)
            kept, at, inside = kept + piece.text, at + piece.taken, piece.inside

        assert secret[-8:] not in kept


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert redact_text(text) == text

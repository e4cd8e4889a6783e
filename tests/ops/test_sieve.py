"""The sieve over whole bodies: it stops whatever the contract's own sieve stops, and so whatever is redacted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract import test_redaction
from tests.contract.redaction_corpus import NEAR_MISSES, SECRETS

from autopilot.contract import redaction
from autopilot.ops import sieve
from autopilot.ops.sieve import OVERLAP_BYTES, WINDOW_BYTES, may_hold_secret

TELLING = test_redaction.telling
PIECES = st.sampled_from([piece.decode() for piece in redaction.PIECES])
CASES = st.sampled_from([str, str.upper, str.lower, str.title, str.swapcase])
LETTERS = st.text(alphabet="aAkKsSiIpPeEyY-_.\\u0\u212a\u0130é", max_size=8)
TEXTS = st.lists(st.one_of(LETTERS, st.builds(lambda piece, case: case(piece), PIECES, CASES)), max_size=6).map("".join)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES | TELLING, st.booleans())
def test_what_it_lets_pass_the_contracts_sieve_lets_pass_too_and_nothing_of_it_is_redacted(value, ascii_only):
    raw = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    if not may_hold_secret(raw):
        assert not redaction.may_hold_secret(raw)
        assert redaction.redact(value) is value


@given(st.binary(max_size=60))
def test_so_it_is_with_any_bytes(raw):
    assert may_hold_secret(raw) or not redaction.may_hold_secret(raw)


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_of_the_corpus_passes_whatever_stands_around_it(name):
    for padding in (0, 100, WINDOW_BYTES - len(SECRETS[name]) // 2, 3 * WINDOW_BYTES):
        assert may_hold_secret(json.dumps({"pad": "." * padding, "text": f"see {SECRETS[name]}, then"}).encode())


@pytest.mark.parametrize("piece", redaction.PIECES)
def test_no_piece_is_missed_at_a_border_of_windows(piece):
    for place in range(WINDOW_BYTES - OVERLAP_BYTES - 2, WINDOW_BYTES + 2):
        assert may_hold_secret(b"." * place + piece.upper() + b".")


def test_an_escape_is_never_let_pass_since_it_may_spell_anything():
    assert may_hold_secret(rb'{"a":"\u0070assword"}')
    assert not may_hold_secret(rb'{"a":"a \n line"}')


@pytest.mark.parametrize("key", ["api_\u212aey", "To\u212aEN", "coo\u212aie"])
def test_a_key_written_with_the_one_sign_that_folds_to_ascii_is_stopped_by_both(key):
    raw = json.dumps({key: "hunter2"}, ensure_ascii=False).encode()

    assert may_hold_secret(raw)
    assert redaction.may_hold_secret(raw)
    assert redaction.redact({key: "hunter2"}) == {key: redaction.REDACTED}


def test_few_ordinary_words_are_stopped():
    stopped = [text for text in NEAR_MISSES if sieve.may_hold_secret(text.encode())]

    assert len(stopped) <= sum(redaction.may_hold_secret(text.encode()) for text in NEAR_MISSES)

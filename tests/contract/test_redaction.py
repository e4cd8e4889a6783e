from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.contract import redaction
from autopilot.contract.redaction import REDACTED, is_secret_key, may_hold_secret, redact, redact_text

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r"
SECRETS = [
    JWT,
    "sk-" + "aB3" * 10,
    "sk-proj-" + "aB3_" * 10,
    "sk-ant-api03-" + "x" * 30,
    "ghp_" + "a1" * 18,
    "github_pat_" + "a1" * 20,
    "glpat-" + "a1" * 10,
    "xoxb-1234567890-abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "AIza" + "b" * 35,
    "hf_" + "c" * 30,
    "npm_" + "d" * 36,
]
KEYS = [
    "authorization",
    "Authorization",
    "access_token",
    "refreshToken",
    "X-Api-Key",
    "api key",
    "client_secret",
    "PASSWORD",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@st.composite
def keys(draw: st.DrawFn) -> str:
    """The end of a telling key, in any case, with separators and what folds to a letter anywhere in it."""
    of_letter = {"k": "kK\u212a", "i": "iI\u0130\u0131", "s": "sS\u017f"}
    word = [draw(st.sampled_from(of_letter.get(letter, letter + letter.upper()))) for letter in draw(suffixes)]
    for at in draw(st.lists(st.integers(0, len(word)), max_size=3)):
        word.insert(at, draw(st.sampled_from(["_", "-", ".", " ", '"', "\\", "\u00b7", "\u0130", "a"])))
    return draw(st.text(max_size=3)) + "".join(word)


suffixes = st.sampled_from(redaction.SECRET_SUFFIXES)
texts = st.from_regex(redaction._SECRET) | st.text() | st.sampled_from(SECRETS)
telling = texts | st.dictionaries(keys(), st.just("hunter2"), min_size=1, max_size=2)


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_inside_words_is_taken_out(secret):
    assert redact_text(f"before {secret} after") == f"before {REDACTED} after"


def test_a_bearer_token_keeps_its_scheme():
    assert redact_text("Authorization: Bearer abc.def-123==") == f"Authorization: Bearer {REDACTED}"


def test_a_private_key_is_taken_out_whole():
    pem = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"

    assert redact_text(f"x {pem} y") == f"x {REDACTED} y"


@pytest.mark.parametrize("key", KEYS)
def test_a_telling_key_hides_its_value_and_keeps_its_shape(key):
    assert redact({key: "v"}) == {key: REDACTED}
    assert redact({key: {"a": ["v", 1, None, True, ""]}}) == {key: {"a": [REDACTED, REDACTED, None, True, ""]}}


def test_counts_of_tokens_are_no_tokens():
    usage = {"totalTokens": 7, "input_tokens": 5, "maxOutputTokens": 10, "tokenUsage": {"last": {"outputTokens": 2}}}

    assert redact(usage) is usage
    assert redact({"totalTokens": "secret"}) == {"totalTokens": REDACTED}


@pytest.mark.parametrize(
    "key", ["tokenizer", "keyboard", "passenger", "secretary", "threadId", "contentTokenCount", "next"]
)
def test_ordinary_keys_are_not_telling(key):
    assert not is_secret_key(key)


@given(values)
def test_redaction_is_idempotent_and_keeps_keys_order_and_shape(value):
    once = redact(value)

    assert redact(once) == once
    assert shape(once) == shape(value)


@given(values)
def test_what_the_sieve_lets_pass_holds_nothing_to_redact(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        raw = text.encode("utf-8", "surrogatepass")
        assert may_hold_secret(raw) or redact(value) is value


@given(telling)
def test_nor_does_what_is_all_but_a_secret(value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        raw = text.encode("utf-8", "surrogatepass")
        assert may_hold_secret(raw) or redact(value) is value


@pytest.mark.parametrize("suffix", redaction.SECRET_SUFFIXES)
def test_each_end_of_a_telling_key_is_one_and_tells_the_sieve(suffix):
    for key in (suffix, suffix.upper(), f"x-{suffix}", f"x{suffix}_", f"x.{suffix.title()}"):
        assert is_secret_key(key)
        assert may_hold_secret(json.dumps({key: "v"}).encode())


@pytest.mark.parametrize("key", ["to_ken", "k.ey", "sec-ret", "p assword", "author_ization"])
def test_a_word_that_is_broken_in_itself_is_none_to_the_rule_nor_to_the_sieve(key):
    assert not is_secret_key(key)
    assert not may_hold_secret(json.dumps({key: "v"}).encode())


@given(values, st.sampled_from(SECRETS), st.sampled_from(["inside", "key"]))
def test_a_planted_secret_is_always_found(value, secret, where):
    planted = {"deep": [{"x": value, ("note" if where == "inside" else "apiKey"): f"is {secret} ok"}]}
    raw = json.dumps(planted).encode()

    assert may_hold_secret(raw)
    assert secret not in json.dumps(redact(planted))


@given(st.sampled_from(SECRETS))
def test_the_sieve_sees_through_escapes(secret):
    escaped = "".join(f"\\u{ord(character):04x}" for character in secret)

    assert may_hold_secret(f'{{"a":"{escaped}"}}'.encode())


def shape(value):
    """The value with every leaf forgotten."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return None

"""A text in pieces is redacted as the whole of it is, wherever the borders fall."""

from __future__ import annotations

import random

import pytest

from autopilot.contract.redaction import REDACTED, redact_text
from autopilot.contract.redaction_stream import LEAST_CHARACTERS, redact_piece

KEY_BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\ndef ghi\n-----END RSA PRIVATE KEY-----"
SECRETS = [
    "sk-" + "a1" * 14,
    "Bearer abcdef.ghi-jkl",
    "bearer \n\n  tok123456",
    "eyJhbGciOi.eyJzdWIiOi.sig-_",
    "ghp_" + "A" * 36,
    "AKIA" + "Z9" * 8,
    "xoxb-1234567890-abc",
    KEY_BLOCK,
]
PLAIN = ["hello", "foo.bar", "x", "ünïcode", "日本語", "a/b/c", "1234", "-----BEGIN", "Bearer"]
BETWEEN = [" ", "\n", ", ", '"', "\t", "; ", "\r\n"]


def text_of(rng: random.Random, size: int) -> str:
    words: list[str] = []
    while sum(map(len, words)) < size:
        more = [rng.choice(SECRETS if rng.random() < 0.02 else PLAIN) + rng.choice(BETWEEN) for _ in range(500)]
        words += more
    return "".join(words)


def in_pieces(text: str, sizes: list[int], *, is_json: bool = False) -> str:
    """Hand it in as an executor does: each piece begins where the one before was taken to."""
    kept: list[str] = []
    at, inside = 0, ""
    while at < len(text):
        size = sizes.pop(0) if sizes else len(text)
        last = at + size >= len(text)
        piece = redact_piece(text[at : at + size], inside=inside, last=last, is_json=is_json)
        assert 0 < piece.taken <= size
        kept.append(piece.text)
        at, inside = at + piece.taken, piece.inside
    return "".join(kept)


@pytest.mark.seeds(10, 500)
def test_pieces_are_redacted_as_the_whole_is(seed: int) -> None:
    rng = random.Random(seed)
    text = text_of(rng, 200_000)

    assert in_pieces(text, [rng.randint(LEAST_CHARACTERS, 60_000) for _ in range(20)]) == redact_text(text)


@pytest.mark.parametrize("at", range(LEAST_CHARACTERS - 60, LEAST_CHARACTERS + 10, 7))
def test_not_even_an_endless_run_hides_a_secret(at: int) -> None:
    secret = "sk-" + "a1" * 14
    text = f"{'0' * at}+{secret}+{'0' * 40_000}"

    assert secret[:20] not in in_pieces(text, [LEAST_CHARACTERS])


def test_of_a_key_and_of_a_token_of_many_pieces_nothing_is_kept() -> None:
    key = KEY_BLOCK.replace("MIIabc", "MIIabc\n" * 20_000)
    token = "sk-" + "z9" * 60_000

    assert in_pieces(f"a\n{key}\nb", [LEAST_CHARACTERS] * 20) == f"a\n{REDACTED}\nb"
    assert in_pieces(f"a\n{token}\nb", [LEAST_CHARACTERS] * 20) == f"a\n{REDACTED}\nb"


@pytest.mark.parametrize("length", [20, 100_000])
def test_of_json_the_values_of_secret_keys_go(length: int) -> None:
    text = f'{{"n":[{"1," * 16_300}1],"pass_word":"{"p, q" * length}","more":"{"m " * 20_000}"}}'

    redacted = in_pieces(text, [LEAST_CHARACTERS * 2] * 20, is_json=True)

    assert redacted == text.replace("p, q" * length, REDACTED)


@pytest.mark.parametrize("key", ["\\u0074oken", "api\\u005fkey", "to\\u006ben\\n", "a\\\\token"])
def test_an_escape_hides_no_key_of_json(key: str) -> None:
    assert in_pieces(f'{{"{key}":"hunter2","more":1}}', [], is_json=True) == f'{{"{key}":"{REDACTED}","more":1}}'

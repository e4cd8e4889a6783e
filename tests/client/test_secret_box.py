"""Sealed records: the construction by known answers, and that whatever was touched does not open."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.client.secret_box import KEY_BYTES, OVERHEAD_BYTES, PIECE_BYTES, SecretBox, Unreadable

KEY = bytes(range(32))
NONCE = bytes(range(100, 124))
CONTEXT = ("https://a.example", "7", "timeline", "w-1")
ANSWER_EMPTY = (
    "016465666768696a6b6c6d6e6f707172737475767778797a7bbe2e882840b9273a0bd7a67e6b9a38951614eded52c1ced4fbe8affbef5c595f"
)
ANSWER_SHORT = (
    "016465666768696a6b6c6d6e6f707172737475767778797a7b162f48b0786d7bd438c792fefe87afad310a8dc56bbbe770bc"
    "5983c8e83095cf1cecd09b7b2da2e9ab558a7f30fe"
)
ANSWER_LONG = "218408887485c77a11ae08941999c411b6c36c53453ac686651b5b41d0dfaa9c"
ANSWER_NAME = "e9a5c8ef15362bcda056cdee59a6a872"
TEXTS = st.one_of(
    st.binary(max_size=200),
    st.integers(PIECE_BYTES - 2, 2 * PIECE_BYTES + 2).map(lambda size: (b"text" * (size // 4 + 1))[:size]),
)


def by_the_book(plain, context):
    """The construction once more, from decision 0029, a byte at a time."""
    derive = lambda person: hashlib.blake2b(key=KEY, person=person, digest_size=32).digest()  # noqa: E731 - reads as a formula
    stream = b"".join(
        hashlib.shake_256(derive(b"autopilot-stream") + bytes(104) + NONCE + n.to_bytes(8, "little")).digest(65536)
        for n in range(len(plain) // 65536 + 1)
    )
    hidden = bytes(one ^ other for one, other in zip(plain, stream, strict=False))
    encoded = [part.encode() for part in context]
    frame = b"".join(n.to_bytes(4, "little") for n in [len(encoded), *map(len, encoded)]) + b"".join(encoded)
    tagged = b"\x01" + frame + NONCE + hidden
    tag = hashlib.blake2b(tagged, key=derive(b"autopilot-tag"), digest_size=32).digest()
    return b"\x01" + NONCE + tag + hidden


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 200_000])
def test_it_is_what_the_decision_says(size):
    plain = (b"The quick brown fox. " * (size // 21 + 1))[:size]

    assert SecretBox(KEY)._sealed(plain, NONCE, CONTEXT) == by_the_book(plain, CONTEXT)


def test_known_answers_stay_so_that_a_new_version_of_the_app_opens_what_the_old_one_sealed():
    box = SecretBox(KEY)

    assert box._sealed(b"", NONCE, ()).hex() == ANSWER_EMPTY
    assert box._sealed(b"attack at dawn", NONCE, CONTEXT).hex() == ANSWER_SHORT
    assert hashlib.sha256(box._sealed(b"a" * 100_000, NONCE, CONTEXT)).hexdigest() == ANSWER_LONG
    assert box.name(*CONTEXT).hex() == ANSWER_NAME


@given(TEXTS, st.lists(st.text(max_size=20), max_size=4))
def test_what_was_sealed_opens_again(plain, context):
    box = SecretBox(KEY)
    sealed = box.seal(plain, *context)

    assert len(sealed) == len(plain) + OVERHEAD_BYTES
    assert SecretBox(KEY).open(sealed, *context) == plain


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_single_changed_bit_is_seen_wherever_it_is(plain, data):
    box = SecretBox(KEY)
    sealed = bytearray(box.seal(plain, *CONTEXT))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8

    with pytest.raises(Unreadable):
        box.open(bytes(sealed), *CONTEXT)


def test_what_was_cut_or_grew_is_seen():
    box = SecretBox(KEY)
    sealed = box.seal(b"some text", *CONTEXT)

    for other in (*(sealed[:size] for size in range(len(sealed))), sealed + b"\0", b"\0" + sealed, sealed + sealed):
        with pytest.raises(Unreadable):
            box.open(other, *CONTEXT)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_a_record_opens_in_its_own_place_only(own, other):
    box = SecretBox(KEY)
    sealed = box.seal(b"x", *own)

    if own == other:
        assert box.open(sealed, *other) == b"x"
    else:
        with pytest.raises(Unreadable):
            box.open(sealed, *other)
        assert box.name(*own) != box.name(*other)


def test_names_that_only_look_alike_when_joined_are_different_places():
    box = SecretBox(KEY)
    sealed = box.seal(b"x", "ab", "c")

    for context in (("a", "bc"), ("abc",), ("ab", "c", ""), ("ab",), ()):
        with pytest.raises(Unreadable):
            box.open(sealed, *context)


def test_parts_of_two_records_don_t_make_a_third():
    box = SecretBox(KEY)
    one, other = box.seal(b"first text", *CONTEXT), box.seal(b"other text", *CONTEXT)

    for cut in (13, 25, 57, 60):
        with pytest.raises(Unreadable):
            box.open(one[:cut] + other[cut:], *CONTEXT)


@pytest.mark.parametrize("bit", [0, 7, 128, 255])
def test_a_key_that_differs_in_one_bit_opens_nothing(bit):
    key = bytearray(KEY)
    key[bit // 8] ^= 1 << bit % 8
    sealed = SecretBox(KEY).seal(b"x", *CONTEXT)

    with pytest.raises(Unreadable):
        SecretBox(bytes(key)).open(sealed, *CONTEXT)


def test_the_same_text_never_looks_the_same_twice():
    box = SecretBox(KEY)
    sealed = {box.seal(b"", *CONTEXT) for _ in range(1000)} | {box.seal(b"the same", *CONTEXT) for _ in range(1000)}

    assert len(sealed) == len({one[1:25] for one in sealed}) == 2000


def test_the_stream_of_one_piece_is_not_that_of_the_next():
    zeros = SecretBox(KEY)._sealed(bytes(3 * PIECE_BYTES), NONCE, ())[OVERHEAD_BYTES:]
    pieces = [zeros[start : start + PIECE_BYTES] for start in range(0, len(zeros), PIECE_BYTES)]

    assert len(set(pieces)) == 3


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_key_of_another_size_is_refused(size):
    with pytest.raises(ValueError, match=str(KEY_BYTES)):
        SecretBox(bytes(size))


def test_a_box_shows_nobody_its_key():
    assert repr(SecretBox(KEY)) == "SecretBox(****)"

"""The words of a pairing, and what is no pairing any more: pure."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from autopilot.client.pairing import Seen, app_link, web_link
from autopilot.client.pairing_words import WORDS, PairingTampered, commitment_of, fresh_nonce, words_of
from autopilot.contract import Pairing, PairingDevice

NONCE, OTHER = "01" * 32, "02" * 32
PAIRING = Pairing(
    pairing_id="pair_1",
    way="offer",
    kind="device",
    state="compared",
    expires_at="2026-11-22T07:16:00.123456Z",
    device=PairingDevice(device_name="Adas Gerät"),
    commitment=commitment_of(NONCE),
    claimer_nonce=OTHER,
    starter_nonce=NONCE,
    wrong_codes=0,
    contested=False,
)


def test_there_are_256_words_that_nobody_confuses_with_another():
    assert len(set(WORDS)) == len(WORDS) == 256
    assert all(word.isalpha() and word.islower() and 3 <= len(word) <= 8 for word in WORDS)


def test_the_words_are_those_of_the_protocol():
    said = ["autopilot pairing 1", "pair_1", "offer", "device", commitment_of(NONCE), OTHER, NONCE, "Adas Gerät"]
    raw = b"".join(len(text.encode()).to_bytes(4, "big") + text.encode() for text in [*said, "", "", "", ""])
    assert words_of(PAIRING) == tuple(WORDS[byte] for byte in hashlib.sha256(raw).digest()[:4])


@pytest.mark.parametrize(
    "other",
    [
        {"claimer_nonce": "03" * 32},
        {"pairing_id": "pair_2"},
        {"way": "request"},
        {"kind": "machine"},
        {"device": PairingDevice(device_name="Eves Gerät")},
        {"device": PairingDevice(device_name="Adas Gerät", machine_id="m")},
        {"device": PairingDevice(device_name="Adas Gerät", public_key="ab" * 32)},
        {"starter_nonce": OTHER, "commitment": commitment_of(OTHER)},
    ],
)
def test_whatever_differs_makes_other_words(other: dict[str, object]):
    assert words_of(replace(PAIRING, **other)) != words_of(PAIRING)


def test_there_are_no_words_before_both_nonces_and_none_for_a_broken_commitment():
    assert words_of(replace(PAIRING, starter_nonce=None)) is None
    assert words_of(replace(PAIRING, claimer_nonce=None)) is None
    with pytest.raises(PairingTampered):
        words_of(replace(PAIRING, starter_nonce=OTHER))


@pytest.mark.parametrize(
    "other",
    [
        {"claimer_nonce": "03" * 32},
        {"commitment": commitment_of(OTHER)},
        {"pairing_id": "pair_2"},
        {"device": PairingDevice(device_name="Eves Gerät")},
    ],
)
@pytest.mark.parametrize("is_starter", [True, False])
def test_a_server_that_says_something_else_than_before_gets_no_words_shown(
    *, is_starter: bool, other: dict[str, object]
):
    seen = Seen(NONCE if is_starter else OTHER, is_starter)
    early = replace(PAIRING, state="answered", starter_nonce=None)
    assert seen.check(early) == early
    with pytest.raises(PairingTampered):
        seen.check(replace(PAIRING, **other))
    assert seen.check(PAIRING) == PAIRING


@pytest.mark.parametrize(
    ("is_starter", "unfixed"),
    [(True, {"claimer_nonce": None}), (True, {"device": None}), (False, {"device": None})],
)
def test_no_side_says_its_nonce_before_the_rest_of_the_words_is_fixed(*, is_starter: bool, unfixed: dict[str, object]):
    seen = Seen(NONCE if is_starter else OTHER, is_starter)
    turn = replace(PAIRING, state="answered" if is_starter else "claimed", starter_nonce=None)
    assert seen.is_turn(turn)
    with pytest.raises(PairingTampered):
        seen.is_turn(replace(turn, **unfixed))


def test_what_is_to_be_let_in_knows_its_own_name():
    seen = Seen(OTHER, False, PairingDevice(device_name="Adas Gerät", machine_id="m"))
    with pytest.raises(PairingTampered):
        seen.check(PAIRING)


def test_a_link_carries_its_secret_where_it_reaches_no_server():
    for link in (app_link("https://a.example:8443/x", "appair_s"), web_link("https://a.example:8443/x/", "appair_s")):
        before, _, fragment = link.partition("#")
        assert (fragment, "appair" in before) == ("appair_s", False)


def test_a_nonce_is_fresh():
    assert len({fresh_nonce() for _ in range(8)}) == 8

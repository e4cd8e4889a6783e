"""A device's own Ed25519 is RFC 8032's, and what `cryptography` takes for good."""

from __future__ import annotations

import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from autopilot.client import ed25519

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("seed", "public", "message", "signature"), RFC_8032)
def test_it_is_rfc_8032_where_nothing_hedges_it(seed: str, public: str, message: str, signature: str) -> None:
    assert ed25519.public_key(bytes.fromhex(seed)).hex() == public
    assert ed25519.sign_plainly(bytes.fromhex(seed), bytes.fromhex(message), b"").hex() == signature


def test_the_plain_form_is_taken_for_good_and_never_the_same_twice() -> None:
    chance = random.Random(8032)
    for _ in range(20):
        seed, message = chance.randbytes(32), chance.randbytes(chance.randrange(200))
        made = {ed25519.sign_plainly(seed, message, chance.randbytes(32)) for _ in range(2)}
        assert len(made) == 2
        key = Ed25519PublicKey.from_public_bytes(ed25519.public_key(seed))
        for signature in (*made, ed25519.sign(seed, message)):
            key.verify(signature, message)


def test_a_phone_without_the_library_signs_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ed25519, "_library", lambda: None)
    seed = ed25519.new_seed()

    Ed25519PublicKey.from_public_bytes(ed25519.public_key(seed)).verify(ed25519.sign(seed, b"a write"), b"a write")

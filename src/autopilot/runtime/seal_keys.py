"""The keys that sign seals: Ed25519, outside the database.

One key signs; the public halves of those before it go on verifying what they signed. Whoever can write to the database
but has not the key can't make a seal. Never reads files: the command line does (cli/keys.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_ID_LENGTH = 16
SIGNATURE_BYTES = 64


class PublicKeys:
    """Keys that a seal may have been signed with."""

    def __init__(self, raw: Iterable[bytes]) -> None:
        """Public keys of 32 bytes. Raises ValueError: one is no such key."""
        self._keys = {key_id_of(key): Ed25519PublicKey.from_public_bytes(key) for key in raw}

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    def verifies(self, key_id: str, signature: bytes, message: bytes) -> bool:
        """Whether the key of this id, which must be among ours, signed the message."""
        key = self._keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class SealKey:
    """The key that signs."""

    def __init__(self, seed: bytes) -> None:
        """A secret of 32 bytes. Raises ValueError: it has another length."""
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.key_id = key_id_of(self.public)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)


def key_id_of(public: bytes) -> str:
    """What a seal calls the key it was signed with."""
    return hashlib.sha256(b"autopilot seal key id\x00" + public).hexdigest()[:KEY_ID_LENGTH]

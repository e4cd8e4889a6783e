"""Authenticated encryption of records at rest, with what the standard library has (docs/decisions/0029).

Encrypt-then-MAC: a stream of SHAKE-256 under a fresh nonce, and a tag of keyed BLAKE2b over context, nonce and
ciphertext, with separate keys derived from one. Relies on a key of 32 random bytes and on `secrets`. Works in pieces,
so that no single step holds the interpreter for long. Never reads or writes anything by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable

KEY_BYTES = 32
NONCE_BYTES = 24
TAG_BYTES = 32
VERSION = b"\x01"
OVERHEAD_BYTES = len(VERSION) + NONCE_BYTES + TAG_BYTES
PIECE_BYTES = 1 << 16
"""So much of the stream is made at once: a fraction of a millisecond."""
_SHAKE_RATE_BYTES = 136


class Unreadable(ValueError):
    """Not sealed with this key, for this context, or not whole any more. One error: who tampers learns no more."""


class SecretBox:
    """Seals records under one key. A record opens only in the very context (names of any kind) it was sealed in."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        stream_key = _derived(key, b"autopilot-stream")
        self._stream_start = stream_key.ljust(_SHAKE_RATE_BYTES, b"\0")  # a block of its own, as KMAC has it
        self._tag_key = _derived(key, b"autopilot-tag")
        self._name_key = _derived(key, b"autopilot-name")

    def __repr__(self) -> str:
        return "SecretBox(****)"

    def seal(self, plain: bytes, *context: str) -> bytes:
        """`plain`, so that nobody without the key reads it, changes it, or puts it elsewhere unnoticed."""
        return self._sealed(plain, secrets.token_bytes(NONCE_BYTES), context)

    def open(self, sealed: bytes, *context: str) -> bytes:
        """What was sealed.

        Raises:
            Unreadable: with another key or context, or it was changed or cut.
        """
        if len(sealed) < OVERHEAD_BYTES or sealed[: len(VERSION)] != VERSION:
            raise Unreadable("no sealed record")
        nonce, tag = (
            sealed[len(VERSION) : len(VERSION) + NONCE_BYTES],
            sealed[OVERHEAD_BYTES - TAG_BYTES : OVERHEAD_BYTES],
        )
        hidden = sealed[OVERHEAD_BYTES:]
        if not hmac.compare_digest(tag, self._tag(nonce, hidden, context)):
            raise Unreadable("not sealed here, or not whole")
        return self._masked(hidden, nonce)

    def name(self, *parts: str) -> bytes:
        """A name (16 bytes) that says nothing of its parts without the key, and is the same each time."""
        return hashlib.blake2b(_framed(parts), digest_size=16, key=self._name_key).digest()

    def _sealed(self, plain: bytes, nonce: bytes, context: Iterable[str]) -> bytes:
        hidden = self._masked(plain, nonce)
        return b"".join((VERSION, nonce, self._tag(nonce, hidden, context), hidden))

    def _tag(self, nonce: bytes, hidden: bytes, context: Iterable[str]) -> bytes:
        tag = hashlib.blake2b(key=self._tag_key, digest_size=TAG_BYTES)
        for part in (VERSION, _framed(context), nonce, hidden):  # each begins where the one before says that it ends
            tag.update(part)
        return tag.digest()

    def _masked(self, text: bytes, nonce: bytes) -> bytes:
        """`text` XOR the stream of this nonce: both ways the same."""
        view = memoryview(text)
        return b"".join(
            self._masked_piece(view[start : start + PIECE_BYTES], nonce, number)
            for number, start in enumerate(range(0, len(text), PIECE_BYTES))
        )

    def _masked_piece(self, piece: memoryview, nonce: bytes, number: int) -> bytes:
        stream = hashlib.shake_256(self._stream_start + nonce + number.to_bytes(8, "little")).digest(len(piece))
        masked = int.from_bytes(piece, "little") ^ int.from_bytes(stream, "little")
        return masked.to_bytes(len(piece), "little")


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(digest_size=KEY_BYTES, key=key, person=purpose).digest()


def _framed(parts: Iterable[str]) -> bytes:
    """The parts, so that no other parts look the same."""
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    lengths = (len(encoded), *(len(part) for part in encoded))
    return b"".join((*(length.to_bytes(4, "little") for length in lengths), *encoded))

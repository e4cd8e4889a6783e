"""When two contents are the same: a keyed digest of canonical JSON, taken before redaction.

Keyed, because a digest of a secret would let somebody who reads the database guess it. Canonical: keys sorted, no
spaces; numbers as they decode.
"""

from __future__ import annotations

import hashlib

import msgspec

DIGEST_BYTES = 16

_ENCODER = msgspec.json.Encoder(order="sorted")


def digest(key: bytes, *content: object) -> bytes:
    """The digest of decoded JSON values; `key` is at most 64 bytes."""
    return hashlib.blake2b(_ENCODER.encode(content), key=key, digest_size=DIGEST_BYTES).digest()

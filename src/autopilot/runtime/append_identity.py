"""When two contents are the same: a keyed digest of canonical JSON, taken before redaction.

Keyed, because a digest of a secret would let somebody who reads the database guess it. Canonical: keys sorted, no
spaces; numbers as they decode.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Self

import msgspec

from autopilot.runtime.settings import RuntimeSettings

DIGEST_BYTES = 16

_ENCODER = msgspec.json.Encoder(order="sorted")


def digest(key: bytes, *content: object) -> bytes:
    """The digest of decoded JSON values; `key` is at most 64 bytes."""
    return hashlib.blake2b(_ENCODER.encode(content), key=key, digest_size=DIGEST_BYTES).digest()


@dataclass(frozen=True, slots=True)
class Digests:
    """The keys in use: the first makes digests, those of before are only recognized."""

    key: bytes
    older: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, settings: RuntimeSettings) -> Self:
        """Those of the settings."""
        return cls(settings.digest_key, settings.older_digest_keys)

    def make(self, *content: object) -> bytes:
        """The digest to keep."""
        return digest(self.key, *content)

    def made_before(self, *content: object) -> tuple[bytes, ...]:
        """The digests that the same content may have been kept under."""
        return tuple(digest(key, *content) for key in self.older)

    def fits(self, kept: bytes, *content: object) -> bool:
        """Whether `kept` is a digest of this content, by any key."""
        return any(hmac.compare_digest(kept, digest(key, *content)) for key in (self.key, *self.older))

"""When two contents are the same: a keyed digest of canonical JSON, taken before redaction.

Where redaction altered nothing, what is stored is what was sent: no digest is kept then (`AS_STORED`), but one is made
of it when the id comes again, and when retention takes the payload. Keyed, because a digest of a secret would let
somebody who reads the database guess it. Canonical: keys sorted, no spaces; numbers as they decode.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import msgspec

from autopilot.runtime.settings import RuntimeSettings

DIGEST_BYTES = 16
AS_STORED = b""
"""In the place of a digest: the stored payload is the content as it was sent."""

_ENCODER = msgspec.json.Encoder(order="sorted")


def digest(key: bytes, *content: object) -> bytes:
    """The digest of decoded JSON values; `key` is at most 64 bytes."""
    return _digest(key, _ENCODER.encode(content))


def _digest(key: bytes, text: bytes) -> bytes:
    hasher = _keyed(key).copy()
    hasher.update(text)
    return hasher.digest()


@functools.lru_cache
def _keyed(key: bytes) -> hashlib.blake2b:
    """A hasher that has taken in its key, to be copied: that is half the work of a short content."""
    return hashlib.blake2b(key=key, digest_size=DIGEST_BYTES)


@dataclass(frozen=True, slots=True)
class Digests:
    """The keys in use, asked at each: the first makes digests, the others are only recognized."""

    ring: Callable[[], tuple[bytes, ...]]

    @classmethod
    def of(cls, settings: RuntimeSettings) -> Self:
        """Those of the settings."""
        return cls(lambda: settings.keys.digest)

    def make(self, *content: object) -> bytes:
        """The digest to keep."""
        return digest(self.ring()[0], *content)

    def of_stored(self, event_type: str, payload: str) -> bytes:
        """The digest of an event that is stored as it was sent, from the text of its payload.

        Raises:
            ValueError: that is no JSON, so it is not what was stored.
        """
        return self.make(event_type, msgspec.json.decode(payload))

    def fits(self, kept: bytes, *content: object) -> bool:
        """Whether `kept` is a digest of this content, by any key."""
        return any(hmac.compare_digest(kept, digest(key, *content)) for key in self.ring())

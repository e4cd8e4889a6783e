"""When two contents are the same: a keyed digest of canonical JSON, taken before redaction.

Keyed, because a digest of a secret would let somebody who reads the database guess it. Canonical: keys sorted, no
spaces; numbers as they decode.
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

    def held(self) -> Digests:
        """By the keys of this moment, for a whole body: to ask for each event cost a third of an append."""
        ring = self.ring()
        return Digests(lambda: ring)

    def make(self, *content: object) -> bytes:
        """The digest to keep."""
        return digest(self.ring()[0], *content)

    def by_all(self, *content: object) -> tuple[bytes, tuple[bytes, ...]]:
        """The digest to keep, and those that the same content may have been kept under."""
        text = _ENCODER.encode(content)
        made, *others = (_digest(key, text) for key in self.ring())
        return made, tuple(others)

    def fits(self, kept: bytes, *content: object) -> bool:
        """Whether `kept` is a digest of this content, by any key."""
        return any(hmac.compare_digest(kept, digest(key, *content)) for key in self.ring())

"""The arithmetic of tamper evidence: leaves, a log's own chain, and the chain of seals over all logs.

    leaf    one entry of a log: SHA-256 over everything about it that never changes
    state   of a log at a seq: genesis, then SHA-256(state before, leaf), entry by entry
    seal    says what the state of a log was at a seq; its digest covers the digest of the seal before it

Fields are length-prefixed, and each kind of digest begins with a name of its own, so that no two things can have the
same bytes. Pure; knows no database. Source: docs/protocol.md, "Tamper evidence".
"""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime, timedelta

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = bytes(32)
"""What the first seal has in the place of the one before it."""
_MICROSECOND = timedelta(microseconds=1)
_length = struct.Struct(">I").pack
_number = struct.Struct(">q").pack
_NONE = _length(0xFFFF_FFFF)
"""The length of a field that is null."""


def digest_of(kind: str, *fields: bytes | str | int | datetime | None) -> bytes:
    """SHA-256 over the kind's name and the fields, each with its length before it."""
    return hashlib.sha256(written(kind, *fields)).digest()


def written(kind: str, *fields: bytes | str | int | datetime | None) -> bytes:
    """The bytes that a digest or signature of this kind is over."""
    parts = [b"autopilot ", kind.encode(), b" 1\x00"]
    for field in fields:
        if field is None:
            parts.append(_NONE)
        else:
            raw = _raw(field)
            parts += (_length(len(raw)), raw)
    return b"".join(parts)


def _raw(field: bytes | str | int | datetime) -> bytes:
    if isinstance(field, str):
        return field.encode(errors="surrogatepass")
    if isinstance(field, bytes):
        return field
    return _number(field if isinstance(field, int) else (field - EPOCH) // _MICROSECOND)


def genesis(source: str, log_id: str) -> bytes:
    """The state of a log before its first entry."""
    return digest_of("log", source, log_id)


def fold(state: bytes, leaf: bytes) -> bytes:
    """The state after one more entry."""
    return hashlib.sha256(state + leaf).digest()


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the chain, as it is stored."""

    seal_no: int
    source: str
    log_no: int
    log_id: str
    from_seq: int
    to_seq: int
    state: bytes
    sealed_at: datetime
    previous: bytes
    key_id: str
    digest: bytes = b""
    signature: bytes = b""

    def computed(self) -> bytes:
        """The digest it must have."""
        return digest_of(
            "seal",
            self.seal_no,
            self.source,
            self.log_no,
            self.log_id,
            self.from_seq,
            self.to_seq,
            self.state,
            self.sealed_at,
            self.previous,
            self.key_id,
        )


class Head(msgspec.Struct, frozen=True):
    """The latest seal: whoever keeps it notices a chain that was cut back, or made anew."""

    seal_no: int
    digest: bytes


class Floor(msgspec.Struct, frozen=True):
    """Where retention has cut a log off, and the log's state there."""

    floor_seq: int
    state: bytes
    key_id: str
    signature: bytes

    @staticmethod
    def signed(source: str, log_id: str, floor_seq: int, state: bytes) -> bytes:
        """What its signature is over."""
        return written("floor", source, log_id, floor_seq, state)

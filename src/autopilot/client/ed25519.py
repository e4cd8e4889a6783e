"""Ed25519 for a device's own writes (RFC 8032): `cryptography` where it is there, else plain Python, as on a phone.

The plain form takes a few milliseconds a signature, and is not constant in time. Against that: each scalar is used
once (its nonce is hedged with fresh randomness, so that the same message never gives the same one), the same group
operations are done whatever its bits, and an observer has only whole calls over a network to time. Signs, and makes
keys; never verifies. Argued in docs/decisions/0017-signed-writes.md.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

SEED_BYTES = 32

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_BASE_Y = 4 * pow(5, _P - 2, _P) % _P
_BASE_X = 15112221349535400772501151409588531511454012693041857206046113283949847762202

_Point = tuple[int, int, int, int]
"""X, Y, Z, T of extended coordinates: x = X/Z, y = Y/Z, x*y = T/Z."""
_BASE: _Point = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % _P)
_NEUTRAL: _Point = (0, 1, 1, 0)


def new_seed() -> bytes:
    """The secret half of a new key."""
    return secrets.token_bytes(SEED_BYTES)


def public_key(seed: bytes) -> bytes:
    """The public half, 32 bytes."""
    scalar, _ = _expanded(seed)
    return _compressed(_multiplied(scalar))


def sign(seed: bytes, message: bytes) -> bytes:
    """A signature, 64 bytes, by the fastest means at hand."""
    library = _library()
    if library is None:
        return sign_plainly(seed, message, secrets.token_bytes(32))
    made: bytes = library.from_private_bytes(seed).sign(message)
    return made


def sign_plainly(seed: bytes, message: bytes, randomness: bytes) -> bytes:
    """The same in plain Python. `randomness` hedges the nonce; empty, it is RFC 8032 to the letter."""
    scalar, prefix = _expanded(seed)
    public = _compressed(_multiplied(scalar))
    once = _number(prefix + randomness + message)
    commitment = _compressed(_multiplied(once))
    challenge = _number(commitment + public + message)
    return commitment + ((once + challenge * scalar) % _L).to_bytes(32, "little")


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415 - optional: not on a phone
            Ed25519PrivateKey,
        )
    except ImportError:
        return None
    return Ed25519PrivateKey


def _expanded(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & ((1 << 254) - 8) | (1 << 254)
    return scalar, digest[32:]


def _number(message: bytes) -> int:
    return int.from_bytes(hashlib.sha512(message).digest(), "little") % _L


def _added(one: _Point, other: _Point) -> _Point:
    """RFC 8032, 5.1.4: complete, so that doubling is no special case."""
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiplied(scalar: int) -> _Point:
    """The base point so many times: for each of 255 bits one doubling and one addition, used or not."""
    found = _NEUTRAL
    for bit in range(254, -1, -1):
        found = _added(found, found)
        found = (found, _added(found, _BASE))[scalar >> bit & 1]
    return found


def _compressed(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")

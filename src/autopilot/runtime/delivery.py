"""What must reach Codex exactly, kept sealed until its receipt ends.

Owns the ring of keys that rows of the table `delivery` are sealed with (AES-256-GCM; the receipt's identity is bound
in: a row moved to another request does not open). Plain params leave here for a machine's feed only; they are never
logged and never written anywhere else. Source: docs/protocol.md, "Correlation and redaction".
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from autopilot.contract.errors import AutopilotError

KEY_BYTES = 32
_NONCE_BYTES = 12


class SealBroken(AutopilotError):
    """A delivery row that does not open: its key is not in the ring, or the row was altered."""

    code = "seal_broken"


@dataclass(frozen=True, slots=True)
class Target:
    """Who a request is addressed to; with its `request_id`, a receipt's identity."""

    kind: str
    """`worker` or `machine`."""
    id: str


class DeliveryKeys:
    """The key ring: seals with its first key, opens with any of them."""

    def __init__(self, *keys: bytes, ring: Callable[[], tuple[bytes, ...]] | None = None) -> None:
        """Keys of 32 bytes; older ones stay until no open receipt was sealed with them. `ring` says them each time."""
        self._ring = ring or (lambda: keys)
        self._known: tuple[bytes, ...] = ()
        self._by_id: Mapping[str, AESGCM] = {}
        self._ciphers()

    @property
    def current(self) -> str:
        """The id of the key that seals."""
        return next(iter(self._ciphers()))

    def _ciphers(self) -> Mapping[str, AESGCM]:
        ring = self._ring()
        if ring != self._known:
            if any(len(each) != KEY_BYTES for each in ring):
                raise ValueError(f"a delivery key has {KEY_BYTES} bytes")
            self._by_id = {_key_id(each): AESGCM(each) for each in ring}
            self._known = ring
        return self._by_id

    def seal(self, target: Target, request_id: str, params: bytes) -> tuple[str, bytes]:
        """Return key id and ciphertext (nonce first) of a request's exact params."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key_id, cipher = next(iter(self._ciphers().items()))
        return key_id, nonce + cipher.encrypt(nonce, params, _bound_to(target, request_id))

    def open(self, target: Target, request_id: str, key_id: str, ciphertext: bytes) -> bytes:
        """Return the exact params.

        Raises:
            SealBroken: unknown key, or not what was sealed for this request.
        """
        cipher = self._ciphers().get(key_id)
        if cipher is None:
            raise SealBroken("the delivery key of this request is not in the ring", reason_code="unknown_key")
        try:
            return cipher.decrypt(ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:], _bound_to(target, request_id))
        except InvalidTag as error:
            raise SealBroken("a delivery row was altered", reason_code="altered") from error


def _key_id(key: bytes) -> str:
    """What the database may know of a key: enough to tell it from others."""
    return hashlib.sha256(b"autopilot delivery key id\x00" + key).hexdigest()[:16]


def _bound_to(target: Target, request_id: str) -> bytes:
    return f"{target.kind}\x00{target.id}\x00{request_id}".encode()
